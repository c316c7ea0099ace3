"""Which of many candidates may be the best: subset selection, for few cycles, unequal noise and what cycles share.

For each candidate it is tested whether it is the best: against each other one, paired by cycle where they ran in the
same cycles, each pair with its own noise. The tests of one candidate are put together by Simes's rule, which holds for
figures that move together, as these do (they share the candidate's own noise). Only one candidate is the best, so
nothing is to be corrected beyond that: those that are not rejected hold it with the confidence asked for.

Gupta, S. S. (1965). On some multiple decision (selection and ranking) rules. Technometrics 7, 225-245.
Hsu, J. C. (1984). Constrained simultaneous confidence intervals for multiple comparisons with the best. Annals of
    Statistics 12, 1136-1144.
Simes, R. J. (1986). An improved Bonferroni procedure for multiple tests of significance. Biometrika 73, 751-754.
Sarkar, S. K. (1998). Some probability inequalities for ordered MTP2 random variables: a proof of the Simes conjecture.
    Annals of Statistics 26, 494-504.
Banerjee, K. S. (1961). On confidence interval for two-means problem based on separate estimates of variances and
    tabulated values of t-table. Sankhya A 23, 359-378.
Šidák, Z. (1967). Rectangular confidence regions for the means of multivariate normal distributions. Journal of the
    American Statistical Association 62, 626-633.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.banerjee import half_width, p_value
from orchestrator.analysis.contrast import ENOUGH_SHARED
from orchestrator.analysis.interval import LEVEL, Interval, antilog
from orchestrator.analysis.stopping import widening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

_CELLS: Final = 2**18
"""Pairs that are worked on at once: what bounds the memory."""
_ERROR_LEAST: Final = 1e-12
"""Standard errors below are rounding: figures that are the same in every cycle have no noise."""

WIDEST: Final = 100.0
"""Of an interval, in logs to either side: e**100 says that nothing is known, and stays a number that is finite.

