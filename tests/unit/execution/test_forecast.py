from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.campaign.settings import Gaps
from orchestrator.execution.events import (
    CampaignEvent,
    CampaignStarted,
    ExperimentKnown,
    Foreseen,
    RunCompleted,
    RunFailed,
)
from orchestrator.execution.preflight.estimate import Estimate, Span
from orchestrator.execution.preflight.forecast import Forecast
from orchestrator.execution.preflight.look import Preflight
from orchestrator.execution.preflight.models import Downloads
from orchestrator.system.config import UserConfig
from runners.contract.paths import FailureKind
from tests.builders import run_result

UNKNOWN = Estimate(12, None, None, 0.0, 0, 0, 2, frozenset(), None)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def started(runs: int, completed: int = 0, cycles: int = 3) -> CampaignStarted:
    return CampaignStarted("c", runs, completed, runs - completed, cycles, "local", "", "CPU", Path(), ())


def completed(**changes: Any) -> RunCompleted:
    return RunCompleted("a", 1, Path(), run_result(**changes))


FAILED = RunFailed("a", 1, 1, FailureKind.CRASHED, "", None, Path())


def watch(
    events: list[CampaignEvent], estimate: Estimate = UNKNOWN, config: UserConfig | None = None, each_s: float = 100.0
) -> list[Foreseen]:
    """What is foreseen while these events come, so far apart."""
    seen: list[CampaignEvent] = []
    clock = Clock()
    ahead = Preflight(estimate, Downloads((), None, None), (), (), Gaps())
    forecast = Forecast(seen.append, ahead, config or UserConfig(), clock)
    for event in events:
        forecast(event)
        clock.now_s += each_s
    assert [event for event in seen if not isinstance(event, Foreseen)] == events
    return [event for event in seen if isinstance(event, Foreseen)]


def test_after_the_first_cycle_the_rest_is_told_once() -> None:
    (found,) = watch([started(12), *(completed(baseline_power_w=10.0) for _ in range(12))])
    assert (found.runs, found.left) == (4, 8)
    assert found.left_s == 800.0
    spent_j = 4 * (1024 + 50 * 10)
    assert (found.spent_j, found.left_j) == (spent_j, 2 * spent_j)
    assert (found.method, found.above) == ("nvml", ())


def test_of_a_large_cycle_the_first_runs_tell() -> None:
    (found,) = watch([started(300), *(completed() for _ in range(30))])
    assert (found.runs, found.left) == (20, 280)


def test_what_is_much_is_said_loudly() -> None:
    (found,) = watch([started(12), *(completed() for _ in range(12))], config=UserConfig(ask_above_hours=0.2))
    assert found.above == ("it is expected to take 0.222 h, more than ask_above_hours: 0.2",)


def test_runs_that_failed_take_time_and_tell_no_energy() -> None:
    (found,) = watch([started(12), FAILED, FAILED, FAILED, FAILED])
    assert (found.left_s, found.spent_j, found.left_j, found.method) == (800.0, None, None, None)


def test_what_was_known_before_is_not_told_again() -> None:
    known = replace(UNKNOWN, seconds=Span(1.0, 2.0, 3.0))
    assert watch([started(12), *(completed() for _ in range(12))], known) == []


def test_the_last_run_foresees_nothing() -> None:
    assert watch([started(4, cycles=1), *(completed() for _ in range(4))]) == []


def test_of_a_campaign_gone_on_with_only_what_is_left_counts() -> None:
    (found,) = watch([started(12, completed=6), *(completed() for _ in range(6))])
    assert (found.runs, found.left, found.left_s) == (4, 2, 200.0)


def test_where_fewer_runs_may_do_it_is_the_most_and_what_is_spared_is_not_in_it() -> None:
    begun = replace(started(12), until="load_s is known to ± 2 %")
    known = ExperimentKnown("a", 3, 0.01, 5, None)
    (found,) = watch([begun, *(completed() for _ in range(3)), known, completed()])
    assert (found.left, found.at_most) == (3, True)
