from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.analysis.interval import interval_of
from orchestrator.analysis.stopping import sequential_interval, sure_enough


def test_its_interval_is_wider_than_that_of_repetitions_that_were_counted_before() -> None:
    values = [0.98, 1.0, 1.01, 1.03, 0.99]
    fixed, looked_at = interval_of(values), sequential_interval(values)
    assert fixed
    assert looked_at
    assert looked_at.estimate == pytest.approx(fixed.estimate)
    assert math.log(looked_at.high / looked_at.low) == pytest.approx(1.5 * math.log(fixed.high / fixed.low))
    assert (looked_at.count, looked_at.method) == (5, "sequential log-t")


def test_it_is_sure_once_half_the_width_is_what_is_asked() -> None:
    values = [0.98, 1.0, 1.01, 1.03, 0.99]
    interval = sequential_interval(values)
    assert interval
    width = interval.relative_half_width
    assert sure_enough(values, width * 1.001)
    assert not sure_enough(values, width * 0.999)
    assert not sure_enough(values, width * 1.001, fewest=6)


def test_two_that_are_alike_by_chance_are_not_enough() -> None:
    assert not sure_enough([1.0, 1.0], 0.01, fewest=2)
    assert sure_enough([1.0, 1.0, 1.0], 0.01, fewest=2)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, math.nan, 1.0], [math.nan] * 3])
def test_of_what_has_no_logarithm_nothing_is_known(values: list[float]) -> None:
    assert sequential_interval(values) is None
    assert not sure_enough(values, 0.5)


def test_units_do_not_matter() -> None:
    values = [0.98, 1.0, 1.01, 1.03, 0.99]
    shown = [1e-9 * value for value in values]
    first, second = sequential_interval(values), sequential_interval(shown)
    assert first
    assert second
    assert first.relative_half_width == pytest.approx(second.relative_half_width)


def test_looked_at_after_each_repetition_it_covers_what_it_says_where_the_plain_interval_does_not() -> None:
    """The worst spread for stopping early, seeded; `make bench-stats` has all of it."""
    draws = np.random.default_rng(7).standard_normal((600, 120))
    target, held, plainly = 0.02, 0, 0
    for logs in draws * math.log1p(target) * 1.5:
        values = list(np.exp(logs))
        count = next(n for n in range(3, 121) if sure_enough(values[:n], target))
        interval, plain = sequential_interval(values[:count]), interval_of(values[:count])
        assert interval
        assert plain
        held += interval.low <= 1 <= interval.high
        plainly += plain.low <= 1 <= plain.high
    assert held / 600 >= 0.93
    assert plainly < held


def test_values_so_unlike_that_the_interval_has_no_end_say_nothing() -> None:
    for values in ([1e308, 2.0, 3.0], [1e-300, 1e300]):
        assert sequential_interval(values) is None
        assert interval_of(values) is None
        assert not sure_enough(values, 0.5)
