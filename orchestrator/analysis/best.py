"""The best of many, corrected for having been picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate among all."""

    group: Group
    interval: Interval | None
    """Simultaneous: all candidates' intervals hold at once, so also that of whichever turns out best."""
    separable: bool | None
    """Whether it is told apart from the winner; None: it is the winner, or nothing can be said."""
    fails: Sequence[str] = ()
    """The conditions that it does not meet, with what was seen; empty for a candidate."""


@dataclass(frozen=True, slots=True)
class Best:
    """Which group is best in one metric, under conditions."""

    metric: str
    better: str
    """``lower`` or ``higher``."""
    ranking: Sequence[Ranked]
    """Candidates from the best down; then those that fail a condition; then those without the figure."""
    method: str
    """How it was corrected for picking, by name."""

    @property
    def winner(self) -> Ranked | None:
        """The best candidate."""
        first = next(iter(self.ranking), None)
        return first if first and first.interval is not None and not first.fails else None
