from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.order import Order, order_runs

_orders = st.sampled_from(["grouped", "interleaved", "shuffled"])


@given(st.integers(0, 30), st.integers(1, 6), _orders, st.integers(0, 2**63 - 1))
def test_every_run_comes_exactly_once(experiments: int, cycles: int, order: Order, seed: int) -> None:
    runs = list(order_runs(experiments, cycles, order, seed))
    assert sorted(runs) == sorted(product(range(experiments), range(1, cycles + 1)))


@given(st.integers(1, 30), st.integers(1, 6), st.sampled_from(["interleaved", "shuffled"]), st.integers(0, 99))
def test_a_cycle_is_complete_before_the_next_begins(experiments: int, cycles: int, order: Order, seed: int) -> None:
    in_order = [cycle for _, cycle in order_runs(experiments, cycles, order, seed)]
    assert in_order == sorted(in_order)


def test_grouped_repeats_an_experiment_before_the_next() -> None:
    assert list(order_runs(2, 2, "grouped", 0)) == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_interleaved_runs_all_once_then_all_again() -> None:
    assert list(order_runs(2, 2, "interleaved", 0)) == [(0, 1), (1, 1), (0, 2), (1, 2)]


def test_shuffled_is_the_same_for_the_same_seed_for_ever() -> None:
    pinned = [(0, 1), (3, 1), (2, 1), (1, 1), (1, 2), (0, 2), (3, 2), (2, 2)]
    assert list(order_runs(4, 2, "shuffled", 42)) == pinned


def test_shuffled_differs_by_cycle_and_by_seed() -> None:
    one, other = (list(order_runs(20, 2, "shuffled", seed)) for seed in (1, 2))
    first_cycle, second_cycle = ([run for run, cycle in one if cycle == c] for c in (1, 2))
    assert first_cycle != second_cycle
    assert one != other


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_more_cycles_leave_the_earlier_ones_as_they_were(cycles: int) -> None:
    longer = list(order_runs(6, 6, "shuffled", 7))
    assert list(order_runs(6, cycles, "shuffled", 7)) == longer[: 6 * cycles]
