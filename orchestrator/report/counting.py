"""Numbers with what they count, and shares."""

from __future__ import annotations

from typing import Final

_MOST_WRITTEN_OUT: Final = 1e6
"""A share."""
_ALMOST_ALL: Final = 0.995
"""A share that two digits cannot tell from the whole."""


def counted(number: int, noun: str) -> str:
    """``1 run``, ``2,000 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some_of(number: int, total: int, noun: str) -> str:
    """``1 of 1 run``, ``3 of 2,000 runs``."""
    return f"{number:,} of {counted(total, noun)}"


def percent(share: float) -> str:
    """``2.3 %``."""
    if _ALMOST_ALL <= share < 1:
        return f"{100 * share:.3g} %"
    return f"{100 * share:.2g} %" if share < 1 or share > _MOST_WRITTEN_OUT else f"{100 * share:,.0f} %"
