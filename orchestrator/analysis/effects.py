"""What each parameter does to a metric, the others held even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis.interval import Interval


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a parameter, beside its first value."""

    value: Any
    ratio: Interval | None
    """Metric at this value ÷ metric at the parameter's first value; None for the first, and where it is not known."""
    runs: int


@dataclass(frozen=True, slots=True)
class Effect:
    """The main effect of one parameter."""

    parameter: str
    levels: Sequence[Level]
    """The reference first."""
    within: str | None = None
    """The backend that it is an effect within; None: across all."""
