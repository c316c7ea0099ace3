"""contract.energy against curves whose integral is known."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import floor
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runners.contract.energy import (
    Counter,
    CounterEdge,
    Energy,
    EnergyError,
    PowerReading,
    moments_of,
    period_of,
    power_at,
    power_energy,
    total,
)

LIMIT_W = 700.0
SLACK_J = 1e-6


class Curve:
    """Steps of power, one after another."""

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        self.powers = [power_w for _, power_w in steps]
        self.begins = [0.0, *accumulate(length_s for length_s, _ in steps)]
        self.sums = [0.0, *accumulate(length_s * power_w for length_s, power_w in steps)]

    def until(self, t_s: float) -> float:
        step = min(bisect_right(self.begins, t_s) - 1, len(self.powers) - 1)
        return self.sums[step] + (t_s - self.begins[step]) * self.powers[step]

    def energy(self, start_s: float, end_s: float) -> float:
        return self.until(end_s) - self.until(start_s)


class Recorded(NamedTuple):
    curve: Curve
    edges: list[CounterEdge]
    resolution_j: float
    start_s: float
    end_s: float

    @property
    def truth(self) -> float:
        return self.curve.energy(self.start_s, self.end_s)


@st.composite
def recordings(draw: st.DrawFn) -> Recorded:
    """A counter that is updated at irregular moments, polled at irregular moments, each poll taking a while."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    lowest_w, highest_w = sorted(draw(st.tuples(st.floats(0, LIMIT_W), st.floats(0, LIMIT_W))))
    curve = Curve([(chance.uniform(0.005, 0.4), chance.choice((lowest_w, highest_w))) for _ in range(40)])
    period_s = draw(st.sampled_from([0.02, 0.1, 0.3]))
    jitter = draw(st.sampled_from([0.0, 0.1, 0.9]))
    resolution_j = draw(st.sampled_from([0.0, 1e-3, 1.0]))
    poll_s = draw(st.sampled_from([0.05, 0.3, 1.0, 2.5])) * period_s
    updates = [0.0]
    while updates[-1] < curve.begins[-1]:
        updates.append(updates[-1] + period_s * chance.uniform(1 - jitter, 1 + jitter))
    edges: list[CounterEdge] = []
    t_s, asked_s, value_j = 0.0, 0.0, None
    while t_s < curve.begins[-1]:
        before_s = t_s
        seen_s = before_s + chance.choice((0.0, 0.1, 1.0)) * poll_s
        after_s = seen_s + chance.choice((0.0, 0.05)) * poll_s
        energy_j = curve.until(updates[bisect_right(updates, seen_s) - 1])
        shown_j = floor(energy_j / resolution_j) * resolution_j if resolution_j else energy_j
        if value_j is not None and shown_j > value_j:
            edges.append(CounterEdge(asked_s, after_s, shown_j))
        asked_s, value_j = before_s, shown_j
        t_s = after_s + poll_s * chance.uniform(0.01, 1)
    assume(len(edges) >= 4 and edges[0].latest_s < edges[-1].earliest_s)
    ends = sorted(chance.uniform(edges[0].latest_s, edges[-1].earliest_s) for _ in range(2))
    return Recorded(curve, edges, resolution_j, *ends)


@settings(max_examples=300)
@given(recordings(), st.sampled_from([None, LIMIT_W]))
def test_the_true_energy_lies_within_the_bounds(recorded: Recorded, limit_w: float | None) -> None:
    found = Counter(recorded.edges, recorded.resolution_j, limit_w).energy(recorded.start_s, recorded.end_s)
    assert found.low is not None
    assert found.high is not None
    assert found.low - SLACK_J <= recorded.truth <= found.high + SLACK_J
    assert 0 <= found.low <= found.joules <= found.high


@settings(max_examples=100)
@given(recordings())
def test_a_power_limit_only_makes_the_bounds_narrower(recorded: Recorded) -> None:
    loose, tight = (
        Counter(recorded.edges, recorded.resolution_j, limit_w).energy(recorded.start_s, recorded.end_s)
        for limit_w in (None, LIMIT_W)
    )
    assert loose.low is not None
    assert loose.high is not None
    assert tight.low is not None
    assert tight.high is not None
    assert loose.low - SLACK_J <= tight.low
    assert tight.high <= loose.high + SLACK_J
    assert tight.high <= max(LIMIT_W * (recorded.end_s - recorded.start_s), tight.joules) + SLACK_J
    assert tight.joules == loose.joules


