"""How often an interval of the typical value holds the truth, which is exp(E log) of what a run measures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from orchestrator.analysis.interval import interval_of
from tests.bench.stats.harness import CAMPAIGNS, NOISES, SIGMA, Claim, seeded, share_of

CYCLES = (3, 4, 5, 7, 10, 15, 19, 20, 30, 60)
BOUNDS = {"normal": (0.93, 0.97), "mildly skewed": (0.93, 0.97), "heavy-tailed": (0.90, None)}


def claims() -> Iterator[Claim]:
    for name, noise in NOISES.items():
        at_least, at_most = BOUNDS[name]
        for cycles in CYCLES:
            values = np.exp(SIGMA * noise(seeded("interval", name, cycles), (CAMPAIGNS, cycles)))
            found = [interval_of(row) for row in values]
            hits = [interval is not None and interval.low <= 1 <= interval.high for interval in found]
            method = found[0].method if found[0] else ""
            yield Claim(f"95 % interval, {name}, {cycles} cycles", share_of(hits), at_least, at_most, method)
