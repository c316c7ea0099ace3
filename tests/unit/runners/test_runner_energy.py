"""contract.energy against curves whose integral is known."""

from collections.abc import Sequence
from itertools import accumulate
from math import floor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runners.contract.energy import (
    CounterReading,
    EnergyError,
    PowerReading,
    counter_edges,
    counter_energy,
    counter_of,
    power_energy,
    total,
)

STEP_S = 0.25


class Curve:
    """A power that is constant over steps of 0.25 s."""

    def __init__(self, powers: list[float]) -> None:
        self.powers = powers
        self.sums = [0.0, *accumulate(power * STEP_S for power in powers)]

    def energy(self, t_s: float) -> float:
        step = min(floor(t_s / STEP_S), len(self.powers) - 1)
        return self.sums[step] + (t_s - step * STEP_S) * self.powers[step]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Curve, list[CounterReading], float, float, float, float]:
    curve = Curve(draw(st.lists(st.floats(20, 700), min_size=40, max_size=40)))
    period_s = draw(st.floats(0.02, 0.15))
    phase_s = draw(st.floats(0, 1)) * period_s
    poll_s = draw(st.floats(0.01, 0.3))
    readings = []
    t_s = draw(st.floats(0.2, 0.4))
    while t_s < 9.9:
        updated_s = floor((t_s - phase_s) / period_s) * period_s + phase_s
        readings.append(CounterReading(t_s, curve.energy(max(updated_s, 0.0))))
        t_s += poll_s * draw(st.sampled_from([0.9, 1.0, 1.1]))
    start_s = draw(st.floats(1.0, 5.0))
    end_s = start_s + draw(st.floats(0.5, 3.0))
    return curve, readings, start_s, end_s, period_s, poll_s


@settings(max_examples=150, deadline=None)
@given(recordings())
def test_the_true_energy_lies_within_the_bounds(recorded) -> None:
    curve, readings, start_s, end_s, period_s, poll_s = recorded
    truth = curve.energy(end_s) - curve.energy(start_s)
    found = counter_energy(counter_of(counter_edges(readings)), start_s, end_s)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-6 <= truth <= found.high + 1e-6
    assert found.low - 1e-6 <= found.joules <= found.high + 1e-6
    # Each end is off by no more than what the counter and the polling can hide, at the highest power.
    assert abs(found.joules - truth) <= 2 * max(curve.powers) * (period_s + 1.2 * poll_s) + 1e-6


@settings(max_examples=50, deadline=None)
@given(recordings(), st.floats(0.1, 0.9))
def test_stretches_add_up(recorded, share: float) -> None:
    _, readings, start_s, end_s, _, _ = recorded
    counter = counter_of(counter_edges(readings))
    middle_s = start_s + share * (end_s - start_s)
    parts = total([counter_energy(counter, start_s, middle_s), counter_energy(counter, middle_s, end_s)])
    assert parts.joules == pytest.approx(counter_energy(counter, start_s, end_s).joules)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 700), min_size=3, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_power_is_integrated_exactly_where_it_is_linear(powers: list[float], one: float, other: float) -> None:
    readings = [PowerReading(float(second), power) for second, power in enumerate(powers)]
    last_s = readings[-1].t_s
    start_s, end_s = sorted((one * last_s, other * last_s))
    assume(end_s > start_s + 1e-6)
    fine = 4000
    width = (end_s - start_s) / fine

    def power(t_s: float) -> float:
        second = min(int(t_s), len(powers) - 2)
        return powers[second] + (t_s - second) * (powers[second + 1] - powers[second])

    truth = sum(power(start_s + (step + 0.5) * width) for step in range(fine)) * width
    found = power_energy(readings, start_s, end_s)
    assert found.joules == pytest.approx(truth, rel=1e-3, abs=1e-3)
    assert found.low - 1e-9 <= found.joules <= found.high + 1e-9


def test_a_reset_is_noticed() -> None:
    with pytest.raises(EnergyError, match="was reset"):
        counter_edges([CounterReading(0, 5.0), CounterReading(1, 9.0), CounterReading(2, 1.0)])


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, 2.0), (1.0, 9.0)])
def test_a_record_that_does_not_reach_around_is_refused(start_s: float, end_s: float) -> None:
    counter = counter_of(counter_edges([CounterReading(float(second), second * 10.0) for second in range(6)]))
    with pytest.raises(EnergyError, match="do not reach around"):
        counter_energy(counter, start_s, end_s)


def test_a_counter_that_stands_still_gives_no_energy() -> None:
    counter = counter_of(counter_edges([CounterReading(float(second), 10.0) for second in range(6)]))
    with pytest.raises(EnergyError, match="did not move"):
        counter_energy(counter, 1, 2)


def test_without_readings_past_the_end_there_is_no_upper_bound() -> None:
    counter = counter_of(counter_edges([CounterReading(second / 10, second * 1.0) for second in range(21)]))
    assert counter_energy(counter, 0.5, 2.0).high is None
    assert counter_energy(counter, 0.5, 1.0).high is not None


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
        seen = Counted(counter_edges([CounterReading(n / 10, float(n)) for n in range(10_001)]))
        ask, of = counter_energy, counter_of(seen)
    else:
        ask, of = power_energy, (seen := Counted([PowerReading(n / 10, 10.0) for n in range(10_001)]))
    seen.looks = 0
    assert ask(of, 700.0, 700.5).joules == pytest.approx(5.0)
    assert seen.looks < 200
