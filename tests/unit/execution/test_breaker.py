"""The circuit breaker as a state machine; no clock runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.settings import Failures
from orchestrator.execution.breaker import Breaker

SETTINGS = Failures(breaker=3, breaker_pause_s=60.0, breaker_probes=2)


def opened(settings: Failures = SETTINGS) -> Breaker:
    breaker = Breaker(settings)
    assert [breaker.failed(run, ailing=True, now_s=0.0) for run in range(3)] == [False, False, True]
    return breaker


def test_so_many_in_a_row_open_it_for_a_while() -> None:
    breaker = opened()
    assert not breaker.may_start(59.9, 0)
    assert breaker.may_start(60.0, 0)


def test_a_run_that_comes_through_begins_the_count_anew() -> None:
    breaker = Breaker(SETTINGS)
    for run in range(2):
        breaker.failed(run, ailing=True, now_s=0.0)
    assert not breaker.passed()
    assert not any(breaker.failed(run, ailing=True, now_s=0.0) for run in (2, 3))


def test_a_run_that_is_tried_again_counts_once() -> None:
    breaker = Breaker(SETTINGS)
    assert not any(breaker.failed(7, ailing=True, now_s=0.0) for _ in range(9))
    assert breaker.in_a_row == 1


def test_a_failure_of_the_runs_own_neither_counts_nor_clears() -> None:
    breaker = Breaker(SETTINGS)
    told = [breaker.failed(run, ailing=run % 2 == 0, now_s=0.0) for run in range(5)]
    assert told == [False, False, False, False, True]


def test_what_is_at_work_is_waited_for_before_a_probe() -> None:
    assert not opened().may_start(100.0, 1)


def test_exactly_one_probe_is_started() -> None:
    breaker = opened()
    breaker.started(3)
    assert breaker.state == "half-open"
    assert not breaker.may_start(1e9, 0)
    assert not breaker.may_start(1e9, 1)


def test_a_probe_that_comes_through_closes_it() -> None:
    breaker = opened()
    breaker.started(3)
    assert breaker.passed()
    assert breaker.may_start(0.0, 5)
    assert (breaker.in_a_row, breaker.probes_left) == (0, 2)


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    breaker = opened()
    breaker.started(3)
    assert breaker.failed(3, ailing=True, now_s=1000.0)
    assert (breaker.pause_s, breaker.probes_left) == (120.0, 1)
    assert not breaker.may_start(1119.0, 0)
    assert breaker.may_start(1120.0, 0)


def test_so_many_probes_that_fail_break_it_for_good() -> None:
    breaker = opened()
    for probe in (3, 4):
        assert breaker.state == "open"
        breaker.started(probe)
        breaker.failed(probe, ailing=True, now_s=0.0)
    assert (breaker.state, breaker.failed_probes, breaker.in_a_row) == ("broken", 2, 5)
    assert not breaker.may_start(1e9, 0)


def test_a_probe_that_fails_of_its_own_is_void_and_the_next_follows_at_once() -> None:
    breaker = opened()
    breaker.started(3)
    assert not breaker.failed(3, ailing=False, now_s=70.0)
    assert breaker.may_start(70.0, 0)
    assert breaker.probes_left == 2


def test_one_that_was_at_work_when_it_opened_may_close_it_but_does_not_prolong_the_pause() -> None:
    breaker = opened()
    assert not breaker.failed(8, ailing=True, now_s=59.0)
    assert breaker.may_start(60.0, 0)
    assert breaker.passed()
    assert breaker.may_start(0.0, 5)


def test_without_a_limit_it_never_opens() -> None:
    breaker = Breaker(Failures(breaker=None))
    assert not any(breaker.failed(run, ailing=True, now_s=0.0) for run in range(1000))


EVENTS = st.lists(st.tuples(st.sampled_from(["start", "pass", "ail", "own"]), st.integers(0, 200)), max_size=200)


@given(EVENTS)
def test_whatever_happens_only_one_run_is_at_work_while_it_is_not_closed_anew(events: list[tuple[str, int]]) -> None:
    """Runs are started whenever it allows, and end as a script says."""
    breaker, now_s, at_work, number = Breaker(SETTINGS), 0.0, [], 0
    for what, seconds in events:
        now_s += seconds
        if what == "start":
            before = breaker.state
            if not breaker.may_start(now_s, len(at_work)):
                continue
            breaker.started(number)
            at_work.append(number)
            number += 1
            assert before == "closed" or at_work == [number - 1]
        elif at_work:
            run = at_work.pop(0)
            if what == "pass":
                breaker.passed()
                assert breaker.state == "closed"
            else:
                breaker.failed(run, ailing=what == "ail", now_s=now_s)
        assert (breaker.state == "half-open") <= (len(at_work) == 1)
        assert (breaker.state == "broken") == (breaker.failed_probes >= 2)
        assert breaker.state != "closed" or breaker.in_a_row < 3
