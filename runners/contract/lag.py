"""How far an energy counter runs behind the power: pure, standard library only.

An update that holds the energy up to an earlier moment looks like any other; only against the power does it
show. So each step of the counter is held against the power integrated over the same stretch moved back by a
lag, and the lag is taken for which both vary together best.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean, pvariance
from typing import NamedTuple

from runners.contract.energy import Counter, PowerReading, power_at

_STEPS_PER_PERIOD = 20
_MOST_PERIODS = 10
_FEWEST_STEPS = 10
_MOST_STEPS = 300
_LEAST_VARIATION = 0.02
_LEAST_EXPLAINED = 0.7
_CLEARLY_BETTER = 0.5


class Lag(NamedTuple):
    """By how much a counter is behind."""

    seconds: float
    explained: float
    """Share of the variance of the counter's steps that the power explains at this lag."""


def lag_of(counter: Counter, powers: Sequence[PowerReading]) -> Lag | None:
    """The lag of a counter behind power readings; None where power varied too little, or too fast, to tell.

    It is 0 unless some lag explains the counter's steps clearly better than none.

    Args:
        counter: its updates.
        powers: readings of the power at single moments, in order.
    """
    if len(powers) < _FEWEST_STEPS:
        return None
    span_s = _MOST_PERIODS * counter.period_s
    steps = [
        _Step(start_s, end_s, (after.energy_j - before.energy_j) / (end_s - start_s))
        for (start_s, before), (end_s, after) in pairwise(zip(counter.moments, counter.edges, strict=True))
        if start_s - span_s >= powers[0].t_s and end_s <= powers[-1].t_s
    ]
    if len(steps) < _FEWEST_STEPS:
        return None
    mean_w = fmean(step.power_w for step in steps)
    telling = sorted(steps, key=lambda step: abs(step.power_w - mean_w), reverse=True)[:_MOST_STEPS]
    variance = pvariance([step.power_w for step in steps])
    if variance <= (_LEAST_VARIATION * mean_w) ** 2:
        return None
    integral = _Integral(powers)
    lags = [number * counter.period_s / _STEPS_PER_PERIOD for number in range(_MOST_PERIODS * _STEPS_PER_PERIOD)]
    off = [fmean((step.power_w - integral.mean_w(step, lag_s)) ** 2 for step in telling) for lag_s in lags]
    best = min(range(len(lags)), key=off.__getitem__)
    if off[best] > _CLEARLY_BETTER * off[0]:
        best = 0
    spread = fmean((step.power_w - mean_w) ** 2 for step in telling)
    explained = 1 - off[best] / spread
    return Lag(lags[best], explained) if explained >= _LEAST_EXPLAINED else None


class _Step(NamedTuple):
    start_s: float
    end_s: float
    power_w: float


class _Integral:
    """The integral of power readings, by the trapezoidal rule."""

    def __init__(self, powers: Sequence[PowerReading]) -> None:
        self._powers = powers
        self._moments = [power.t_s for power in powers]
        parts = ((b.t_s - a.t_s) * (a.power_w + b.power_w) / 2 for a, b in pairwise(powers))
        self._joules = [0.0, *accumulate(parts)]

    def mean_w(self, step: _Step, lag_s: float) -> float:
        """The mean power over a step's stretch, moved back by a lag."""
        joules = self._until(step.end_s - lag_s) - self._until(step.start_s - lag_s)
        return joules / (step.end_s - step.start_s)

    def _until(self, t_s: float) -> float:
        place = max(bisect_left(self._moments, t_s) - 1, 0)
        before = self._powers[place]
        rest_s = t_s - before.t_s
        return self._joules[place] + rest_s * (before.power_w + power_at(self._powers, t_s)) / 2
