"""When an experiment is known well enough: a sequential rule whose interval still covers what it says. Pure.

Repeating until an ordinary interval is narrow enough (Chow and Robbins 1965) stops too soon: where the spread happens
to look small. Such an interval of 95 %, looked at from the third or fifth repetition on, covers as few as 90 % (Starr
1966 tabulates the loss). The loss is of the order of 1 over the repetitions that are needed, and is made good by a
half-width that is larger by a factor 1 + c/n (Woodroofe 1977; in Simons 1968, a constant number of further
repetitions). Stein's two stages (1945) lose nothing, but leave unused what all repetitions after the first stage tell
of the spread: where that stage is 5, they take twice what would do were the spread known.

c = 2.5 was found by simulation (``tests/bench/stats/until.py``), for the worst of all spreads, from 3 repetitions on.

- Y. S. Chow, H. Robbins: On the asymptotic theory of fixed-width sequential confidence intervals for the mean. Annals
  of Mathematical Statistics 36 (1965), 457-462.
- N. Starr: The performance of a sequential procedure for the fixed-width interval estimation of the mean. Annals of
  Mathematical Statistics 37 (1966), 36-50.
- G. Simons: On the cost of not knowing the variance when making a fixed-width confidence interval for the mean.
  Annals of Mathematical Statistics 39 (1968), 1946-1952.
- M. Woodroofe: Second order approximations for sequential point and interval estimation. Annals of Statistics 5
  (1977), 984-995.
- C. Stein: A two-sample test for a linear hypothesis whose power is independent of the variance. Annals of
  Mathematical Statistics 16 (1945), 243-258.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.interval import LEVEL, Interval, from_logs

FEWEST: Final = 3
"""Repetitions before which nothing is known well enough."""
_PER_LOOK: Final = 2.5
PER_LOOK_OF_TWO: Final = 1.5
"""The same for the difference of two, each repeated until it was known: fewer, as neither stopped for the difference.
At 0, 8 in 100 equal pairs are told apart (``tests/bench/stats/compare.py``)."""


def sequential_interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """An interval of the typical value that holds the truth as often as it says, though it was looked at all along.

    Student's t on the log scale, wider by the factor 1 + 2.5/n.

    Args:
        values: one a repetition; all are positive.
        level: how often such an interval holds the truth.

    Returns:
        The interval; None for fewer than two values, where one is not positive, or where it has no end.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2 or not all(value > 0 for value in values):
        return None
    logs = [math.log(value) for value in values]
    mean = math.fsum(logs) / count
    deviation = math.sqrt(math.fsum((log - mean) ** 2 for log in logs) / (count - 1))
    half = float(stdtrit(count - 1, (1 + level) / 2)) * deviation / math.sqrt(count) * widening(count)
    return from_logs(mean, mean - half, mean + half, level, "sequential log-t", count)


def widening(count: int, per_look: float = _PER_LOOK) -> float:
    """By what factor an interval of so many repetitions is wider since it was looked at after each."""
    return 1 + per_look / count


def sure_enough(values: Sequence[float], relative_half_width: float, fewest: int = FEWEST) -> bool:
    """Whether repetitions tell the typical value so exactly that there need be no more. May be asked after each.

    Args:
        values: one a repetition.
        relative_half_width: 0.02 for ± 2 %.
        fewest: repetitions that there are to be in any case.
    """
    if len(values) < max(fewest, FEWEST):
        return False
    interval = sequential_interval(values)
    return interval is not None and interval.relative_half_width <= relative_half_width
