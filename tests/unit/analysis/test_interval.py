import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.interval import ENOUGH, Interval, interval_of, interval_within


def drawn(count: int, of: Callable[[random.Random], float] = lambda chance: chance.gauss(0, 0.05)) -> list[float]:
    chance = random.Random(7)
    return [3 * math.exp(of(chance)) for _ in range(count)]


def sure(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


@pytest.mark.parametrize("count", [2, 3, ENOUGH - 1])
def test_few_repetitions_get_students_t_of_their_logs(count: int) -> None:
    values = drawn(count)
    found = sure(interval_of(values))
    logs = np.log(values)
    low, high = stats.t.interval(0.95, count - 1, logs.mean(), stats.sem(logs))
    assert (found.method, found.count, found.level) == ("log-t", count, 0.95)
    assert found.estimate == pytest.approx(stats.gmean(values))
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_from_twenty_on_it_is_scipys_bca_at_the_level_that_t_would_need() -> None:
    values = drawn(ENOUGH, lambda chance: chance.gammavariate(2, 0.05))
    found = sure(interval_of(values))
    raised = 2 * stats.norm.cdf(math.sqrt(ENOUGH / (ENOUGH - 1)) * stats.t.ppf(0.975, ENOUGH - 1)) - 1
    reference = stats.bootstrap(
        (np.log(values),), np.mean, confidence_level=raised, n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found.method, found.count) == ("bca", ENOUGH)
    assert found.estimate == pytest.approx(stats.gmean(values))
    width = reference.high - reference.low
    assert math.log(found.low) == pytest.approx(reference.low, abs=0.03 * width)
    assert math.log(found.high) == pytest.approx(reference.high, abs=0.03 * width)


def test_it_reaches_further_to_the_side_of_the_tail() -> None:
    found = sure(interval_of(drawn(40, lambda chance: chance.expovariate(5))))
    below, above = math.log(found.estimate / found.low), math.log(found.high / found.estimate)
    assert above > 1.1 * below


def test_a_level_beyond_the_resamples_is_t() -> None:
    assert sure(interval_of(drawn(30), level=0.999)).method == "log-t"
    assert sure(interval_of(drawn(30), level=0.99)).method == "bca"


def test_it_depends_on_nothing_but_the_values() -> None:
    values = drawn(25)
    first = interval_of(values)
    interval_of(drawn(30))
    assert interval_of(values) == first
    assert interval_of([value * 1000 for value in values]) != first


@pytest.mark.parametrize("count", [5, 30, 150])
def test_its_ends_scale_with_the_unit(count: int) -> None:
    values = drawn(count)
    joules, millijoules = sure(interval_of(values)), sure(interval_of([value * 1000 for value in values]))
    assert (millijoules.low, millijoules.high) == pytest.approx((joules.low * 1000, joules.high * 1000))
    assert millijoules.relative_half_width == pytest.approx(joules.relative_half_width)


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, 2.0], [math.nan] * 30])
def test_of_less_than_two_nothing_is_claimed(values: list[float]) -> None:
    assert interval_of(values) is None


def test_what_was_not_measured_counts_for_nothing() -> None:
    assert interval_of([1.0, math.nan, 1.1, 1.2]) == interval_of([1.0, 1.1, 1.2])


def test_values_that_are_not_all_above_zero_get_t_of_their_own() -> None:
    values = [-1.0, 0.0, 2.0, 3.0]
    found = sure(interval_of(values))
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert found.method == "t"
    assert (found.estimate, found.low, found.high) == pytest.approx((1.0, low, high))
    assert found.relative_half_width == pytest.approx((high - low) / 2)


def test_around_zero_no_relative_width_is_small() -> None:
    assert sure(interval_of([-1.0, 1.0])).relative_half_width == math.inf


@pytest.mark.parametrize("count", [3, 30])
def test_what_never_changes_is_known_exactly(count: int) -> None:
    found = sure(interval_of([512.0 * 2**20] * count))
    assert found.low == pytest.approx(found.high)
    assert found.relative_half_width == pytest.approx(0, abs=1e-9)


def test_requests_of_one_batch_are_one_observation() -> None:
    chance = np.random.default_rng(3)
    batches = np.repeat(np.arange(40), 8)
    ttft_s = 0.02 * np.exp(0.3 * chance.standard_normal(40))[batches]
    together, apart = sure(interval_within(list(ttft_s), list(batches))), sure(interval_within(list(ttft_s)))
    assert (together.count, apart.count) == (40, 320)
    assert together.estimate == pytest.approx(apart.estimate) == pytest.approx(ttft_s.mean())
    assert together.high - together.low == pytest.approx(math.sqrt(8) * (apart.high - apart.low), rel=0.15)


def test_of_few_batches_it_is_t_with_each_counting_by_its_requests() -> None:
    batches = [0] * 8 + [1] * 8 + [2] * 2
    values = [1.0] * 8 + [1.2] * 8 + [5.0] * 2
    found = sure(interval_within(values, batches))
    assert (found.method, found.count) == ("log-t", 3)
    assert found.estimate == pytest.approx(np.mean(values))
    assert found.low > 0


def test_equal_batches_whose_values_reach_zero_give_students_t_of_their_means() -> None:
    found = sure(interval_within([0.0, 4.0, 2.0, 4.0, 5.0, 3.0], [0, 0, 1, 1, 2, 2]))
    low, high = stats.t.interval(0.95, 2, 3.0, stats.sem([2.0, 3.0, 4.0]))
    assert found.method == "t"
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize("values", [[], [math.nan, math.nan], [1.0, 2.0]])
def test_of_one_batch_nothing_is_claimed(values: list[float]) -> None:
    assert interval_within(values, [0] * len(values)) is None


def test_many_requests_need_no_memory_for_all_resamples_at_once() -> None:
    values = np.random.default_rng(0).lognormal(0, 0.5, 3000)
    found = sure(interval_within(list(values)))
    low, high = stats.t.interval(0.95, 2999, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.01)
