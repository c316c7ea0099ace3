"""How far a counter runs behind: delays that are known are found, and none is made up."""

from __future__ import annotations

import random
from math import floor

import pytest

from runners.contract.energy import Counter, CounterEdge, PowerReading
from runners.contract.lag import lag_of

SECONDS = 30.0


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
    assert lag.seconds == pytest.approx(delay_s, abs=0.2 * period_s)
    assert 0.7 <= lag.explained <= 1


@pytest.mark.parametrize("period_s", [0.02, 0.1])
@pytest.mark.parametrize("wave_s", [0.7, 1.3, 5.0])
def test_a_counter_that_keeps_up_has_none(period_s: float, wave_s: float) -> None:
    lag = lag_of(counter(0, period_s, wave_s), powers(period_s / 2, wave_s))
    assert lag is not None
    assert lag.seconds == 0


def test_steady_power_tells_nothing() -> None:
    steady = Counter([CounterEdge(n / 10, n / 10, n * 30.0) for n in range(300)])
    assert lag_of(steady, [PowerReading(n / 20, 300.0) for n in range(600)]) is None


@pytest.mark.parametrize("seed", range(20))
def test_power_that_has_nothing_to_do_with_the_counter_tells_nothing(seed: int) -> None:
    chance = random.Random(seed)
    unrelated = [PowerReading(n / 20, chance.uniform(80, 600)) for n in range(600)]
    found = lag_of(counter(0.0), unrelated)
    assert found is None or found.seconds == 0


@pytest.mark.parametrize("count", [0, 9, 30])
def test_too_short_a_record_tells_nothing(count: int) -> None:
    assert lag_of(counter(0.1), powers(0.05)[:count]) is None


def test_a_load_faster_than_the_counter_accuses_nobody() -> None:
    """A wave of 47 ms under a counter of 100 ms and 20 readings a second."""
    found = lag_of(counter(0, 0.1, 0.047), powers(0.05, 0.047))
    assert found is None or found.seconds == 0
