"""How often a group's interval holds its truth, where several experiments are taken together (``--group-by``)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import interval_of
from orchestrator.analysis.summary import summarise
from tests.bench.stats.harness import CAMPAIGNS, METRIC, SIGMA, Claim, Logs, made_group, seeded, share_of

JOULES = np.array([0.1, 0.2, 0.4, 0.8])
"""The truth of each experiment; that of the group is their geometric mean."""
TRUTH = math.exp(np.log(JOULES).mean())


def campaigns(cycles: int, missing: float) -> Logs:
    """What runs measured, shape (campaigns, experiments, cycles), NaN where a run is missing at random.

    Half of the noise's variance is a cycle's, shared by its runs.
    """
    chance = seeded("summary", cycles, missing)
    shape = (CAMPAIGNS, len(JOULES), cycles)
    noise = chance.standard_normal(shape) + chance.standard_normal((CAMPAIGNS, 1, cycles))
    values = JOULES[:, None] * np.exp(SIGMA * noise / math.sqrt(2))
    values[chance.random(shape) < missing] = np.nan
    return values


def pooled(like: Group, values: Logs) -> Group:
    like.frame[METRIC] = values.ravel()
    return like


def held(cycles: int, missing: float) -> float:
    rows = [made_group(f"experiment {number}", np.ones(cycles)).frame for number in range(len(JOULES))]
    group = Group("all", {"backend": "simulated"}, pd.concat(rows, ignore_index=True))
    found = (summarise(pooled(group, values), METRIC).interval for values in campaigns(cycles, missing))
    return share_of(interval.low <= TRUTH <= interval.high for interval in found if interval)


def repeated_unlike(cycles: int, of_one: int) -> float:
    """The first experiment is repeated more often than the others, as ``until`` does with what is noisy."""
    every = campaigns(of_one, 0)
    every[:, 1:, cycles:] = np.nan
    rows = [made_group(f"experiment {number}", np.ones(of_one)).frame for number in range(len(JOULES))]
    group = Group("all", {"backend": "simulated"}, pd.concat(rows, ignore_index=True))
    found = (summarise(pooled(group, values), METRIC).interval for values in every)
    return share_of(interval.low <= TRUTH <= interval.high for interval in found if interval)


def runs_taken_for_cycles(cycles: int) -> float:
    """What it would be, were each run taken for a repetition of its own."""
    levels = np.log(JOULES) - math.log(TRUTH)
    values = np.exp(np.log(campaigns(cycles, 0)) - levels[:, None]).reshape(CAMPAIGNS, -1)
    found = (interval_of(row) for row in values)
    return share_of(interval is not None and interval.low <= TRUTH <= interval.high for interval in found)


def claims() -> Iterator[Claim]:
    for cycles in (3, 5, 10, 20):
        yield Claim(f"95 % interval of 4 experiments together, {cycles} cycles", held(cycles, 0), 0.93, 0.97)
    for cycles in (5, 10, 20):
        yield Claim(f"the same, 15 % of the runs missing, {cycles} cycles", held(cycles, 0.15), 0.93, 0.97)
    for cycles, of_one in ((3, 19), (5, 19), (5, 60)):
        what = f"the same, one repeated {of_one} times, the others {cycles}"
        yield Claim(what, repeated_unlike(cycles, of_one), 0.93, 0.97)
    yield Claim("5 cycles, each run taken for a repetition", runs_taken_for_cycles(5), note="not what is done")