Of two cycles and hundreds of candidates, Student's t alone is in the thousands.
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What can be said of each candidate; all of it holds at once, with the confidence asked for."""

    possible: Bools
    """Whether it may be the best."""
    beside_best: Floats
    """Its log less that of the best: estimate, lower and upper bound, the lower one 0 at least; NaN for a sole one."""
    paired: float
    """The share of the comparisons that are paired by cycle."""


def select(logs: Floats, lost: float = 0.0, level: float = LEVEL) -> Selection:
    """Which candidates may have the lowest mean, and how far each is from the lowest.

    Half of the error goes to each side, so that between two candidates it says what a two-sided comparison says, and
    holds for skewed noise too.

    Args:
        logs: of the figures, a row a candidate, a column a cycle; NaN where it has none. Two at least in each row.
        lost: the share of the degrees of freedom that went into taking other effects out of the figures.
        level: how often all that is said is to hold.
    """
    import numpy as np

    count, side = len(logs), (1 - level) / 2
    possible, beside_best = np.ones(count, dtype=bool), np.full((count, 3), np.nan)
    if count < 2:
        return Selection(possible, beside_best, 1.0)
    others, ranks, winner = count - 1, np.arange(1, count), int(row_means(logs).argmin())
    in_pairs = 0
    for rows, difference, variance, freedom, paired in _pairs(logs, logs, lost):
        in_pairs += int(paired.sum())
        p_values = np.sort(_without_own(_one_sided(difference, variance, freedom), rows), axis=1)
        possible[rows] = (p_values * others / ranks).min(axis=1) > side
    possible[winner] = True
    beside = np.flatnonzero(possible)
    for rows, difference, variance, freedom, _ in _pairs(logs, logs[beside], lost):
        half = half_width(variance, freedom, 2 * side / others)
        half[beside[None, :] == np.arange(count)[rows, None]] = 0.0
        beside_best[rows, 0] = difference[:, beside == winner][:, 0]
        beside_best[rows, 1] = np.maximum(0.0, (difference - half).min(axis=1))
        beside_best[rows, 2] = np.maximum(0.0, (difference + half).max(axis=1))
    return Selection(possible, beside_best, (in_pairs - count) / (count * others))


def simultaneous(
    logs: Floats, lost: float = 0.0, level: float = LEVEL, looked_at: Bools | None = None
) -> list[Interval]:
    """Intervals of what is typical of each candidate that cover all at once, each by Student's t on its own logs.

    Args:
        logs: as for :func:`select`.
        lost: likewise.
        level: how often all of them are to cover.
        looked_at: which were repeated until they were known: these are wider. None: none was.
    """
    import numpy as np
    from scipy.special import stdtrit

    if not len(logs):
        return []
    count = np.count_nonzero(~np.isnan(logs), axis=1)
    errors = np.nanstd(logs, axis=1, ddof=1) / np.sqrt(count * (1 - lost))
    halves = errors * stdtrit((count - 1) * (1 - lost), (1 + level ** (1 / len(logs))) / 2)
    found = []
    looks = np.zeros(len(logs), dtype=bool) if looked_at is None else looked_at
    for mean, half, cycles, looked in zip(row_means(logs), halves, count.tolist(), looks, strict=True):
        wide = min(half * widening(cycles) if looked else half, WIDEST)
        low, high = antilog(mean - wide), antilog(mean + wide)
        found.append(Interval(antilog(mean), low, high, level, "sequential log-t" if looked else "log-t", cycles))
    return found


def row_means(logs: Floats) -> Floats:
    """The mean of each row over what is known of it; 0 where nothing is."""
    import numpy as np

    known = ~np.isnan(logs)
    means: Floats = np.where(known, logs, 0.0).sum(axis=1) / np.maximum(np.count_nonzero(known, axis=1), 1)
    return means


def _one_sided(difference: Floats, variance: Floats, freedom: Floats) -> Floats:
    """The p-value of each difference being 0 or less; 0.5 where it is seen to be."""
    import numpy as np

    found = np.full(difference.shape, 0.5)
    above = difference > 0
    found[above] = p_value(variance[above], freedom[above], difference[above]) / 2
    return found


def _without_own(p_values: Floats, rows: slice) -> Floats:
    """Each row without the pair of a candidate with itself."""
    import numpy as np

    count = p_values.shape[1]
    others: Floats = p_values[np.arange(count) != np.arange(count)[rows, None]].reshape(-1, count - 1)
    return others


def _pairs(logs: Floats, beside: Floats, lost: float) -> Iterator[tuple[slice, Floats, Floats, Floats, Bools]]:
    """Rows; and for each beside each other: difference of means, the parts of its standard error, if they are paired.

    Parts are squares and degrees of freedom, each of shape (rows, others, 2): of a pair, the second is 0. Paired where
    the two share as many of their cycles as :mod:`~orchestrator.analysis.contrast` asks for; else each has its own
    noise, and what their cycles have in common is taken for noise too.
    """
    import numpy as np

    height = max(1, _CELLS // max(1, len(beside)))
    for start in range(0, len(logs), height):
        rows = slice(start, start + height)
        one, other = _Sums.of(logs[rows]), _Sums.of(beside)
        shared = one.known @ other.known.T
        paired = shared >= np.maximum(2, ENOUGH_SHARED * np.maximum.outer(one.count, other.count))
        n = np.where(paired, shared, 2)
        mean = (one.values @ other.known.T - one.known @ other.values.T) / n
        squares = one.squares @ other.known.T + one.known @ other.squares.T - 2 * one.values @ other.values.T
        variance = np.maximum(squares - n * mean**2, 0.0) / (n - 1)
        of_one, of_other = (sums.variance / sums.count for sums in (one, other))
        first, second = np.where(paired, variance / n, of_one[:, None]), np.where(paired, 0.0, of_other)
        freedom = np.where(paired, n, one.count[:, None]), np.where(paired, 2, other.count)
        yield (
            rows,
            np.where(paired, mean, np.subtract.outer(one.mean, other.mean)),
            np.stack([np.maximum(first / (1 - lost), _ERROR_LEAST**2), second / (1 - lost)], axis=-1),
            (np.stack(freedom, axis=-1) - 1) * (1 - lost),
            paired,
        )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Figures of candidates with zeros where they have none, and what follows from them row by row."""

    known: Floats
    values: Floats
    squares: Floats
    count: Floats
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, logs: Floats) -> _Sums:
        import numpy as np

        known = ~np.isnan(logs)
        values = np.where(known, logs, 0.0)
        count = known.sum(axis=1).astype(float)
        return cls(
            known.astype(float),
            values,
            values**2,
            count,
            values.sum(axis=1) / count,
            np.nanvar(logs, axis=1, ddof=1),
        )
