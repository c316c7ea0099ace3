"""Two groups of runs held against each other: how their ratio lies, how surely, and whether that can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of ``b`` ÷ that of ``a``; what cannot be said is None."""

    a: Group
    b: Group
    metric: str
    ratio: Interval | None
    """Of b ÷ a."""
    design: str
    """How it was compared: ``paired by cycle``, ``paired by cycle, blocked by GPU``, ``unpaired``."""
    p_value: float | None
    p_adjusted: float | None
    """By Holm's step-down, over all comparisons that were asked for together."""
    verdict: Literal["lower", "higher", "cannot tell"]
    """What b is, beside a."""
    cycles_more: int | None
    """How many further cycles of both would tell, at 80 % power, were the ratio as seen; None: told, or over 1000."""
    same_output: bool | None
    """None where they were not asked the same."""
