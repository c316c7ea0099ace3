"""Intervals and ratios as text, and what must be known of figures that were not measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval
from orchestrator.report.charts.wording import made_how
from runners.contract.quantities import Quantity

ALL_ALIKE: Final = "all alike"
"""In place of an interval: that cycles do not differ tells nothing of how exactly the figure is known."""
_MOST_DIGITS: Final = 7


def caveat_of(groups: Sequence[Group], quantity: Quantity) -> str:
    """What has to stand beside figures of these groups: ``energy estimated``; nothing where all were measured."""
    made = [made_how(group, [quantity]) for group in groups if len(group.frame)]
    ways = [how for how in dict.fromkeys(made) if how]
    return " or ".join(ways) + (", in part" if "" in made else "") if ways else ""


def range_of(quantity: Quantity, interval: Interval) -> str:
    """The bounds of an interval, in the quantity's unit; of no width, where all cycles are alike, there is none."""
    if interval.low == interval.high:
        return ALL_ALIKE
    return f"{quantity.show(interval.low)} to {quantity.show(interval.high)}"


def ratio_text(value: float, form: str = ".3g") -> str:
    """A ratio as text; one that is not 1 never reads 1, since that says whether there is a difference.

    Args:
        value: of the ratio.
        form: how it is written where it is not near 1.
    """
    text = format(value, form)
    if value == 1 or float(text.replace(",", "")) != 1:
        return text
    closer = (f"{value:.{digits}g}" for digits in range(4, _MOST_DIGITS + 1))
    return next((text for text in closer if float(text) != 1), "above 1" if value > 1 else "below 1")


def ratio_range(interval: Interval | None, *, apart: bool = False) -> str:
    """The bounds of a ratio; a dash where it is not known.

    Args:
        interval: of the ratio.
        apart: whether it was told from 1, if not by how much: then a bound that is 1 is not reached.
    """
    if interval is None:
        return "—"
    low = "above 1" if apart and interval.low == 1 else ratio_text(interval.low)
    high = "below 1" if apart and interval.high == 1 else ratio_text(interval.high)
    return low if low == high else f"{low} to {high}"
