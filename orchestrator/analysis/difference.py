"""By how much one group exceeds another, in the unit of the metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.analysis.contrast import Contrast
from orchestrator.analysis.interval import Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """b's typical value less a's, in the SI unit of the metric."""

    estimate: float
    low: float
    high: float
    level: float


def difference_of(a: Interval, b: Interval, found: Contrast) -> Difference:
    """The difference of two typical values, with an interval from their own ones and their correlation.

    It is MOVER, the method of variance estimates recovery: Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702;
    with correlation, Zou, Psychological Methods 12 (2007) 399-413. It keeps the skewness of intervals that were made
    on the log scale.

    Args:
        a: the interval of the reference.
        b: that of what is held against it.
        found: the contrast of both; where they are paired, it tells how they go together.
    """
    correlation = _correlation(found) if found.paired else 0.0
    below = _reach(b.estimate - b.low, a.high - a.estimate, correlation)
    above = _reach(b.high - b.estimate, a.estimate - a.low, correlation)
    estimate = b.estimate - a.estimate
    return Difference(estimate, estimate - below, estimate + above, a.level)


def _reach(of_b: float, of_a: float, correlation: float) -> float:
    return math.hypot(of_b - correlation * of_a, math.sqrt(max(1 - correlation**2, 0.0)) * of_a)


def _correlation(found: Contrast) -> float:
    """Of the cycles' values; 0 where one of them never changes."""
    a, b = found.a - found.a.mean(), found.b - found.b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else 0.0
