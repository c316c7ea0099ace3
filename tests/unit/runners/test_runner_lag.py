"""How far a counter runs behind: delays that are known are found, and none is made up."""

from __future__ import annotations

import random
from math import floor

import pytest

from runners.contract.energy import Counter, CounterEdge, PowerReading
from runners.contract.lag import lag_of

SECONDS = 12.0


def wave(t_s: float, period_s: float = 1.3) -> float:
    return 600.0 if t_s % period_s < 0.4 * period_s else 80.0


def wave_j(t_s: float, period_s: float = 1.3) -> float:
    turns = floor(t_s / period_s)
    rest_s = t_s - turns * period_s
    high_s, low_s = min(rest_s, 0.4 * period_s), max(rest_s - 0.4 * period_s, 0)
    return turns * period_s * (0.4 * 600 + 0.6 * 80) + high_s * 600 + low_s * 80


def counter(delay_s: float, period_s: float = 0.1, wave_s: float = 1.3) -> Counter:
    moments = [0.013 + n * period_s for n in range(int(SECONDS / period_s))]
    return Counter([CounterEdge(t_s - 1e-4, t_s + 1e-4, wave_j(t_s - delay_s, wave_s)) for t_s in moments])


def powers(step_s: float = 0.05, wave_s: float = 1.3, noise: float = 0.0) -> list[PowerReading]:
    chance = random.Random(5)
    moments = [chance.uniform(0, 0.2 * step_s) + n * step_s for n in range(int(SECONDS / step_s))]
    return [PowerReading(t_s, wave(t_s, wave_s) * chance.uniform(1 - noise, 1 + noise)) for t_s in moments]


@pytest.mark.parametrize(
    ("period_s", "periods"), [(0.02, 1), (0.02, 3), (0.02, 8), (0.1, 0.5), (0.1, 1), (0.1, 3), (0.1, 8)]
)
def test_a_known_delay_is_found(period_s: float, periods: float) -> None:
    delay_s = periods * period_s
    lag = lag_of(counter(delay_s, period_s), powers(period_s / 2, noise=0.05))
    assert lag is not None
    assert lag.seconds == pytest.approx(delay_s, abs=0.25 * period_s)
    assert 0.7 <= lag.explained <= 1


@pytest.mark.parametrize("period_s", [0.02, 0.1])
@pytest.mark.parametrize("wave_s", [0.7, 1.3, 5.0])
def test_a_counter_that_keeps_up_has_none(period_s: float, wave_s: float) -> None:
    lag = lag_of(counter(0, period_s, wave_s), powers(period_s / 2, wave_s))
    assert lag is not None
    assert lag.seconds <= 0.2 * period_s + lag.uncertainty_s


def one_rise(delay_s: float, at_s: float, period_s: float) -> tuple[Counter, list[PowerReading]]:
    """From 80 to 500 W once, the power read at each update only."""
    moments = [0.013 + n * period_s for n in range(int(SECONDS / period_s))]
    rise = [CounterEdge(t_s, t_s, 80 * t_s + 420 * max(t_s - delay_s - at_s, 0)) for t_s in moments]
    return Counter(rise), [PowerReading(t_s, 500.0 if t_s > at_s else 80.0) for t_s in moments]


@pytest.mark.parametrize("period_s", [0.02, 0.1])
@pytest.mark.parametrize("place", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_a_single_rise_between_two_readings_accuses_nobody_and_shows_a_delay_of_two_periods(
    period_s: float, place: float
) -> None:
    at_s = 0.013 + (int(9 / period_s) + place) * period_s
    prompt, late = (lag_of(*one_rise(delay_s, at_s, period_s)) for delay_s in (0.0, 2 * period_s))
    assert prompt is not None
    assert prompt.seconds <= prompt.uncertainty_s + 1e-9
    assert late is not None
    assert late.seconds == pytest.approx(2 * period_s, abs=0.55 * period_s)
    assert late.seconds - late.uncertainty_s > 0.9 * period_s
    assert late.uncertainty_s == pytest.approx(period_s / 2, rel=0.01)


def test_steady_power_tells_nothing() -> None:
    steady = Counter([CounterEdge(n / 10, n / 10, n * 30.0) for n in range(100)])
    assert lag_of(steady, [PowerReading(n / 20, 300.0) for n in range(240)]) is None


@pytest.mark.parametrize("seed", range(8))
def test_power_that_has_nothing_to_do_with_the_counter_tells_nothing(seed: int) -> None:
    chance = random.Random(seed)
    unrelated = [PowerReading(n / 20, chance.uniform(80, 600)) for n in range(240)]
    found = lag_of(counter(0.0), unrelated)
    assert found is None or found.seconds == 0


@pytest.mark.parametrize("count", [0, 5, 25])
def test_too_short_a_record_tells_nothing(count: int) -> None:
    assert lag_of(counter(0.1), powers(0.05)[:count]) is None


def test_a_load_faster_than_the_counter_accuses_nobody() -> None:
    """A wave of 47 ms under a counter of 100 ms and 20 readings a second."""
    found = lag_of(counter(0, 0.1, 0.047), powers(0.05, 0.047))
    assert found is None or found.seconds == 0
