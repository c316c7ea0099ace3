"""A group's figures summed up: typical value, interval, spread, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval


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
    """Between cycles: standard deviation ÷ mean."""
    meter_low: float | None
    """The meters' own bounds: the truth lies between the estimate times this, such as 0.98, and times the next."""
    meter_high: float | None
