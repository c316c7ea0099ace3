"""How often drift is found: where there is some, where there is none, and where cycles differ without any trend."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from orchestrator.analysis.drift import drift_of
from tests.bench.stats.harness import CAMPAIGNS, METRIC, NOISES, SIGMA, Claim, Noise, made_group, normal, seeded

EXPERIMENTS = 4
CYCLES = (3, 5, 10, 20)
ADDED_UP = 4.0
"""What a drift comes to from the first cycle to the last, in standard deviations of a run: here 12 %."""


def found(name: str, noise: Noise, cycles: int, *, drift: float = 0.0, shared: float = 0.0, experiments: int) -> float:
    """The share of campaigns in which drift is found.

    Args:
        name: of the simulation, for its seed.
        noise: of the runs.
        cycles: how many.
        drift: what it comes to over the campaign, in standard deviations of a run.
        shared: what meets a whole cycle at random, likewise.
        experiments: how many.
    """
    chance = seeded("drift", name, cycles, drift, shared, experiments)
    shape = (CAMPAIGNS, experiments, cycles)
    logs = noise(chance, shape) + shared * chance.standard_normal((CAMPAIGNS, 1, cycles))
    values = np.exp(SIGMA * (logs + drift * np.linspace(0, 1, cycles)))
    labels = [f"experiment {number}" for number in range(experiments)]
    groups = [made_group(label, values[0, 0]) for label in labels]
    hits = 0
    for campaign in values:
        for group, row in zip(groups, campaign, strict=True):
            group.frame[METRIC] = row
        drift_found = drift_of(groups, METRIC)
        hits += drift_found is not None and drift_found.found
    return hits / CAMPAIGNS


def claims() -> Iterator[Claim]:
    each = f"{EXPERIMENTS} experiments"
    for name, noise in NOISES.items():
        for cycles in CYCLES:
            seen = found(name, noise, cycles, drift=ADDED_UP, experiments=EXPERIMENTS)
            yield Claim(f"drift of {ADDED_UP:g} SD found, {name}, {cycles} cycles", seen, 0.90, note=each)
    for name, noise in NOISES.items():
        for cycles in CYCLES:
            seen = found(name, noise, cycles, experiments=EXPERIMENTS)
            yield Claim(f"false alarm, {name}, {cycles} cycles", seen, 0.03, 0.065, each)
    for cycles in CYCLES:
        seen = found("normal", normal, cycles, drift=1.0, experiments=EXPERIMENTS)
        yield Claim(f"drift of 1 SD found, normal, {cycles} cycles", seen, note=each)
    for cycles in CYCLES:
        seen = found("normal", normal, cycles, drift=ADDED_UP, experiments=1)
        yield Claim(f"drift of {ADDED_UP:g} SD found, normal, {cycles} cycles", seen, note="1 experiment")
    for cycles in CYCLES:
        seen = found("normal", normal, cycles, shared=1.0, experiments=EXPERIMENTS)
        yield Claim(f"false alarm, cycles differ by 1 SD at random, {cycles} cycles", seen, note=each)
