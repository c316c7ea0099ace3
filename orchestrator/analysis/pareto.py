"""The Pareto front: what nothing else beats in one respect without being worse in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.by_cycle import by_cycle
from orchestrator.analysis.comparable import metered_alike, meters_of
from orchestrator.analysis.groups import Choice, Group, for_ranking
from orchestrator.analysis.selection import row_means
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

TRADED: Final = ("energy_per_output_token_j", "ttft_s.p50", "output_tokens_per_s", "memory_peak_bytes")
"""What a configuration is chosen by, where nobody says otherwise: joules per token, latency, throughput, memory."""
_USUAL: Final = Choice()


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


@dataclass(frozen=True, slots=True)
class Front:
    """The Pareto front of groups."""

    points: pd.DataFrame
    """What is typical of each: geometric means over cycles, a column a metric; its index are labels."""
    on: list[bool]
    """Whether each is on it."""
    left_out: Sequence[str] = ()
    """Metrics that it is not about, with the reason."""


def front_of(groups: Sequence[Group], metric: str, choice: Choice = _USUAL) -> Front:
    """The front of groups in a metric and in whatever else a configuration is chosen by.

    Args:
        groups: to be held against each other.
        metric: a quantity that has a better side; it takes the place of its like (``ttft_s.p95`` of ``ttft_s.p50``).
        choice: whether estimated joules count.
    """
    import numpy as np
    import pandas as pd

    family = metric.partition(".")[0]
    columns: dict[str, NDArray[np.float64]] = {}
    left_out = []
    for name in (metric, *(other for other in TRADED if other.partition(".")[0] != family)):
        usable = [for_ranking(group, name, choice) for group in groups]
        grid = by_cycle(usable, name)
        known = ~np.isnan(grid.logs).all(axis=1)
        if not known.any():
            estimated = any(len(group.frame) > len(used.frame) for group, used in zip(groups, usable, strict=True))
            why = "0 or less" if not grid.whole.all() else "estimated" if estimated else "not known"
            left_out.append(f"{QUANTITIES[name].title}: {why}")
        elif not metered_alike(*(meters_of(group, name) for group in usable)):
            left_out.append(f"{QUANTITIES[name].title}: of unlike meters")
        else:
            columns[name] = np.where(known, np.exp(row_means(grid.logs)), np.nan)
    points = pd.DataFrame(columns, index=[group.label for group in groups])
    return Front(points, front(points, list(columns)), left_out)
