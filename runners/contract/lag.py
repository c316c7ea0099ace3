"""How far an energy counter runs behind the power: pure, standard library only.

An update that holds the energy up to an earlier moment looks like any other; only against the power does it
show. So each step of the counter is held against the power integrated over the same stretch moved back by a
lag, and the lag is taken at which the two vary together best. Where power was read often for a while (the
sampler does so while it learns a counter's pace), that stretch tells most; else the whole record is taken,
which tells of loads that change more slowly than power was read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from math import sqrt
from statistics import fmean
from typing import NamedTuple

from runners.contract.energy import Counter, PowerReading, power_at

_STEPS_PER_PERIOD = 20
_STEPS_AHEAD = 3
_MOST_PERIODS = 10.0
_DENSE = 0.2
_FEWEST_DENSE_PERIODS = 8.0
_FEWEST_STEPS = 6
_MOST_STEPS = 300
_LEAST_VARIATION = 0.05
_EXPLAINS = 0.7
_LEAST_GAIN = 0.01
_SIGMAS = 3.0
_CLEARLY_BETTER = 0.5


class Lag(NamedTuple):
    """By how much a counter is behind."""

    seconds: float
    explained: float
    """Share of the variance of the counter's steps that the power explains at this lag."""
    uncertainty_s: float
    """By how much the lag may be off, power being known at single moments only."""


def lag_of(counter: Counter, powers: Sequence[PowerReading]) -> Lag | None:
    """The lag of a counter behind power readings; None where power varied too little, or too fast, to tell.

    It is 0 where no lag explains the counter's steps clearly better than none.

    Args:
        counter: its updates.
        powers: readings of the power at single moments, in order.
    """
    ahead_s = _STEPS_AHEAD / _STEPS_PER_PERIOD * counter.period_s
    for stretch, most_s in _stretches(counter.period_s, powers):
        steps = _steps(counter, stretch[0].t_s + most_s, stretch[-1].t_s - ahead_s)
        if found := _best(steps, stretch, counter.period_s, most_s):
            return found
    return None


class _Step(NamedTuple):
    start_s: float
    end_s: float
    power_w: float


def _stretches(period_s: float, powers: Sequence[PowerReading]) -> Iterator[tuple[Sequence[PowerReading], float]]:
    """Where to look, and how long a lag can be seen there: dense readings first, then all."""
    gaps = [place for place, (a, b) in enumerate(pairwise(powers), start=1) if b.t_s - a.t_s > _DENSE * period_s]
    dense = [powers[start:end] for start, end in pairwise([0, *gaps, len(powers)]) if end > start]
    longest = max(dense, key=lambda run: run[-1].t_s - run[0].t_s, default=())
    if longest and longest[-1].t_s - longest[0].t_s >= _FEWEST_DENSE_PERIODS * period_s:
        yield longest, min((longest[-1].t_s - longest[0].t_s) / 3, _MOST_PERIODS * period_s)
    if powers:
        yield powers, _MOST_PERIODS * period_s


def _steps(counter: Counter, start_s: float, end_s: float) -> list[_Step]:
    return [
        _Step(begin_s, done_s, (after.energy_j - before.energy_j) / (done_s - begin_s))
        for (begin_s, before), (done_s, after) in pairwise(zip(counter.moments, counter.edges, strict=True))
        if begin_s >= start_s and done_s <= end_s
    ]


def _best(steps: Sequence[_Step], powers: Sequence[PowerReading], period_s: float, most_s: float) -> Lag | None:
    if len(steps) < _FEWEST_STEPS:
        return None
    mean_w = fmean(step.power_w for step in steps)
    telling = _telling(steps)
    spread = fmean((step.power_w - mean_w) ** 2 for step in telling)
    if spread <= (_LEAST_VARIATION * mean_w) ** 2:
        return None
    integral = _Integral(powers)
    grid_s = period_s / _STEPS_PER_PERIOD
    # A power reading is itself a mean over a moment before it, so a counter that keeps up may seem to be ahead.
    off = {
        number: fmean((step.power_w - integral.mean_w(step, number * grid_s)) ** 2 for step in telling)
        for number in range(-_STEPS_AHEAD, int(most_s / grid_s))
    }
    best = min(off, key=off.__getitem__)
    none = min(range(-_STEPS_AHEAD, 1), key=off.__getitem__)
    if best <= 0 or off[best] > _CLEARLY_BETTER * off[none] or off[none] - off[best] < _LEAST_GAIN * spread:
        best = 0
    explained = 1 - off[best] / spread
    return Lag(best * grid_s, explained, _uncertainty_s(powers)) if explained >= _EXPLAINS else None


def _telling(steps: Sequence[_Step]) -> list[_Step]:
    """The steps around which the counter's power changes most: where it does not change, any lag explains it."""
    changes = [
        (abs(after.power_w - before.power_w), step)
        for before, step, after in zip(steps, steps[1:], steps[2:], strict=False)
    ]
    return [step for _, step in sorted(changes, key=lambda change: change[0], reverse=True)[:_MOST_STEPS]]


def _uncertainty_s(powers: Sequence[PowerReading]) -> float:
    """What the moments of the power's changes leave open.

    Each change came somewhere between two readings, so it misplaces the power by up to half the time between
    them; in a fit by least squares it weighs by its square. One change may be misplaced by as much; many, unless
    they keep step with the readings, average out.
    """
    changes = [((after.power_w - before.power_w) ** 2, after.t_s - before.t_s) for before, after in pairwise(powers)]
    weight = sum(square for square, _ in changes)
    if not weight:
        return 0.0
    most_s = sum(square * gap_s / 2 for square, gap_s in changes) / weight
    sigma_s = sqrt(sum((square * gap_s) ** 2 / 12 for square, gap_s in changes)) / weight
    return min(most_s, _SIGMAS * sigma_s)


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
        return self._joules[place] + (t_s - before.t_s) * (before.power_w + power_at(self._powers, t_s)) / 2
