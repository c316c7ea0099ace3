"""Errors in percent, and what a table says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median, quantiles


def error_percent(said_j: float | None, true_j: float) -> float:
    """How far off a figure is; a zero, missing or senseless one is off by 100 %."""
    if not said_j or not isfinite(said_j):
        return 100.0
    return 100 * abs(said_j - true_j) / true_j


@dataclass(frozen=True)
class Spread:
    """Of the errors of many windows, in percent."""

    count: int
    median: float
    low: float
    high: float
    """The quartiles."""
    p95: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} – {self.high:.3g})"


def spread(errors: Sequence[float]) -> Spread:
    """Median, quartiles and 95th percentile; at least two errors."""
    low, _, high = quantiles(errors, n=4, method="inclusive")
    return Spread(len(errors), median(errors), low, high, quantiles(errors, n=20, method="inclusive")[-1])


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
