"""Energy between two moments of a recorded series: pure, standard library only.

A sampler records, at each reading, the value of an energy counter and the power. From that record the
energy of any stretch of time follows afterwards, so that every joule of a result can be recomputed.

Two properties of real counters are used. A counter never runs ahead: the value read at *t* holds energy
spent up to some moment not later than *t*. And it is behind by no more than one update period; *p* is the
longest that one can have lasted, given when the counter was polled. Hence, with C(t) the latest reading at
*t*, the energy between *a* and *b* lies in [C(b) - C(a + p), C(b + p) - C(a)].
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class CounterReading(NamedTuple):
    """An energy counter's value at a moment of CLOCK_MONOTONIC."""

    t_s: float
    energy_j: float


class PowerReading(NamedTuple):
    """A power at a moment of CLOCK_MONOTONIC."""

    t_s: float
    power_w: float


class CounterEdge(NamedTuple):
    """An update of a counter: seen at ``t_s``, while the reading at ``previous_t_s`` had the old value."""

    t_s: float
    previous_t_s: float
    energy_j: float


class Counter(NamedTuple):
    """A counter's updates, and the period that follows from them; made once, by :func:`counter_of`."""

    edges: Sequence[CounterEdge]
    period_s: float | None
    """As :func:`update_period_s` says."""


class Energy(NamedTuple):
    """An energy with its bounds; a bound is None where the method states none."""

    joules: float
    low: float | None
    high: float | None


class EnergyError(ValueError):
    """A series does not tell the energy of the stretch that was asked for."""


def counter_edges(readings: Sequence[CounterReading]) -> list[CounterEdge]:
    """The updates of a counter among its readings, the first reading included as the origin.

    Raises:
        EnergyError: the counter ran backwards (it was reset, or wrapped unnoticed).
    """
    edges: list[CounterEdge] = []
    previous_t_s = float("nan")
    for t_s, energy_j in readings:
        if not edges:
            edges.append(CounterEdge(t_s, t_s, energy_j))
        elif energy_j < edges[-1].energy_j:
            raise EnergyError(
                f"the energy counter fell from {edges[-1].energy_j:.3f} J to {energy_j:.3f} J: it was reset"
            )
        elif energy_j > edges[-1].energy_j:
            edges.append(CounterEdge(t_s, previous_t_s, energy_j))
        previous_t_s = t_s
    return edges


def reading_edges(readings: Sequence[CounterReading]) -> list[CounterEdge]:
    """The readings of a counter that is current whenever it is read: each is an update, also where it stood still.

    Raises:
        EnergyError: the counter ran backwards.
    """
    counter_edges(readings)
    before = [readings[0], *readings[:-1]]
    return [CounterEdge(t_s, last.t_s, energy_j) for last, (t_s, energy_j) in zip(before, readings, strict=True)]


def update_period_s(edges: Sequence[CounterEdge]) -> float | None:
    """The longest that a counter can have taken from one update to the next; None with fewer than two.

    An update happened at some moment between two polls, so the stretch is taken from the poll before one
    update to the poll that saw the next. The first edge is the first reading, not an update.
    """
    updates = edges[1:]
    if len(updates) < 2:
        return None
    return max(after.t_s - before.previous_t_s for before, after in pairwise(updates))


def counter_of(edges: Sequence[CounterEdge]) -> Counter:
    """The counter that made these updates, ready to be asked for the energy of any number of stretches."""
    return Counter(edges, update_period_s(edges))


def counter_energy(counter: Counter, start_s: float, end_s: float) -> Energy:
    """Energy between two moments from a counter's updates, interpolated linearly between them.

    The upper bound is None where the record ends less than one update period after the stretch.

    Raises:
        EnergyError: the updates do not reach around the stretch, or there are too few.
    """
    edges, period_s = counter
    if period_s is None:
        raise EnergyError("the energy counter did not move")
    if start_s < edges[0].t_s or end_s > edges[-1].t_s:
        raise EnergyError("the energy counter's updates do not reach around the window")
    low = _held(edges, end_s) - _held(edges, start_s + period_s)
    high = None
    if end_s + period_s <= edges[-1].t_s:
        high = _held(edges, end_s + period_s) - _held(edges, start_s)
    return Energy(_interpolated(edges, end_s) - _interpolated(edges, start_s), max(low, 0.0), high)


def power_energy(readings: Sequence[PowerReading], start_s: float, end_s: float) -> Energy:
    """Energy between two moments by the trapezoidal rule over power readings.

    The bounds hold where the power between two readings stays between their values.

    Raises:
        EnergyError: the readings do not reach around the stretch.
    """
    if not readings or start_s < readings[0].t_s or end_s > readings[-1].t_s:
        raise EnergyError("the power readings do not reach around the window")
    points = [PowerReading(start_s, _power_at(readings, start_s))]
    inner = bisect_right(readings, start_s, key=_moment), bisect_left(readings, end_s, key=_moment)
    points += readings[slice(*inner)]
    points.append(PowerReading(end_s, _power_at(readings, end_s)))
    joules = low = high = 0.0
    for before, after in pairwise(points):
        step_s = after.t_s - before.t_s
        joules += step_s * (before.power_w + after.power_w) / 2
        low += step_s * min(before.power_w, after.power_w)
        high += step_s * max(before.power_w, after.power_w)
    return Energy(joules, low, high)


def total(energies: Sequence[Energy]) -> Energy:
    """The sum over devices or stretches; a bound is None as soon as one of the parts has none."""
    lows = [energy.low for energy in energies if energy.low is not None]
    highs = [energy.high for energy in energies if energy.high is not None]
    return Energy(
        sum(energy.joules for energy in energies),
        sum(lows) if len(lows) == len(energies) else None,
        sum(highs) if len(highs) == len(energies) else None,
    )


def _moment(seen: CounterEdge | PowerReading) -> float:
    return seen.t_s


def _held(edges: Sequence[CounterEdge], t_s: float) -> float:
    position = bisect_right(edges, t_s, key=_moment)
    return edges[max(position - 1, 0)].energy_j


def _interpolated(edges: Sequence[CounterEdge], t_s: float) -> float:
    position = bisect_left(edges, t_s, key=_moment)
    if position == 0:
        return edges[0].energy_j
    before, after = edges[position - 1], edges[position]
    share = (t_s - before.t_s) / (after.t_s - before.t_s)
    return before.energy_j + share * (after.energy_j - before.energy_j)


def _power_at(readings: Sequence[PowerReading], t_s: float) -> float:
    position = bisect_left(readings, t_s, key=_moment)
    after = readings[position]
    if after.t_s == t_s or position == 0:
        return after.power_w
    before = readings[position - 1]
    share = (t_s - before.t_s) / (after.t_s - before.t_s)
    return before.power_w + share * (after.power_w - before.power_w)
