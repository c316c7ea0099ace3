"""Intervals and ratios as text, and what must be known of figures that were not measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval
from orchestrator.report.charts.wording import made_how
from runners.contract.quantities import Quantity


def caveat_of(groups: Sequence[Group], quantity: Quantity) -> str:
    """What has to stand beside figures of these groups: ``energy estimated``; nothing where all were measured."""
    made = [made_how(group, [quantity]) for group in groups if len(group.frame)]
    ways = [how for how in dict.fromkeys(made) if how]
    return " or ".join(ways) + (", in part" if "" in made else "") if ways else ""


def range_of(quantity: Quantity, interval: Interval) -> str:
    """The bounds of an interval, in the quantity's unit."""
    return f"{quantity.show(interval.low)} to {quantity.show(interval.high)}"


def ratio_range(interval: Interval | None) -> str:
    """The bounds of a ratio; a dash where it is not known."""
    if interval is None:
        return "—"
    low, high = f"{interval.low:.3g}", f"{interval.high:.3g}"
    return low if low == high else f"{low} to {high}"
