"""The Pareto front: what nothing else beats in one respect without being worse in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

TRADED: Final = ("energy_per_output_token_j", "ttft_s.p50", "output_tokens_per_s", "memory_peak_bytes")
"""What a configuration is chosen by, where nobody says otherwise: joules per token, latency, throughput, memory."""


def front(points: pd.DataFrame, metrics: Sequence[str] = TRADED) -> list[bool]:
    """Whether each point is on the front: no other is as good in every metric and better in one.

    Equal points are on it together. One that lacks a figure is not: nothing says that it is not beaten there.

    Args:
        points: a row a point, with the metrics as columns.
        metrics: names of quantities that have a better side.
    """
    import numpy as np

    if not metrics:
        return [False] * len(points)
    signs = [1.0 if QUANTITIES[name].better == "lower" else -1.0 for name in metrics]
    costs = points[list(metrics)].to_numpy(dtype=float, na_value=np.nan) * np.array(signs)
    on = np.zeros(len(costs), dtype=bool)
    known = np.flatnonzero(~np.isnan(costs).any(axis=1))
    # Whatever beats a point comes before it in this order, and is itself beaten, if at all, by one on the front.
    for index in known[np.lexsort(costs[known].T[::-1])]:
        beside = costs[on]
        beaten = (beside <= costs[index]).all(axis=1) & (beside < costs[index]).any(axis=1)
        on[index] = not beaten.any()
    return [bool(each) for each in on]