@settings(max_examples=100)
@given(recordings(), st.floats(0.1, 0.9))
def test_stretches_add_up(recorded: Recorded, share: float) -> None:
    counter = Counter(recorded.edges, recorded.resolution_j, LIMIT_W)
    middle_s = recorded.start_s + share * (recorded.end_s - recorded.start_s)
    parts = total([counter.energy(recorded.start_s, middle_s), counter.energy(middle_s, recorded.end_s)])
    whole = counter.energy(recorded.start_s, recorded.end_s)
    assert parts.joules == pytest.approx(whole.joules)
    assert parts.low is not None
    assert parts.high is not None
    assert parts.low - SLACK_J <= recorded.truth <= parts.high + SLACK_J


@given(
    st.floats(1, LIMIT_W),
    st.lists(st.floats(0.01, 0.3), min_size=5, max_size=30),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_where_power_is_constant_the_estimate_is_the_truth(
    power_w: float, steps_s: list[float], shares: tuple[float, float]
) -> None:
    moments = [0.0, *accumulate(steps_s)]
    counter = Counter([CounterEdge(t_s, t_s, power_w * t_s) for t_s in moments])
    start_s, end_s = sorted(share * moments[-1] for share in shares)
    assert counter.energy(start_s, end_s).joules == pytest.approx(power_w * (end_s - start_s))


@given(
    st.sampled_from([0.02, 0.1]),
    st.lists(
        st.tuples(st.floats(0, 0.95), st.floats(0, 0.95)).filter(lambda wide: sum(wide) > 0.25), min_size=1, max_size=12
    ),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_updates_seen_badly_between_others_seen_well_are_placed_evenly(
    period_s: float, sides: list[tuple[float, float]], before: int, after: int
) -> None:
    """Every update is on the grid; of some only a wide interval around it is known, however lopsided."""
    wide = [*sides[:before], (0.0, 0.0), (0.0, 0.0), *sides, (0.0, 0.0), (0.0, 0.0), *sides[:after]]
    edges = [
        CounterEdge((n - early) * period_s, (n + late) * period_s, 10.0 * n) for n, (early, late) in enumerate(wide)
    ]
    assert moments_of(edges, period_s) == pytest.approx([n * period_s for n in range(len(edges))])


def test_two_updates_of_which_one_was_missed_are_not_taken_for_neighbours() -> None:
    moments = [0.0, 0.1, 0.2, 0.5, 0.6, 0.7]
    edges = [CounterEdge(t_s, t_s, 100 * t_s) for t_s in moments]
    assert period_of(edges) == pytest.approx(0.1)
    assert moments_of(edges, 0.1) == pytest.approx(moments)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), min_size=2, max_size=30), st.floats(0.01, 1))
def test_moments_rise_strictly_and_stay_within_their_intervals(raw: list[tuple[float, float]], period_s: float) -> None:
    polls = sorted(t_s for begin_s, width_s in raw for t_s in (begin_s, begin_s + width_s))
    edges = [CounterEdge(polls[n], polls[n + 1], float(n)) for n in range(0, len(polls), 2)]
    moments = moments_of(edges, period_s)
    assert all(before < after for before, after in pairwise(moments))
    assert all(edge.earliest_s <= t_s <= edge.latest_s + 1e-7 for edge, t_s in zip(edges, moments, strict=True))


def steady(count: int, power_w: float = 10.0, width_s: float = 0.0) -> list[CounterEdge]:
    """A counter that is updated every second."""
    return [CounterEdge(n - width_s, n + width_s, n * power_w) for n in range(count)]


def test_a_reset_is_noticed() -> None:
    edges = steady(6)
    with pytest.raises(EnergyError, match=r"fell from 50\.000 J to 1\.000 J: it was reset"):
        Counter([*edges, CounterEdge(6, 6, 1.0)])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_updates_tell_nothing(count: int) -> None:
    with pytest.raises(EnergyError, match=f"was updated {count} times"):
        Counter(steady(count))


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, 2.0), (0.05, 2.0), (1.0, 4.95), (1.0, 9.0)])
def test_updates_that_do_not_reach_around_are_refused(start_s: float, end_s: float) -> None:
    counter = Counter(steady(6, width_s=0.1))
    with pytest.raises(EnergyError, match="do not reach around"):
        counter.energy(start_s, end_s)
    assert counter.energy(0.1, 4.9).joules == pytest.approx(48)


def test_the_bounds_are_as_narrow_as_updates_and_limit_allow() -> None:
    """In the middle between two updates of 100 J each, at most 150 W: between 25 and 75 J of the step at each end."""
    counter = Counter(steady(8, power_w=100), power_limit_w=150)
    assert counter.energy(2.5, 4.5) == pytest.approx(Energy(200, 150, 250))
    assert Counter(steady(8, power_w=100)).energy(2.5, 4.5) == pytest.approx(Energy(200, 100, 300))
    assert counter.energy(2, 4) == pytest.approx(Energy(200, 200, 200))


