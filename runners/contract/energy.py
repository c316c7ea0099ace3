"""Energy between two moments of a recorded series: pure, standard library only.

A sampler records when an energy counter was updated, and the power. From that record the energy of any
stretch of time follows afterwards, so that every joule of a result can be recomputed.

The model of a counter: an update at a moment τ holds all energy spent up to τ. The sampler polls, so of τ it
knows an interval, from the last poll that had the old value to the first that had the new one; its begin is
moved back by the lag that is allowed for. Let F(t) be the energy spent up to t, and P the most that the device
may draw. Each update (τ in [earliest, latest], value E) then bounds F at any t: once it is past,
E ≤ F(t) ≤ E + P·(t − earliest); while it is to come, E − P·(latest − t) ≤ F(t) ≤ E. The energy from a to b lies
between F's bounds at b and at a. Between updates the estimate itself is linear.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import NamedTuple

_NEIGHBOURS = 5
_PACE = 16
_ROUNDS = 3
_NARROW = 0.2
_FEWEST_EDGES = 4


class CounterEdge(NamedTuple):
    """An update of an energy counter: it happened at a moment of CLOCK_MONOTONIC between two polls."""

    earliest_s: float
    """The last poll that had the old value began."""
    latest_s: float
    """The first poll that had the new value was answered."""
    energy_j: float


class PowerReading(NamedTuple):
    """A power at a moment of CLOCK_MONOTONIC."""

    t_s: float
    power_w: float


class Energy(NamedTuple):
    """An energy with its bounds; a bound is None where the method states none."""

    joules: float
    low: float | None
    high: float | None


class EnergyError(ValueError):
    """A series does not tell the energy of the stretch that was asked for."""


class Counter:
    """The updates of one energy counter, ready to be asked for the energy of any number of stretches.

    Args:
        edges: the updates, in order of time.
        resolution_j: the counter's smallest step; its values are cut off to it.
        power_limit_w: the most that the device may draw; None: unknown, which makes the bounds wider.
        lag_periods: how late an update may hold its energy, in update periods; the bounds allow for it.

    Raises:
        EnergyError: the counter fell, or there are fewer than four updates.
    """

    def __init__(
        self,
        edges: Sequence[CounterEdge],
        resolution_j: float = 0.0,
        power_limit_w: float | None = None,
        lag_periods: float = 0.0,
    ) -> None:
        for before, after in pairwise(edges):
            if after.energy_j < before.energy_j:
                raise EnergyError(
                    f"the energy counter fell from {before.energy_j:.3f} J to {after.energy_j:.3f} J: it was reset"
                )
        if len(edges) < _FEWEST_EDGES:
            raise EnergyError(f"the energy counter was updated {len(edges)} times, which is too few")
        self.edges = edges
        self.period_s = period_of(edges)
        self.moments = moments_of(edges, self.period_s)
        self._resolution_j = resolution_j
        self._power_limit_w = power_limit_w
        self._lag_s = lag_periods * self.period_s
        self.last_s = edges[-1].earliest_s - self._lag_s
        """Up to here the energy has bounds: by then, the last update is to come however late it is."""

    def energy(self, start_s: float, end_s: float) -> Energy:
        """Energy between two moments.

        Raises:
            EnergyError: the updates do not reach around them.
        """
        if start_s < self.edges[0].latest_s or end_s > self.last_s:
            raise EnergyError("the energy counter's updates do not reach around the window")
        joules = self.interpolated(end_s) - self.interpolated(start_s)
        low_start, high_start = self._bounds(start_s)
        low_end, high_end = self._bounds(end_s)
        low, high = max(low_end - high_start, 0.0), high_end - low_start
        if self._power_limit_w is not None:
            high = min(high, self._power_limit_w * (end_s - start_s))
        # Where power exceeds the limit the bounds may cross; a check says so, and the estimate stays between them.
        return Energy(joules, min(low, joules), max(high, joules))

    def updates(self, start_s: float, end_s: float) -> int:
        """How many updates fell between two moments."""
        return bisect_right(self.moments, end_s) - bisect_left(self.moments, start_s)

    def interpolated(self, t_s: float) -> float:
        """The counter's value at a moment within the record, as if it rose evenly between updates."""
        after = min(max(bisect_left(self.moments, t_s), 1), len(self.moments) - 1)
        start_s, end_s = self.moments[after - 1], self.moments[after]
        start_j, end_j = self.edges[after - 1].energy_j, self.edges[after].energy_j
        return start_j + (t_s - start_s) / (end_s - start_s) * (end_j - start_j)

    def _bounds(self, t_s: float) -> tuple[float, float]:
        """The least and the most that was spent up to a moment, from the updates around it."""
        place = bisect_right(self.moments, t_s)
        lows, highs = [], []
        for edge in self.edges[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS]:
            top_j = edge.energy_j + self._resolution_j
            earliest_s = edge.earliest_s - self._lag_s
            past, to_come = edge.latest_s <= t_s, earliest_s >= t_s
            if past:
                lows.append(edge.energy_j)
            elif self._power_limit_w is not None:
                lows.append(edge.energy_j - self._power_limit_w * (edge.latest_s - t_s))
            if to_come:
                highs.append(top_j)
            elif self._power_limit_w is not None:
                highs.append(top_j + self._power_limit_w * (t_s - earliest_s))
        return max(lows), min(highs)


def period_of(edges: Sequence[CounterEdge]) -> float:
    """The median time from one update to the next, in seconds; of at least two updates."""
    middles = [(edge.earliest_s + edge.latest_s) / 2 for edge in edges]
    return median(after - before for before, after in pairwise(middles))


