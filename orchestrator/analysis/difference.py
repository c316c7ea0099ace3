"""By how much one group exceeds another, in the unit of the metric."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.analysis.contrast import Contrast
from orchestrator.analysis.inference import Tested
from orchestrator.analysis.interval import Interval, antilog

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """b's typical value less a's, in the SI unit of the metric."""

    estimate: float
    low: float
    high: float
    level: float


def difference_of(a: Interval, b: Interval, found: Contrast, ratio: Tested) -> Difference:
    """The difference of two typical values, with an interval that is on the side of 0 that the ratio's is on of 1.

    With m the mean of both logs, and δ b's less a's, it is 2 e^m sinh(δ/2). So δ alone tells its sign, and δ is what
    was tested. An end on the estimate's side of 0 is put together from the ends of δ and of m as logs, by MOVER, the
    method of variance estimates recovery: Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702; with
    correlation, Zou, Psychological Methods 12 (2007) 399-413. One beyond 0 is that of δ at the m that was seen: near
    0, m tells next to nothing of the difference.

    Args:
        a: the interval of the reference.
        b: that of what is held against it.
        found: the contrast of both; where they are paired, it tells how they go together.
        ratio: what was said of δ.
    """
    between, along = _correlations(found)
    mean = (math.log(a.estimate) + math.log(b.estimate)) / 2
    below = _root(_apart(a.low, a.estimate), _apart(b.low, b.estimate), between) / 2
    above = _root(_apart(a.estimate, a.high), _apart(b.estimate, b.high), between) / 2

    def end(log_ratio: float, *, upper: bool) -> float:
        size = 2 * math.sinh(abs(log_ratio) / 2)
        sign = math.copysign(1.0, log_ratio)
        if log_ratio * found.mean <= 0:
            return sign * math.exp(mean) * size
        seen = 2 * math.sinh(abs(found.mean) / 2)
        away = abs(math.log(size / seen))
        outwards = upper == (sign > 0)
        reach = _root(away, above, sign * along) if outwards else -_root(away, below, sign * along)
        return sign * antilog(mean + math.log(seen) + reach)

    return Difference(b.estimate - a.estimate, end(ratio.low, upper=False), end(ratio.high, upper=True), a.level)


def _apart(low: float, high: float) -> float:
    """How far apart two figures are as logs; one too small for a number is 0."""
    return math.log(high) - math.log(max(low, sys.float_info.min))


def _root(one: float, other: float, correlation: float) -> float:
    """How far the sum of two reaches, each of which reaches so far."""
    return math.sqrt(max(one**2 + other**2 + 2 * correlation * one * other, 0.0))


def _correlations(found: Contrast) -> tuple[float, float]:
    """Of the means of a's logs and of b's; and of the mean of both with their difference."""
    import numpy as np

    one, other = found.a - found.a.mean(), found.b - found.b.mean()
    if found.paired:
        return _correlation(one, other), _correlation(one + other, other - one)
    of_a, of_b = (float(np.square(values).sum()) / len(values) / (len(values) - 1) for values in (one, other))
    return 0.0, (of_b - of_a) / (of_a + of_b) if of_a + of_b else 0.0


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of the cycles' values; 0 where one of them never changes."""
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0 else 0.0
