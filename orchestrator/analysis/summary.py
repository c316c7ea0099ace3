"""A group's figures summed up: typical value, interval, spread, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.analysis.cycles import per_cycle
from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import LEVEL, Interval, interval_of
from orchestrator.analysis.stopping import sequential_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_WITH_ENERGY: Final = frozenset({
    "energy_j", "energy_per_output_token_j", "energy_per_total_token_j", "energy_per_request_j", "power_mean_w",
})  # fmt: skip
"""Quantities that are as far off as ``energy_j`` is."""
_AGAINST_ENERGY: Final = frozenset({"tokens_per_j", "flops_per_j"})
"""Quantities that it divides."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of one group; what cannot be said is None."""

    group: Group
    metric: str
    runs: int
    """How many of the group's usable runs measured it."""
    cycles: int
    mean: float | None
    median: float | None
    interval: Interval | None
    """Of the typical value, by the spread between cycles."""
    spread: float | None
    """Between cycles: standard deviation ÷ mean; None where a figure is below 0, so that the mean may be anything."""
    meter_low: float | None
    """The meters' own bounds: the truth lies between the estimate times this, such as 0.98, and times the next."""
    meter_high: float | None


def summarise(group: Group, metric: str, level: float = LEVEL) -> Summary:
    """Sum up one metric of a group; mean, median and spread are those of its cycles' values, as the interval is.

    Args:
        group: whose usable runs are summed up.
        metric: the name of a quantity.
        level: how often such an interval holds the truth.
    """
    import numpy as np

    measured = group.frame[metric].to_numpy(dtype="float64")
    values = per_cycle(group.frame, metric)
    low, high = meter_bounds(group, metric)
    runs = int(np.count_nonzero(~np.isnan(measured)))
    if not len(values):
        return Summary(group, metric, runs, 0, None, None, None, None, None, None)
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) / mean if len(values) > 1 and mean > 0 and values.min() >= 0 else None
    interval = typical_interval(values.tolist(), was_looked_at(group.frame), level)
    return Summary(group, metric, runs, len(values), mean, float(np.median(values)), interval, spread, low, high)


def typical_interval(values: Sequence[float], looked_at: bool, level: float = LEVEL) -> Interval | None:
    """The interval of repetitions: where these were looked at until they were enough, one that allows for that.

    Args:
        values: one a cycle.
        looked_at: whether they were (:func:`was_looked_at`).
        level: how often such an interval holds the truth.
    """
    return (
        sequential_interval(values, level)
        if looked_at and all(value > 0 for value in values)
        else interval_of(values, level)
    )


def was_looked_at(frame: pd.DataFrame) -> bool:
    """Whether runs were repeated until something was known well enough."""
    return bool(frame["until"].notna().any())


def meter_bounds(group: Group, metric: str) -> tuple[float | None, float | None]:
    """By how much the meters may be wrong of the group's typical value: no repetition makes that less.

    Each run's energy lies between its bounds, so the geometric mean lies between the geometric means of the bounds.
    """
    if metric not in _WITH_ENERGY | _AGAINST_ENERGY:
        return None, None
    frame = group.frame
    measured = frame[metric].notna().to_numpy()
    energy, low, high = (
        frame[name].to_numpy(dtype="float64")[measured] for name in ("energy_j", "energy_low_j", "energy_high_j")
    )
    below, above = _typical_ratio(low, energy), _typical_ratio(high, energy)
    if metric in _WITH_ENERGY:
        return below, above
    return (1 / above if above else None), (1 / below if below else None)


def _typical_ratio(bound: NDArray[np.float64], energy: NDArray[np.float64]) -> float | None:
    import numpy as np

    if not len(energy) or not (energy > 0).all() or not (bound >= 0).all():
        return None
    if (bound == 0).any():
        return 0.0
    ratio: Any = np.exp(np.log(bound / energy).mean())
    return float(ratio)
