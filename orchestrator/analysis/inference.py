"""Intervals and p-values of many differences of logs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.bootstrap import resamples
from orchestrator.analysis.contrast import Contrast
from orchestrator.analysis.interval import ENOUGH, Method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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

    Args:
        contrasts: of whatever was compared.
        level: how often such an interval holds the truth.
    """
    import numpy as np
    from scipy.special import stdtr, stdtrit

    mean = np.array([found.mean for found in contrasts])
    error = np.array([found.error for found in contrasts])
    freedom = np.array([found.freedom for found in contrasts])
    half = stdtrit(freedom, (1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.where(mean == 0, 1.0, 2 * stdtr(freedom, -np.abs(mean) / error))
    low, high = np.maximum(mean - half, -_FARTHEST), np.minimum(mean + half, _FARTHEST)
    tests = []
    for found, least, most, p in zip(contrasts, low.tolist(), high.tolist(), p_value.tolist(), strict=True):
        if found.count >= ENOUGH and found.error:
            tests.append(Tested(*_bca(found, level), "bca"))
        else:
            tests.append(Tested(least, most, p, "log-t"))
    return tests


def _bca(found: Contrast, level: float) -> tuple[float, float, float]:
    """The BCa interval of a difference of logs, and the p-value of there being none.

    Pairs are resampled where there are pairs, else each group by itself. The interval is widened as that of one mean
    is (:func:`~orchestrator.analysis.bootstrap.bca`): for normal values it is as wide as Student's t, with the
    standard error and the degrees of freedom of the contrast. The p-value is that of the level at which the interval
    would end at no difference, so that test and interval agree (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, section 15.4); where no resample lies beyond that, it is Student's t.

    Returns:
        The low end, the high end, the p-value.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    signed = [found.b - found.a] if found.paired else [found.b, -found.a]
    # Resamples of equally many are the same: turned by a place, those of one group know nothing of the other's.
    means = np.sum([np.roll(_means(values), place) for place, values in enumerate(signed)], axis=0)
    influence = np.concatenate([(values - values.mean()) / len(values) for values in signed])
    plain = float(np.sqrt(influence @ influence))
    acceleration = float((influence**3).sum()) / (6 * plain**3)
    bias = float(ndtri(_share_below(means, found.mean)))
    widening = found.error / plain
    half = float(stdtrit(found.freedom, (1 + level) / 2)) * widening
    ends = bias + np.array([-half, half])
    low, high = np.quantile(means, ndtr(bias + ends / (1 - acceleration * ends)), method="weibull").tolist()
    below = _share_below(means, 0.0)
    if min(below, 1 - below) < 1 / len(means):
        return low, high, 2 * float(stdtr(found.freedom, -abs(found.mean) / found.error))
    from_bias = float(ndtri(below)) - bias
    reached = from_bias / (1 + acceleration * from_bias) - bias
    return low, high, 2 * float(stdtr(found.freedom, -abs(reached) / widening))


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.concatenate([drawn @ values for drawn in resamples(len(values))]) / len(values)


def _share_below(means: NDArray[np.float64], value: float) -> float:
    """Which share of resamples lies below; never none or all."""
    import numpy as np

    share = (np.count_nonzero(means < value) + np.count_nonzero(means <= value)) / (2 * len(means))
    return min(max(share, 0.5 / len(means)), 1 - 0.5 / len(means))
