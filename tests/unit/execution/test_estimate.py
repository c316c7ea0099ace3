from __future__ import annotations

from typing import Any

import pytest

from orchestrator.campaign.settings import Gaps
from orchestrator.execution.preflight.estimate import Asked, Estimate, Plan, Span, duration, energy, estimate, told
from orchestrator.results.known import KnownRun

ASKED = Asked("a-1", "vllm", "org/m", "H200", 10, None, 100)
KNOWN = KnownRun("a-1", "vllm", "org/m", "H200", 30.0, 10.0, 1000.0, 200.0, "nvml", 10, 5000, 1000, 4096)


def plan(*asked: Asked, **changes: Any) -> Plan:
    asked = asked or (ASKED,)
    fields: dict[str, Any] = {
        "asked": asked,
        "experiments": len(asked),
        "runs": 4,
        "gaps": Gaps(),
        "slots": 1,
        "grouped": False,
        "min_window_s": 0.0,
    }
    return Plan(**{**fields, **changes})


def expected(found: Plan, *known: KnownRun) -> Estimate:
    return estimate(found, known or (KNOWN,))


def test_runs_of_the_same_experiment_tell_as_they_are() -> None:
    found = expected(plan(), KNOWN, KNOWN._replace(wall_s=50.0, window_j=1400.0))
    assert found.seconds == Span(120.0, 160.0, 200.0)
    assert found.joules == Span(4800.0, 5600.0, 6400.0)
    assert (found.same, found.like, found.without) == (2, 0, 0)
    assert found.size_bytes == 4 * 4096


def test_of_like_runs_the_window_grows_with_the_tokens_and_the_rest_does_not() -> None:
    found = expected(plan(ASKED._replace(experiment_id="b-2", output_tokens=300), runs=1))
    assert found.seconds == Span(50.0, 50.0, 50.0)  # 20 s beside the window, and three times its 10 s
    assert found.joules == Span(3200.0, 3200.0, 3200.0)
    assert (found.same, found.like) == (0, 1)


def test_the_same_experiment_is_preferred_to_like_ones() -> None:
    found = expected(plan(), KNOWN, KNOWN._replace(experiment_id="z-9", wall_s=1e6))
    assert (found.same, found.like) == (1, 0)
    assert found.seconds == Span(120.0, 120.0, 120.0)


@pytest.mark.parametrize("change", [{"device": "A100"}, {"model": "org/n"}, {"backend": "pytorch"}])
def test_runs_of_another_device_model_or_backend_tell_nothing(change: dict[str, str]) -> None:
    found = expected(plan(), KNOWN._replace(experiment_id="b-2", **change))  # type: ignore[arg-type]
    assert (found.seconds, found.joules, found.without, found.size_bytes) == (None, None, 1, None)


def test_the_same_experiment_on_another_device_tells_nothing() -> None:
    assert expected(plan(), KNOWN._replace(device="A100")).seconds is None


def test_experiments_like_none_are_taken_to_be_as_the_others() -> None:
    found = expected(plan(ASKED, ASKED._replace(experiment_id="c-3", model="org/n"), runs=2))
    assert found.seconds == Span(60.0, 60.0, 60.0)
    assert found.without == 1
    assert "1 experiment like no known run, taken to be as the others are" in list(told(found))


def test_energy_that_was_not_measured_is_unknown_and_not_zero() -> None:
    found = expected(plan(), KNOWN._replace(window_j=None, method=None))
    assert (found.seconds, found.joules) == (Span(120.0, 120.0, 120.0), None)
    assert "energy unknown" in next(told(found))


def test_a_window_is_as_long_as_is_asked() -> None:
    found = expected(plan(runs=1, min_window_s=60.0))
    assert found.seconds == Span(80.0, 80.0, 80.0)
    assert found.joules == Span(6200.0, 6200.0, 6200.0)