def test_power_beyond_the_limit_leaves_the_estimate_between_its_bounds() -> None:
    found = Counter(steady(8, power_w=100), power_limit_w=60).energy(2.5, 4.5)
    assert found.low is not None
    assert found.high is not None
    assert found.joules == pytest.approx(200)
    assert found.low <= found.joules <= found.high


def test_the_updates_of_a_stretch_are_counted() -> None:
    counter = Counter(steady(10))
    assert counter.updates(2.5, 5.5) == 3
    assert counter.updates(3, 5) == 3


@given(st.lists(st.floats(0, 700), min_size=3, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_power_is_integrated_exactly_where_it_is_linear(powers: list[float], one: float, other: float) -> None:
    readings = [PowerReading(float(second), power) for second, power in enumerate(powers)]
    start_s, end_s = sorted(share * readings[-1].t_s for share in (one, other))

    def until(t_s: float) -> float:
        """Exact: the trapezia up to here, and a part of one."""
        second = min(int(t_s), len(powers) - 2)
        rest_s = t_s - second
        slope = powers[second + 1] - powers[second]
        return sum(sum(pair) / 2 for pair in pairwise(powers[: second + 1])) + rest_s * (
            powers[second] + rest_s * slope / 2
        )

    found = power_energy(readings, start_s, end_s)
    assert found.joules == pytest.approx(until(end_s) - until(start_s), abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-6 <= found.joules <= found.high + 1e-6


def test_the_bounds_of_integrated_power_span_the_readings_around() -> None:
    readings = [PowerReading(float(n), 100.0 if n % 2 else 300.0) for n in range(20)]
    assert power_energy(readings, 8, 12) == pytest.approx(Energy(800, 400, 1200))


@pytest.mark.parametrize(("start_s", "end_s"), [(-0.1, 2), (2, 5.1)])
def test_power_readings_that_do_not_reach_around_are_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(EnergyError, match="do not reach around"):
        power_energy([PowerReading(float(n), 1.0) for n in range(6)], start_s, end_s)


def test_a_single_reading_is_no_series() -> None:
    with pytest.raises(EnergyError):
        power_energy([PowerReading(1, 1)], 1, 1)


@pytest.mark.parametrize(("t_s", "power_w"), [(-1, 10), (0, 10), (0.25, 15), (1, 30), (9, 30)])
def test_power_at_a_moment(t_s: float, power_w: float) -> None:
    assert power_at([PowerReading(0, 10), PowerReading(1, 30)], t_s) == pytest.approx(power_w)


def test_a_sum_has_bounds_only_if_each_part_has() -> None:
    assert total([Energy(1, 0.5, 2), Energy(10, 9, 12)]) == (11, 9.5, 14)
    assert total([Energy(1, 0.5, 2), Energy(10, None, 12)]) == (11, None, 14)
    assert total([Energy(1, 0.5, None), Energy(10, 9, 12)]) == (11, 9.5, None)


class Counted(Sequence):
    """A series that counts how often one of its items is looked at."""

    def __init__(self, items: Sequence) -> None:
        self.items = items
        self.looks = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position):
        found = self.items[position]
        self.looks += len(found) if isinstance(position, slice) else 1
        return found


@pytest.mark.parametrize("method", ["counter", "power"])
def test_a_short_stretch_of_a_long_record_does_not_look_at_all_of_it(method: str) -> None:
    if method == "counter":
        seen = Counted([CounterEdge(n / 10, n / 10, float(n)) for n in range(10_001)])
        ask = Counter(seen, power_limit_w=20).energy
    else:
        seen = Counted([PowerReading(n / 10, 10.0) for n in range(10_001)])
        ask = lambda start_s, end_s: power_energy(seen, start_s, end_s)  # noqa: E731
    seen.looks = 0
    assert ask(700.0, 700.5).joules == pytest.approx(5.0)
    assert 0 < seen.looks < 200


@pytest.mark.parametrize("limit_w", [None, LIMIT_W])
def test_a_lag_that_is_allowed_for_leaves_no_bounds_so_soon_after_the_last_update(limit_w: float | None) -> None:
    counter = Counter(steady(8), power_limit_w=limit_w, lag_periods=0.2)
    assert counter.last_s == pytest.approx(6.8)
    assert counter.energy(1, counter.last_s).joules == pytest.approx(58)
    with pytest.raises(EnergyError, match="do not reach around"):
        counter.energy(1, 6.9)
