"""Stopping when sure: how often its interval holds the truth, and what it saves beside a fixed number of cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orchestrator.analysis.interval import interval_of
from orchestrator.analysis.stopping import sequential_interval, sure_enough
from tests.bench.stats.harness import CAMPAIGNS, NOISES, Claim, Logs, seeded, share_of

TARGET = 0.02
MAX_CYCLES = 60
SIGMAS = (0.01, 0.02, 0.03, 0.035, 0.04, 0.05)
"""Of a run: from known at once to known after about 35 cycles; 3.5 % is about the worst for stopping too soon."""
AT_LEAST = {"normal": 0.94, "mildly skewed": 0.92, "heavy-tailed": 0.90}
ASSURANCE = 0.9
DESIGNS = {"6 experiments, 1 % to 5 %": tuple(np.geomspace(0.01, 0.05, 6)), "2 experiments, 1 % and 5 %": (0.01, 0.05)}


def claims() -> Iterator[Claim]:
    for name, noise in NOISES.items():
        for fewest in (3, 5):
            for sigma in SIGMAS:
                drawn = noise(seeded("until", name, fewest, sigma), (CAMPAIGNS, MAX_CYCLES))
                stopped = [values[: cycles_of(values, fewest)] for values in np.exp(sigma * drawn)]
                cycles = float(np.mean([len(values) for values in stopped]))
                plainly = share_of(_holds(values, sequential=False) for values in stopped)
                note = f"{cycles:.1f} cycles on average; the interval of a fixed number: {100 * plainly:.1f} %"
                what = f"until ± {TARGET:.0%}, {name}, noise {100 * sigma:g} %, from {fewest} cycles"
                held = share_of(_holds(values, sequential=True) for values in stopped)
                yield Claim(what, held, AT_LEAST[name], note=note)
    for what, sigmas in DESIGNS.items():
        drawn = NOISES["normal"](seeded("until", what), (CAMPAIGNS, len(sigmas), MAX_CYCLES))
        values = np.exp(np.asarray(sigmas)[:, None] * drawn)
        fixed = fixed_cycles(values)
        runs = [sum(cycles_of(one, 5) for one in campaign) for campaign in values]
        share = float(np.mean(runs)) / (fixed * len(sigmas))
        note = f"{np.mean(runs):.0f} runs beside {fixed * len(sigmas)}, {fixed} cycles"
        yield Claim(f"runs beside a fixed design, {what}", share, at_most=0.6, note=note)


def cycles_of(values: Logs, fewest: int) -> int:
    """After how many cycles one experiment is repeated no more."""
    return next((n for n in range(fewest, MAX_CYCLES) if sure_enough(values[:n], TARGET, fewest)), MAX_CYCLES)


def fixed_cycles(values: Logs) -> int:
    """The fewest cycles after which, with assurance, every experiment of a campaign is known as exactly."""
    few, enough = 2, MAX_CYCLES
    while enough - few > 1:
        cycles = (few + enough) // 2
        if share_of(all(_is_exact(one[:cycles]) for one in campaign[::-1]) for campaign in values) >= ASSURANCE:
            enough = cycles
        else:
            few = cycles
    return enough


def _is_exact(values: Sequence[float]) -> bool:
    interval = interval_of(values)
    return interval is not None and interval.relative_half_width <= TARGET


def _holds(values: Sequence[float], *, sequential: bool) -> bool:
    interval = sequential_interval(values) if sequential else interval_of(values)
    return interval is not None and interval.low <= 1 <= interval.high