def test_gaps_are_between_runs_and_between_cycles() -> None:
    gaps = Gaps(experiment_s=5.0, cycle_s=60.0)
    two = (ASKED, ASKED._replace(experiment_id="b-2"))
    assert expected(plan(*two, runs=6, gaps=gaps)).gaps_s == 3 * 5 + 2 * 60
    assert expected(plan(*two, runs=6, gaps=gaps, grouped=True)).gaps_s == 5 * 5
    assert expected(plan(*two, runs=6, gaps=Gaps(experiment_s=5.0))).gaps_s == 5 * 5
    assert expected(plan(*two, runs=0, gaps=gaps)).gaps_s == 0
    found = expected(plan(*two, runs=6, gaps=gaps))
    assert found.seconds == Span(315.0, 315.0, 315.0)
    assert "2 min of the time is pauses" in list(told(found))
    assert "at most 2 min of the time is pauses" in list(told(found, until_cool=True))


def test_slots_shorten_the_time_and_spend_the_same() -> None:
    found = expected(plan(slots=4))
    assert found.seconds == Span(30.0, 30.0, 30.0)
    assert found.joules == Span(4800.0, 4800.0, 4800.0)


def test_slots_work_and_pause_side_by_side_in_whole_runs() -> None:
    gaps = Gaps(experiment_s=5.0, cycle_s=60.0)
    three = tuple(ASKED._replace(experiment_id=f"{name}-1") for name in "abc")
    # Two and one in each of three cycles, whose second begins when all of the first has ended.
    found = expected(plan(*three, runs=9, slots=2, gaps=gaps))
    assert found.gaps_s == 3 * 5 + 2 * 60
    assert found.seconds == Span(6 * 30 + 135.0, 6 * 30 + 135.0, 6 * 30 + 135.0)
    assert found.joules == Span(10_800.0, 10_800.0, 10_800.0)
    # Five and four, and nobody waits for a cycle.
    found = expected(plan(*three, runs=9, slots=2, gaps=gaps, grouped=True))
    assert (found.gaps_s, found.seconds and found.seconds.mean) == (4 * 5, 5 * 30 + 20.0)
    # One experiment a slot, and no pause but those between cycles.
    assert expected(plan(*three, runs=9, slots=3, gaps=gaps)).gaps_s == 2 * 60
    # More slots than runs are of no use.
    found = expected(plan(runs=1, slots=8))
    assert found.seconds == Span(30.0, 30.0, 30.0)


def test_what_is_made_up_says_so() -> None:
    line = next(told(expected(plan(), KNOWN._replace(method="estimated"))))
    assert line == "4 runs: about 2 min, 1.33 Wh estimated; estimated from 1 like run (1 of the same experiments)"
    assert "nvml" not in next(told(expected(plan())))


def test_nothing_left_is_nothing_told() -> None:
    assert list(told(expected(plan(runs=0)))) == []


def test_what_is_unknown_is_told_once_and_promised_only_where_it_can_be_kept() -> None:
    unknown = KNOWN._replace(experiment_id="z", model="other")
    assert "told once the first have ended" in next(told(expected(plan(), unknown)))
    assert next(told(expected(plan(runs=1), unknown))).endswith("since no like run is known")


def test_figures_as_a_person_reads_them() -> None:
    assert [duration(seconds) for seconds in (0.4, 89, 90, 5400, 360_000)] == [
        "0 s",
        "89 s",
        "2 min",
        "1.5 h",
        "4.2 days",
    ]
    assert [energy(joules) for joules in (5, 720, 360_000, 3.6e8)] == ["5 J", "0.2 Wh", "0.1 kWh", "100 kWh"]


def test_where_fewer_runs_may_do_the_figures_are_the_most() -> None:
    line, pauses = told(expected(plan(runs=12, least=5, gaps=Gaps(experiment_s=10.0))))
    assert line.startswith("at most 12 runs, at least 5: at most about ")
    assert pauses.startswith("at most 2 min")