def moments_of(edges: Sequence[CounterEdge], period_s: float) -> list[float]:
    """When each update most likely happened, strictly rising.

    Where an update lies between two polls close together, it is where the pace of such updates around it has it.
    Where it does not, it is evenly spaced between the nearest that do.
    """
    known = [place for place, edge in enumerate(edges) if edge.latest_s - edge.earliest_s <= _NARROW * period_s]
    moments = [(edge.earliest_s + edge.latest_s) / 2 for edge in edges]
    for place, paced_s in zip(known, _paced([edges[place] for place in known], period_s), strict=True):
        moments[place] = paced_s
    for first, last in pairwise(known):
        step_s = (moments[last] - moments[first]) / (last - first)
        if abs(step_s - period_s) <= _NARROW * period_s:
            for place in range(first + 1, last):
                moments[place] = _within(edges[place], moments[first] + (place - first) * step_s)
    if known:
        for place in range(known[0] - 1, -1, -1):
            moments[place] = _within(edges[place], moments[place + 1] - period_s)
        for place in range(known[-1] + 1, len(edges)):
            moments[place] = _within(edges[place], moments[place - 1] + period_s)
    return list(accumulate(moments, lambda before, after: max(after, before + 1e-9)))


def _paced(edges: Sequence[CounterEdge], period_s: float) -> list[float]:
    """When each of these updates happened, if those around it came at a steady pace, whole numbers of periods apart.

    Each of them, moved by its number of periods, brackets this one as well; the middle of what all of them leave
    is taken, and where they leave nothing (the pace is not that steady) the middle of its own bracket.
    """
    moments = [(edge.earliest_s + edge.latest_s) / 2 for edge in edges]
    numbers = [0, *accumulate(round((after - before) / period_s) for before, after in pairwise(moments))]
    for _ in range(_ROUNDS):  # a better pace with each
        moments = [_left_by_others(place, edges, numbers, moments) for place in range(len(edges))]
    return moments


def _left_by_others(
    place: int, edges: Sequence[CounterEdge], numbers: Sequence[int], moments: Sequence[float]
) -> float:
    around = range(max(place - _PACE, 0), min(place + _PACE + 1, len(edges)))
    pace_s = _slope([numbers[other] for other in around], [moments[other] for other in around])
    shifts = [(other, (numbers[place] - numbers[other]) * pace_s) for other in around]
    earliest_s = max(edges[other].earliest_s + shift_s for other, shift_s in shifts)
    latest_s = min(edges[other].latest_s + shift_s for other, shift_s in shifts)
    if earliest_s > latest_s:
        earliest_s, latest_s, _ = edges[place]
    return (earliest_s + latest_s) / 2


def _slope(numbers: Sequence[int], moments: Sequence[float]) -> float:
    """Of the line of least squares; 0 with fewer than two different numbers."""
    mean_number, mean_s = fmean(numbers), fmean(moments)
    spread = sum((number - mean_number) ** 2 for number in numbers)
    covariance = sum(
        (number - mean_number) * (moment_s - mean_s) for number, moment_s in zip(numbers, moments, strict=True)
    )
    return covariance / spread if spread else 0.0


def _within(edge: CounterEdge, t_s: float) -> float:
    return min(max(t_s, edge.earliest_s), edge.latest_s)


def power_energy(readings: Sequence[PowerReading], start_s: float, end_s: float) -> Energy:
    """Energy between two moments by the trapezoidal rule over power readings.

    The bounds take the power between two readings to lie between the lowest and the highest of the readings
    around them (five on either side): readings that are sparser than the load's own rhythm cannot tell more.

    Raises:
        EnergyError: the readings do not reach around the stretch.
    """
    if len(readings) < 2 or start_s < readings[0].t_s or end_s > readings[-1].t_s:
        raise EnergyError("the power readings do not reach around the window")
    first = bisect_right(readings, start_s, key=_moment)
    last = bisect_left(readings, end_s, key=_moment)
    points = [PowerReading(start_s, power_at(readings, start_s)), *readings[first:last]]
    points.append(PowerReading(end_s, power_at(readings, end_s)))
    joules = low = high = 0.0
    for place, (before, after) in enumerate(pairwise(points), start=first):
        step_s = after.t_s - before.t_s
        around = [reading.power_w for reading in readings[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS]]
        joules += step_s * (before.power_w + after.power_w) / 2
        low += step_s * min(around)
        high += step_s * max(around)
    return Energy(joules, low, high)


def power_at(readings: Sequence[PowerReading], t_s: float) -> float:
    """The power at a moment, in watts: interpolated between the readings around it, held beyond them."""
    place = bisect_left(readings, t_s, key=_moment)
    if place == len(readings):
        return readings[-1].power_w
    after = readings[place]
    if place == 0 or after.t_s == t_s:
        return after.power_w
    before = readings[place - 1]
    share = (t_s - before.t_s) / (after.t_s - before.t_s)
    return before.power_w + share * (after.power_w - before.power_w)


def total(energies: Sequence[Energy]) -> Energy:
    """The sum over devices or stretches; a bound is None as soon as one of the parts has none."""
    lows = [energy.low for energy in energies if energy.low is not None]
    highs = [energy.high for energy in energies if energy.high is not None]
    return Energy(
        sum(energy.joules for energy in energies),
        sum(lows) if len(lows) == len(energies) else None,
        sum(highs) if len(highs) == len(energies) else None,
    )


def _moment(reading: PowerReading) -> float:
    return reading.t_s
