"""How surely a typical value is known from its repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from orchestrator.analysis.bootstrap import bca

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Method = Literal["log-t", "t", "bca", "sequential log-t"]
LEVEL: Final = 0.95
ENOUGH: Final = 20
"""From so many repetitions on, a bootstrap covers what it says."""
_BOOTSTRAPPED_LEVEL: Final = 0.99
"""The highest level that as many resamples as are made can tell; beyond, it is t."""
_FARTHEST: Final = 690.0
"""A log whose antilog is still a number, and one that is not 0."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, and how it was made."""

    estimate: float
    low: float
    high: float
    level: float
    method: Method
    count: int
    """How many independent repetitions it rests on: cycles, not requests."""

    @property
    def relative_half_width(self) -> float:
        """Half the width on the log scale, as a share of the estimate: 0.02 for ± 2 %.

        Where values are not all above zero there is no log scale: half the width ÷ the estimate.
        """
        if self.low > 0:
            return math.expm1(min((math.log(self.high) - math.log(self.low)) / 2, _FARTHEST))
        return (self.high - self.low) / 2 / abs(self.estimate) if self.estimate else math.inf


def antilog(log: float) -> float:
    """The exponential, of logs as far out as a double can tell: an interval of two cycles may reach beyond."""
    return math.exp(max(-_FARTHEST, min(log, _FARTHEST)))


def interval_of(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """An interval of the typical value of repetitions; None where nothing can be claimed: of fewer than two, say.

    The typical value is exp(E log): spread of these figures is relative, so logs are what is averaged, and the
    estimate is the geometric mean. Below ``ENOUGH`` repetitions the interval is Student's t of the logs (``log-t``),
    since a bootstrap over three cycles covers about 72 %, not 95. From there on it is the BCa bootstrap of their mean
    (``bca``), which follows skewed noise. Of values that are not all above zero there are no logs: then it is
    Student's t of the values (``t``), and the estimate is their mean. How often each holds the truth is measured by
    ``make bench-stats`` and told in docs/explanation/statistics.md.

    Args:
        values: one a cycle; NaN: not measured.
        level: how often such an interval holds the truth.
    """
    import numpy as np

    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    count = len(known)
    if count < 2:
        return None
    if known.min() <= 0:
        return Interval(*_t(known, level), level, "t", count)
    logs = np.log(known)
    if count < ENOUGH or level > _BOOTSTRAPPED_LEVEL:
        return from_logs(*_t(logs, level), level, "log-t", count)
    return from_logs(*bca(logs, np.ones(count), level), level, "bca", count)


def from_logs(estimate: float, low: float, high: float, level: float, method: Method, count: int) -> Interval | None:
    """An interval found on the log scale; None where it is so wide that no number is as large as its end."""
    try:
        return Interval(math.exp(estimate), math.exp(low), math.exp(high), level, method, count)
    except OverflowError:
        return None


def interval_within(
    values: Sequence[float], batches: Sequence[int] | None = None, level: float = LEVEL
) -> Interval | None:
    """How well the mean over a run's requests is known from these requests; None where that cannot be said.

    It tells how another window of the same run might have come out, and nothing of how the run repeats: all of its
    requests share one start of the engine. Requests answered in one batch share its moments, so whole batches are
    what is resampled (``bca``). Of fewer than ``ENOUGH`` batches it is Student's t of the mean's log over batches
    (``log-t``; of the mean itself, ``t``, where values are not all above zero), with the variance of a ratio
    estimator, as batches may be unequal (Cochran, Sampling Techniques, 1977, chapter 6).

    Args:
        values: one a request, such as its time to first token in s; NaN: not measured.
        batches: the batch of each; None: each was answered by itself.
        level: how often such an interval holds the truth.
    """
    import numpy as np

    every = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(every)
    of = np.arange(len(every)) if batches is None else np.asarray(batches)
    _, place = np.unique(of[known], return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    sums = np.bincount(place, weights=every[known]).astype(np.float64)
    count = len(sizes)
    if count < 2:
        return None
    if count < ENOUGH:
        mean = float(sums.sum() / sizes.sum())
        if every[known].min() <= 0:
            return Interval(*_t(mean + (sums - mean * sizes) / sizes.mean(), level), level, "t", count)
        centre, low, high = _t(math.log(mean) + (sums / mean - sizes) / sizes.mean(), level)
        return from_logs(centre, low, high, level, "log-t", count)
    return Interval(*bca(sums, sizes, level), level, "bca", count)


def _t(values: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """The mean, and the ends of its interval by Student's t."""
    from scipy.special import stdtrit

    count = len(values)
    mean = float(values.mean())
    half = float(stdtrit(count - 1, (1 + level) / 2) * values.std(ddof=1)) / math.sqrt(count)
    return mean, mean - half, mean + half
