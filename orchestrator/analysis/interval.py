"""How surely a typical value is known from its repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Method = Literal["log-t", "t", "bca", "sequential log-t"]
LEVEL: Final = 0.95


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
        """Half the width on the log scale, as a share of the estimate: 0.02 for ± 2 %."""
        return math.expm1(math.log(self.high / self.low) / 2)


def interval_of(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """An interval of the typical value of repetitions; None for fewer than two, of which nothing can be claimed.

    Few repetitions: Student's t on the log scale, since spread of these figures is relative; its estimate is the
    geometric mean. A bootstrap over three cycles covers about 72 %, not 95.

    Args:
        values: one a cycle.
        level: how often such an interval holds the truth.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2 or min(values) <= 0:
        return None
    logs = [math.log(value) for value in values]
    mean = math.fsum(logs) / count
    deviation = math.sqrt(math.fsum((log - mean) ** 2 for log in logs) / (count - 1))
    half = float(stdtrit(count - 1, (1 + level) / 2)) * deviation / math.sqrt(count)
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half), level, "log-t", count)
