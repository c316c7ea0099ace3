"""Intervals and p-values of many differences of logs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.banerjee import half_width, p_value
from orchestrator.analysis.bootstrap import resamples
from orchestrator.analysis.contrast import Contrast
from orchestrator.analysis.interval import ENOUGH, Method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FARTHEST: Final = 300.0
"""An end of an interval of logs: its ratio is still a number."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What is said of one difference of logs."""

    low: float
    high: float
    """The ends of its interval."""
    p_value: float
    """Two-sided, of there being no difference."""
    method: Method


def tests_of(contrasts: Sequence[Contrast], level: float) -> list[Tested]:
    """Test each: by Student's t, and by the BCa bootstrap where both groups have enough cycles.

    Where a standard error has several parts, such as the spreads of two groups that are not paired, it is by
    :mod:`orchestrator.analysis.banerjee`.

    Of many cycles, that which the bootstrap and t both tell is told: the p-value is the greater of both, and the
    interval reaches as far as either. Of cycles that were looked at until they were enough it is always t, wider.

    Args:
        contrasts: of whatever was compared.
        level: how often such an interval holds the truth.
    """
    import numpy as np

    mean = np.array([found.mean for found in contrasts])
    parts = _parts_of(contrasts)
    half = half_width(*parts, 1 - level)
    p_values = p_value(*parts, np.abs(mean))
    low, high = np.maximum(mean - half, -_FARTHEST), np.minimum(mean + half, _FARTHEST)
    many = [
        place for place, found in enumerate(contrasts) if found.count >= ENOUGH and found.error and not found.looked_at
    ]
    for place in many:
        low[place], high[place], p_values[place] = _bca(contrasts[place], float(half[place]), float(p_values[place]))
    methods: list[Method] = ["sequential log-t" if found.looked_at else "log-t" for found in contrasts]
    for place in many:
        methods[place] = "bca"
    return [
        Tested(*found) for found in zip(low.tolist(), high.tolist(), p_values.tolist(), methods, strict=True)
    ]  # fmt: skip


def _parts_of(contrasts: Sequence[Contrast]) -> tuple[Floats, Floats]:
    """The parts of many standard errors: squares and degrees of freedom, each of shape (contrasts, parts)."""
    import numpy as np

    most = max((len(found.parts) for found in contrasts), default=1)
    variance, freedom = np.zeros((len(contrasts), most)), np.ones((len(contrasts), most))
    for place, found in enumerate(contrasts):
        for number, part in enumerate(found.parts):
            variance[place, number], freedom[place, number] = part
    return variance, freedom


def _bca(found: Contrast, half: float, by_t: float) -> tuple[float, float, float]:
    """The BCa interval of a difference of logs, and the p-value of there being none.

    Pairs are resampled where there are pairs, else each group by itself. The interval is widened as that of one mean
    is (:func:`~orchestrator.analysis.bootstrap.bca`): for normal values it is as wide as that by t. The p-value is of
    the level at which the interval would end at no difference (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, section 15.4), as long as resamples lie beyond that.

    Args:
        found: the contrast.
        half: half of the interval by t.
        by_t: the p-value by t.

    Returns:
        The low end, the high end, the p-value; of each, this or that by t, whichever claims less.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    signed = [found.b - found.a] if found.paired else [found.b, -found.a]
    # Resamples of equally many are the same: turned by a place, those of one group know nothing of the other's.
    means = np.sum([np.roll(_means(values), place) for place, values in enumerate(signed)], axis=0)
    influence = np.concatenate([(values - values.mean()) / len(values) for values in signed])
    plain = float(np.sqrt(influence @ influence))
    acceleration = float((influence**3).sum()) / (6 * plain**3)
    bias = float(ndtri(_share_below(means, found.mean)))
    ends = bias + np.array([-half, half]) / plain
    low, high = np.quantile(means, ndtr(bias + ends / (1 - acceleration * ends)), method="weibull").tolist()
    low, high = min(low, found.mean - half), max(high, found.mean + half)
    below = _share_below(means, 0.0)
    if min(below, 1 - below) < 1 / len(means):
        return low, high, by_t
    from_bias = float(ndtri(below)) - bias
    away = abs(from_bias / (1 + acceleration * from_bias) - bias) * plain
    return low, high, max(by_t, float(p_value(*_parts_of([found]), np.array([away]))[0]))


def _means(values: Floats) -> Floats:
    import numpy as np

    return np.concatenate([drawn @ values for drawn in resamples(len(values))]) / len(values)


def _share_below(means: Floats, value: float) -> float:
    """Which share of resamples lies below; never none or all."""
    import numpy as np

    share = (np.count_nonzero(means < value) + np.count_nonzero(means <= value)) / (2 * len(means))
    return min(max(share, 0.5 / len(means)), 1 - 0.5 / len(means))
