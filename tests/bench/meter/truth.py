"""What the simulated GPU really spends, and what the best estimator could know of it: pure, standard library only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import ceil, floor


@dataclass(frozen=True)
class Curve:
    """Power over CLOCK_MONOTONIC: ``before_w`` until the origin, from there the steps, repeated for ever."""

    steps: Sequence[tuple[float, float]]
    """(duration in s, power in W)"""
    before_w: float
    origin_s: float

    @cached_property
    def _ends_s(self) -> list[float]:
        return list(accumulate(duration_s for duration_s, _ in self.steps))

    @cached_property
    def _sums_j(self) -> list[float]:
        return list(accumulate(duration_s * power_w for duration_s, power_w in self.steps))

    def energy_j(self, start_s: float, end_s: float) -> float:
        """The true energy between two moments."""
        return self._since_origin_j(end_s) - self._since_origin_j(start_s)

    def _since_origin_j(self, t_s: float) -> float:
        since_s = t_s - self.origin_s
        if since_s <= 0:
            return since_s * self.before_w
        rounds, rest_s = divmod(since_s, self._ends_s[-1])
        position = min(bisect_right(self._ends_s, rest_s), len(self.steps) - 1)
        begun_s, begun_j = (self._ends_s[position - 1], self._sums_j[position - 1]) if position else (0.0, 0.0)
        return rounds * self._sums_j[-1] + begun_j + (rest_s - begun_s) * self.steps[position][1]


def update_moments(first_s: float, period_s: float, start_s: float, end_s: float) -> list[float]:
    """The moments at which a counter without jitter is updated, from the last before ``start_s`` to after ``end_s``."""
    ranks = range(floor((start_s - first_s) / period_s) - 1, ceil((end_s - first_s) / period_s) + 2)
    return [first_s + rank * period_s for rank in ranks]


def ideal_energy_j(curve: Curve, updates_s: Sequence[float], start_s: float, end_s: float) -> float:
    """The estimate of one who knows every update's exact moment and energy, and interpolates linearly between them.

    Args:
        curve: what the counter counts.
        updates_s: moments of its updates, ascending, reaching around the window.
        start_s: start of the window.
        end_s: end of the window.
    """
    return _interpolated_j(curve, updates_s, end_s) - _interpolated_j(curve, updates_s, start_s)


def _interpolated_j(curve: Curve, updates_s: Sequence[float], t_s: float) -> float:
    position = bisect_right(updates_s, t_s)
    before_s, after_s = updates_s[position - 1], updates_s[position]
    share = (t_s - before_s) / (after_s - before_s)
    return curve.energy_j(curve.origin_s, before_s) + share * curve.energy_j(before_s, after_s)
