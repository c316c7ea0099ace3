"""What a simulated GPU really spends, and what the best estimator could know of it: pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from orchestrator.system.simulated_gpu.curves import Curve


@dataclass(frozen=True)
class Truth:
    """A curve that began at a moment of CLOCK_MONOTONIC."""

    curve: Curve
    origin_s: float

    def energy_j(self, start_s: float, end_s: float) -> float:
        """The true energy between two moments."""
        return self.curve.energy_j(start_s, end_s, self.origin_s)


def update_moments(first_s: float, period_s: float, start_s: float, end_s: float) -> list[float]:
    """The moments at which a counter without jitter is updated, from before ``start_s`` to after ``end_s``.

    Args:
        first_s: the moment of any one update.
        period_s: of the updates.
        start_s: the stretch of interest.
        end_s: its end.
    """
    ranks = range(floor((start_s - first_s) / period_s) - 1, ceil((end_s - first_s) / period_s) + 2)
    return [first_s + rank * period_s for rank in ranks]


def ideal_energy_j(truth: Truth, updates_s: Sequence[float], start_s: float, end_s: float) -> float:
    """The estimate of one who knows every update's exact moment and energy, and interpolates linearly between them.

    Args:
        truth: what the counter counts.
        updates_s: the moments of its updates, ascending, reaching around the window.
        start_s: the window.
        end_s: its end.
    """
    return _interpolated_j(truth, updates_s, end_s) - _interpolated_j(truth, updates_s, start_s)


def _interpolated_j(truth: Truth, updates_s: Sequence[float], t_s: float) -> float:
    position = bisect_right(updates_s, t_s)
    before_s, after_s = updates_s[position - 1], updates_s[position]
    share = (t_s - before_s) / (after_s - before_s)
    return truth.energy_j(truth.origin_s, before_s) + share * truth.energy_j(before_s, after_s)
