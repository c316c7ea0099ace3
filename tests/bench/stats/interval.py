"""How often an interval of the typical value holds the truth, which is exp(E log) of what a run measures."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from orchestrator.analysis.interval import interval_of
from tests.bench.stats.harness import CAMPAIGNS, NOISES, SIGMA, Claim, Logs, Noise, seeded, share_of

CYCLES = (3, 4, 5, 7, 10, 15, 19, 20, 30, 60)
BOUNDS = {"normal": (0.93, 0.97), "mildly skewed": (0.93, 0.97), "heavy-tailed": (0.90, None)}


def strongly_skewed(chance: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """A gamma's of shape 4: skewness 1."""
    return (chance.standard_gamma(4.0, shape) - 4.0) / 2.0


def held(values: Logs, truth: float = 1.0) -> tuple[float, str]:
    """The share of campaigns whose interval holds the truth, and its method."""
    found = [interval_of(row) for row in values]
    hits = (interval is not None and interval.low <= truth <= interval.high for interval in found)
    return share_of(hits), found[0].method if found[0] else ""


def drawn(name: str, noise: Noise, cycles: int) -> Logs:
    return np.exp(SIGMA * noise(seeded("interval", name, cycles), (CAMPAIGNS, cycles)))


def bootstrapped(cycles: int, method: str) -> float:
    """The share of scipy's bootstraps of the mean log that hold it, of normal noise."""
    noise = NOISES["normal"](seeded("bootstrap", cycles, method), (CAMPAIGNS, cycles))
    chance = seeded("resamples", cycles, method)
    found = (
        stats.bootstrap((row,), np.mean, n_resamples=1999, method=method, rng=chance).confidence_interval  # type: ignore[call-overload]
        for row in noise
    )
    return share_of(interval.low <= 0 <= interval.high for interval in found)


def claims() -> Iterator[Claim]:
    for name, noise in NOISES.items():
        for cycles in CYCLES:
            seen, method = held(drawn(name, noise, cycles))
            yield Claim(f"95 % interval, {name}, {cycles} cycles", seen, *BOUNDS[name], method)
    for cycles in CYCLES:
        seen, method = held(drawn("strongly skewed", strongly_skewed, cycles))
        yield Claim(f"95 % interval, strongly skewed, {cycles} cycles", seen, note=method)
    for cycles in (5, 20, 60):
        mean = math.exp((0.1 * 0.1) / 2)
        noise = NOISES["normal"](seeded("arithmetic", cycles), (CAMPAIGNS, cycles))
        seen, method = held(np.exp(0.1 * noise), mean)
        yield Claim(f"the arithmetic mean held, noise of 10 %, {cycles} cycles", seen, note=method)
    for cycles, method in ((3, "percentile"), (3, "BCa"), (10, "BCa"), (20, "BCa")):
        yield Claim(f"scipy's bootstrap at 95 %, normal, {cycles} cycles", bootstrapped(cycles, method), note=method)
