"""Spread of a few numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, pstdev
from typing import NamedTuple


class Spread(NamedTuple):
    """Where a set of numbers lies."""

    number: int
    p5: float
    median: float
    p95: float


def spread_of(values: Sequence[float]) -> Spread | None:
    """None for no numbers."""
    if not values:
        return None
    return Spread(len(values), percentile(values, 0.05), median(values), percentile(values, 0.95))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies, interpolated between the two nearest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def cv(values: Sequence[float]) -> float | None:
    """Standard deviation ÷ mean; None with fewer than two numbers, or a mean of 0."""
    mean = fmean(values) if len(values) > 1 else 0.0
    return pstdev(values) / mean if mean else None
