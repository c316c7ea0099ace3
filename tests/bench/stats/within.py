"""How often an interval over the requests of a run holds the mean behind them, where batches are answered at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from orchestrator.analysis.interval import interval_within
from tests.bench.stats.harness import CAMPAIGNS, Claim, seeded, share_of

SPREAD = 0.4
"""Of a latency between batches: standard deviation of its log, so that it is skewed by 1.3."""


def held(batches: int, requests: int, *, told: bool) -> float:
    """The share of runs whose interval holds the mean latency, if it is told which batch a request was in, or not."""
    chance = seeded("within", batches, requests)
    latencies_s = np.exp(SPREAD * chance.standard_normal((CAMPAIGNS, batches)) - SPREAD**2 / 2)
    own = np.exp(0.05 * chance.standard_normal((CAMPAIGNS, batches, requests)) - 0.05**2 / 2)
    values = (latencies_s[:, :, None] * own).reshape(CAMPAIGNS, -1)
    place = np.repeat(np.arange(batches), requests) if told else None
    found = [interval_within(row, place) for row in values]
    return share_of(interval is not None and interval.low <= 1 <= interval.high for interval in found)


def claims() -> Iterator[Claim]:
    for batches in (5, 10, 20, 40, 80):
        what = f"95 % interval of a run's mean latency, {batches} batches of 8 requests"
        method = "bca" if batches >= 20 else "log-t"
        yield Claim(what, held(batches, 8, told=True), 0.92, note=method)
    yield Claim("the same, of 80 batches of 1 request", held(80, 1, told=True), 0.92, note="bca")
    yield Claim("10 batches of 8, every request taken for itself", held(10, 8, told=False), note="not what is done")
