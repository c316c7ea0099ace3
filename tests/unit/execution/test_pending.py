"""Which run is next: in order, on what is free, nobody passed over for ever."""

from __future__ import annotations

from collections.abc import Iterator, Set

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.pending import Need, Pending

GPUS = frozenset("abcd")


def pending(*needs: str, cycles: tuple[int, ...] = (), cycles_apart: bool = False) -> Pending:
    """Runs by the GPUs that they need."""
    table = [Need((cycles or (1,) * len(needs))[run], frozenset(need)) for run, need in enumerate(needs)]
    return Pending(range(len(needs)), table.__getitem__, GPUS, cycles_apart=cycles_apart)


def taken(of: Pending, busy: str = "", now_s: float = 0.0) -> int | None:
    found = of.take(frozenset(busy), now_s)
    return found[0] if found else None


def test_runs_go_in_order_on_what_is_free() -> None:
    runs = pending("a", "b", "a", "c")
    assert [taken(runs, busy) for busy in ("", "a", "ab", "abc")] == [0, 1, 3, None]
    assert taken(runs, "bc") == 2
    assert not runs


def test_one_that_needs_more_is_not_passed_over() -> None:
    runs = pending("ab", "b", "a", "c")
    assert taken(runs, "a") == 3, "b is kept for the first"
    assert taken(runs, "a") is None
    assert taken(runs) == 0


def test_one_that_is_tried_again_waits_its_time_while_others_go_on_and_is_first_then() -> None:
    runs = pending("a", "a", "a")
    assert taken(runs) == 0
    runs.again(0, 10.0)
    assert taken(runs, now_s=9.0) == 1
    assert taken(runs, now_s=10.0) == 0
    assert taken(runs, now_s=10.0) == 2
    assert not runs


def test_what_waits_is_left_to_do() -> None:
    runs = pending("a")
    taken(runs)
    runs.again(0, 10.0)
    assert runs
    assert taken(runs) is None


def test_cycles_apart_wait_for_all_of_the_one_before() -> None:
    runs = pending("a", "b", "c", cycles=(1, 1, 2), cycles_apart=True)
    assert [taken(runs), taken(runs, "a")] == [0, 1]
    assert taken(runs, "b") is None
    assert taken(runs) == 2


def test_cycles_not_apart_overlap() -> None:
    runs = pending("a", "b", cycles=(1, 2))
    assert [taken(runs), taken(runs, "a")] == [0, 1]


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), max_size=30), st.randoms())
def test_every_run_is_taken_once_and_never_on_what_is_busy(needs: list[set[str]], chance: object) -> None:
    runs, at_work, order = pending(*("".join(need) for need in needs)), {}, []
    while runs or at_work:
        busy = frozenset().union(*at_work.values())
        found = runs.take(busy, 0.0)
        if found:
            run, need = found
            assert need.resources == needs[run]
            assert busy.isdisjoint(need.resources)
            # Nobody earlier that wants one of the same is still waiting.
            assert not any(needs[run] & needs[earlier] for earlier in range(run) if earlier not in order)
            order.append(run)
            at_work[run] = need.resources
        else:
            assert at_work, "something can always be started on a free machine"
            at_work.pop(chance.choice(sorted(at_work)))  # type: ignore[attr-defined]
    assert sorted(order) == list(range(len(needs)))


def test_what_a_run_needs_is_asked_once_and_only_when_it_may_be_next() -> None:
    asked: list[int] = []

    def need(run: int) -> Need:
        asked.append(run)
        return Need(1, frozenset("abcd"[run % 4]))

    runs = Pending(range(10_000), need, GPUS, cycles_apart=False)
    busy: set[str] = set()
    for _ in range(4):
        found = runs.take(busy, 0.0)
        assert found
        busy |= found[1].resources
    assert runs.take(busy, 0.0) is None
    assert asked == [0, 1, 2, 3]


def test_what_was_looked_through_in_vain_is_not_again_until_something_comes_free() -> None:
    looks: list[int] = []

    class Looked(Set[str]):
        """The GPUs a, b and c; d is needed by none, and so always free."""

        _from_iterable = set

        def __contains__(self, one: object) -> bool:
            return one in set("abc")

        def __iter__(self) -> Iterator[str]:
            looks.append(1)
            return iter("abc")

        def __len__(self) -> int:
            return 3

    needed = Looked()
    runs = Pending(range(100), lambda run: Need(1, needed), GPUS, cycles_apart=False)  # type: ignore[arg-type]
    assert taken(runs) == 0
    assert taken(runs, "abc") is None
    looks.clear()
    assert [taken(runs, "abc"), taken(runs, "abcd")] == [None, None]
    assert not looks
    assert taken(runs, "d") == 1
    runs.again(0, 5.0)
    assert taken(runs, "abc") is None
    assert taken(runs, "abc", now_s=5.0) is None
    assert taken(runs, now_s=5.0) == 0


def test_what_is_dropped_is_not_taken_wherever_it_waited() -> None:
    runs = pending("a", "a", "a", "a")
    assert [taken(runs), taken(runs)] == [0, 1]
    runs.again(0, 0.0)
    runs.again(1, 10.0)
    assert taken(runs, "a") is None
    assert runs.drop([0, 1, 2, 7]) == {0, 1, 2}
    assert taken(runs, now_s=20.0) == 3
    assert not runs


def test_what_is_dropped_keeps_no_other_waiting() -> None:
    runs = pending("ab", "b")
    assert taken(runs, "a") is None
    runs.drop([0])
    assert taken(runs, "a") == 1


def test_what_is_added_has_its_place_in_the_order() -> None:
    runs = pending("a", "a", "a", "a")
    runs.drop([1, 2])
    assert taken(runs) == 0
    runs.add([2, 1])
    assert [taken(runs), taken(runs), taken(runs)] == [1, 2, 3]
