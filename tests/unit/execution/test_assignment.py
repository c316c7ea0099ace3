"""Over the cycles each experiment meets each GPU, and within a cycle the GPUs share the experiments."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.assignment import assigned

SIZES = st.integers(1, 16).flatmap(lambda wanted: st.tuples(st.just(wanted), st.integers(wanted, 64)))


@given(SIZES, st.integers(0, 500), st.integers(1, 500))
def test_over_as_many_cycles_as_there_are_blocks_an_experiment_meets_each_once(
    sizes: tuple[int, int], position: int, first: int
) -> None:
    wanted, named = sizes
    blocks = named // wanted
    met = [assigned(range(named), wanted, position, cycle) for cycle in range(first, first + blocks)]
    assert sorted(gpu for block in met for gpu in block) == list(range(blocks * wanted))


@given(SIZES, st.integers(1, 500), st.integers(1, 60))
def test_within_a_cycle_no_gpu_is_met_twice_more_than_another(
    sizes: tuple[int, int], cycle: int, experiments: int
) -> None:
    wanted, named = sizes
    met = Counter(assigned(range(named), wanted, position, cycle) for position in range(experiments))
    blocks = named // wanted
    assert len(met) == min(experiments, blocks)
    assert max(met.values()) - min([*met.values(), *([0] if experiments < blocks else [])]) <= 1


@given(SIZES, st.integers(0, 500), st.integers(1, 500))
def test_blocks_of_one_size_are_the_same_or_disjoint(sizes: tuple[int, int], position: int, cycle: int) -> None:
    wanted, named = sizes
    block = assigned(range(named), wanted, position, cycle)
    assert len(block) == wanted
    other = set(assigned(range(named), wanted, position + 1, cycle))
    assert other == set(block) or other.isdisjoint(block)


def test_the_list_decides_not_the_indices() -> None:
    assert [assigned((5, 2, 7), 1, 0, cycle) for cycle in (1, 2, 3, 4)] == [(5,), (2,), (7,), (5,)]


@given(st.sampled_from([(2, 2), (4, 2), (4, 4), (8, 2), (8, 4), (8, 8)]), st.integers(0, 7), st.integers(1, 100))
def test_experiments_whose_places_recur_as_the_gpus_do_share_them_all_the_same(
    case: tuple[int, int], first: int, cycle: int
) -> None:
    named, period = case  # sizes alternate: every second, fourth or eighth experiment works on one GPU
    places = range(first % period, named * named, period)
    met = Counter(assigned(range(named), 1, position, cycle) for position in places)
    assert set(met.values()) == {named // period}
