"""The loop with real threads, a real manifest and real folders; only what a dispatcher starts is played."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.schema import Dispatching
from orchestrator.campaign.settings import settle
from orchestrator.dispatch.base import Attempt, Ending
from orchestrator.errors import InterruptedCampaignError, MachineError
from orchestrator.execution import slots
from orchestrator.execution.attempts import Bench
from orchestrator.execution.events import (
    BreakerClosed,
    BreakerOpened,
    CampaignEnded,
    CampaignEvent,
    CycleStarted,
    GapEnded,
    GapStarted,
    Notice,
    RunCompleted,
    RunFailed,
    RunRetried,
    RunStarted,
)
from orchestrator.execution.loop import Loop
from orchestrator.execution.planning import plan
from orchestrator.manifest.store import Status
from orchestrator.reconcile import survey
from orchestrator.results.baselines import Baselines
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.reading import read_host_report
from runners.contract.host import ALONE_ON_HOST
from runners.contract.paths import FAILURE, REQUEST, RESULT, AttemptName, FailureKind, run_id
from runners.contract.request import Gpu, RunRequest
from runners.contract.result import RunFailure
from tests.builders import campaign, run_result

GPUS = tuple(Gpu(index=index, uuid=f"GPU-{index}", name="Simulated H100") for index in range(4))
CRASH = FailureKind.CRASHED


@dataclass(eq=False)
class Played:
    """An attempt that ends when it is told how, or is stopped."""

    name: AttemptName
    folder: Path
    gpus: tuple[str, ...]
    stopped: bool = False
    age_s: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def end(self, kind: FailureKind | None = None, **measured: Any) -> None:
        run = run_id(self.name.experiment_id, self.name.cycle)
        if kind is None:
            name = self.name
            result = run_result(
                experiment_id=name.experiment_id, cycle=name.cycle, attempt=name.attempt, run_id=run, **measured
            )
            (self.folder / RESULT).write_text(result.model_dump_json())
        else:
            failure = RunFailure(
                run_id=run, kind=kind, message=f"played {kind.value}", hint="none", at=datetime.now(UTC)
            )
            (self.folder / FAILURE).write_text(failure.model_dump_json())
        self._over.set()

    def wait(self, timeout_s: float) -> bool:
        return self._over.wait(timeout_s)

    def ending(self) -> Ending:
        return Ending(-15 if self.stopped else 0)

    def owned(self, pids: Collection[int]) -> set[int]:
        return set(pids)

    def stop(self) -> None:
        self.stopped = True
        self._over.set()


class Stage:
    """A campaign on a machine that is played, and all that happened."""

    def __init__(self, folder: Path, gpus: tuple[Gpu, ...] = (), **declared: Any) -> None:
        self.of = campaign(folder, **declared)
        self.folder = CampaignFolder(folder / "results" / "base")
        self.folder.make()
        slots_there = len(gpus) if self.of.file.parallel else 1
        file = self.of.file
        layers = {"file": {"gaps": file.gaps.model_dump(), "failures": file.failures.model_dump()}}
        self.bench = Bench(
            self.of,
            self.folder,
            self,  # type: ignore[arg-type]
            gpus,
            file.measurement,
            Baselines(folder),
            settle(layers).settings,  # type: ignore[arg-type]
            slots_there,
        )
        self.manifest = plan(self.of, folder / "manifest.db")[0]
        self.events: list[CampaignEvent] = []
        self.started: list[Played] = []
        self.stop = False
        self.over = False
        self.on_start: Callable[[Played], object] = lambda attempt: attempt.end()
        self.on_event: Callable[[CampaignEvent], object] = lambda event: None

    # A dispatcher, as far as the loop needs one.
    dispatching = Dispatching("local", None)
    samples_cpu = False

    def open(self) -> None: ...

    def image_digest(self, backend: str) -> None: ...

    def start(self, attempt: Attempt) -> Played:
        played = Played(attempt.name, attempt.folder, tuple(gpu.uuid for gpu in attempt.gpus))
        self.on_start(played)
        self.started.append(played)
        return played

    def run(self, alive: list[tuple[int, Played]] | None = None) -> CampaignEnded:
        standing = survey(self.manifest, self.folder, [live for _, live in alive or []])

        def observe(event: CampaignEvent) -> None:
            assert threading.current_thread() is threading.main_thread()
            self.events.append(event)
            self.on_event(event)

        return Loop(self.bench, self.manifest, standing, observe, lambda: self.stop, lambda: self.over).run()

    @property
    def at_work(self) -> list[Played]:
        return [attempt for attempt in self.started if not attempt._over.is_set()]

    def told(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def counts(self) -> tuple[int, int, int]:
        counts = self.manifest.counts()
        return counts[Status.COMPLETED], counts[Status.FAILED], counts[Status.PENDING]

    def request(self, played: Played) -> RunRequest:
        folder = self.folder.run_folder(played.name.experiment_id, played.name.cycle)
        file = (folder if folder.exists() else self.folder.attempt_folder(played.name)) / REQUEST
        return RunRequest.model_validate_json(file.read_bytes())


@pytest.fixture(autouse=True)
def vacant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "await_vacant", lambda *_: None)


def parallel(folder: Path, cycles: int = 4, batches: int = 4, **declared: Any) -> Stage:
    backends = {"simulated": {"batch_size": list(range(1, batches + 1))}}
    return Stage(folder, GPUS, parallel="per-gpu", cycles=cycles, backends=backends, **declared)


def test_one_at_a_time_in_order_unless_several_are_asked_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, GPUS, cycles=2)

    def start(attempt: Played) -> None:
        assert not stage.at_work
        assert attempt.gpus == tuple(gpu.uuid for gpu in GPUS)
        attempt.end()

    stage.on_start = start
    assert stage.run() == CampaignEnded("base", 4, 0, 0)
    assert [event.position for event in stage.told(RunStarted)] == [1, 2, 3, 4]
    kinds = [type(event) for event in stage.events]
    assert kinds == [*[CycleStarted, *[RunStarted, RunCompleted] * 2] * 2, CampaignEnded]
    assert [stage.request(attempt).concurrency_on_host for attempt in stage.started] == [1] * 4


def test_several_go_on_at_once_each_on_a_gpu_of_its_own_and_meet_each_over_the_cycles(tmp_path: Path) -> None:
    stage = parallel(tmp_path)
    most = []

    def start(_: Played) -> None:
        most.append(len(stage.at_work) + 1)

    def event(event: CampaignEvent) -> None:
        if isinstance(event, RunStarted):
            busy = [gpu for attempt in stage.at_work for gpu in attempt.gpus]
            assert len(busy) == len(set(busy))
            if len(stage.started) >= 4:
                stage.at_work[0].end()
            if len(stage.started) == 16:
                for attempt in stage.at_work:
                    attempt.end()

    stage.on_start, stage.on_event = start, event
    assert stage.run().completed == 16
    assert max(most) == 4
    met: dict[str, list[str]] = {}
    for attempt in stage.started:
        request = stage.request(attempt)
        assert request.concurrency_on_host == 4
        assert tuple(gpu.uuid for gpu in request.gpus) == attempt.gpus
        met.setdefault(attempt.name.experiment_id, []).extend(attempt.gpus)
    assert all(sorted(gpus) == [gpu.uuid for gpu in GPUS] for gpus in met.values())
    assert [event.cycle for event in stage.told(CycleStarted)] == [1, 2, 3, 4]
    assert {event.gpus for event in stage.told(RunStarted)} == {(0,), (1,), (2,), (3,)}


def test_who_was_at_work_at_the_same_time_is_on_record_of_both(tmp_path: Path) -> None:
    stage = parallel(tmp_path, cycles=1, batches=3)

    def event(event: CampaignEvent) -> None:
        """The first ends when the second is there, the third begins only then."""
        if isinstance(event, RunStarted) and len(stage.started) == 3:
            for attempt in stage.started:
                attempt.end()

    stage.on_start, stage.on_event = (lambda _: None), event
    stage.run()
    for attempt in stage.started:
        report = read_host_report(stage.folder.run_folder(attempt.name.experiment_id, 1))
        assert report is not None
        others = [other for other in stage.started if other is not attempt]
        assert {(one.run_id, *one.gpus) for one in report.neighbours} == {
            (run_id(other.name.experiment_id, 1), *other.gpus) for other in others
        }
        (check,) = (check for check in report.checks if check.name == ALONE_ON_HOST)
        assert (check.passed, check.severity) == (False, "warning")
        assert check.observed.startswith("2 other runs")


def test_alone_there_is_nothing_to_tell_of_neighbours(tmp_path: Path) -> None:
    stage = Stage(tmp_path, GPUS)
    stage.run()
    report = read_host_report(stage.folder.run_folder(stage.started[1].name.experiment_id, 1))
    assert report is not None
    assert report.neighbours == []
    assert all(check.name != ALONE_ON_HOST for check in report.checks)


def test_what_may_pass_is_tried_again_later_and_others_go_on_meanwhile(tmp_path: Path) -> None:
    stage = Stage(tmp_path, failures={"retries": 2, "backoff_s": 0.3})
    stage.on_start = lambda attempt: attempt.end(None if stage.started else CRASH)
    assert stage.run() == CampaignEnded("base", 2, 0, 0)
    first, other, again = stage.started
    assert (first.name.experiment_id, first.name.attempt + 1) == (again.name.experiment_id, again.name.attempt)
    assert other.name.experiment_id != first.name.experiment_id
    (retried,) = stage.told(RunRetried)
    assert (retried.failure.kind, retried.wait_s, retried.retries_left) == (CRASH, 0.3, 1)
    assert not stage.told(RunFailed)
    gap = stage.request(again).gap
    assert gap is not None, "the back-off was a pause too"
    assert stage.request(other).gap is None


def test_it_fails_once_no_retry_is_left(tmp_path: Path) -> None:
    stage = Stage(tmp_path, failures={"retries": 2, "backoff_s": 0.0, "breaker": None})
    stage.on_start = lambda attempt: attempt.end(CRASH)
    assert stage.run() == CampaignEnded("base", 0, 2, 0)
    assert len(stage.told(RunRetried)) == 4
    assert [event.attempt for event in stage.told(RunFailed)] == [3, 3]
    assert [stage.manifest.run(index).attempts for index in (0, 1)] == [3, 3]


def test_what_follows_from_the_request_is_not_tried_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, failures={"retries": 9})
    stage.on_start = lambda attempt: attempt.end(FailureKind.UNSUPPORTED)
    assert stage.run().failed == len(stage.started) == 2


def ailing(folder: Path, **failures: Any) -> Stage:
    settings = {"retries": 0, "breaker": 3, "breaker_pause_s": 0.05, "breaker_probes": 2, **failures}
    return Stage(folder, backends={"simulated": {"batch_size": list(range(1, 11))}}, failures=settings)


def test_a_machine_that_ails_stops_the_campaign_after_some_probes_and_the_rest_is_pending(tmp_path: Path) -> None:
    stage = ailing(tmp_path)
    stage.on_start = lambda attempt: attempt.end(FailureKind.METER_FAILED)
    with pytest.raises(MachineError, match=r"5 runs in a row .* 2 of them as probes .* meter_failed: played") as raised:
        stage.run()
    assert "orchestrate resume base" in str(raised.value.hint)
    assert stage.counts() == (0, 5, 5)
    opened = stage.told(BreakerOpened)
    assert [(event.in_a_row, event.pause_s, event.probes_left) for event in opened] == [(3, 0.05, 2), (4, 0.1, 1)]


def test_a_probe_that_comes_through_lets_the_campaign_go_on(tmp_path: Path) -> None:
    stage = ailing(tmp_path)
    stage.on_start = lambda attempt: attempt.end(CRASH if len(stage.started) < 3 else None)
    assert stage.run() == CampaignEnded("base", 7, 3, 0)
    assert [type(event) for event in stage.told(BreakerOpened, BreakerClosed)] == [BreakerOpened, BreakerClosed]
    assert stage.request(stage.started[3]).gap is not None, "the breaker's pause was one too"


def test_while_it_is_half_open_nothing_but_the_probe_is_started(tmp_path: Path) -> None:
    stage = parallel(tmp_path, failures={"retries": 0, "breaker": 3, "breaker_pause_s": 0.05, "breaker_probes": 2})
    probes = []

    def start(attempt: Played) -> None:
        if not stage.told(BreakerOpened):
            attempt.end(CRASH)
        elif not stage.told(BreakerClosed):
            assert not stage.at_work
            probes.append(attempt)
            attempt.end(CRASH if len(probes) == 1 else None)
        else:
            attempt.end()

    stage.on_start = start
    ended = stage.run()
    assert len(probes) == 2
    assert ended.completed + ended.failed == 16
    assert ended.completed > 1


def test_asked_to_stop_all_that_is_at_work_is_stopped_and_pending_again(tmp_path: Path) -> None:
    stage = parallel(tmp_path)

    def event(event: CampaignEvent) -> None:
        stage.stop = len(stage.started) == 4

    stage.on_start, stage.on_event = (lambda _: None), event
    with pytest.raises(InterruptedCampaignError, match="0 of 16 runs complete"):
        stage.run()
    assert [attempt.stopped for attempt in stage.started] == [True] * 4
    assert stage.counts() == (0, 0, 16)


def test_told_that_its_time_is_over_it_watches_what_is_at_work_and_ends_with_the_rest_pending(tmp_path: Path) -> None:
    stage = parallel(tmp_path, gaps={"experiment_s": 3600})

    def event(event: CampaignEvent) -> None:
        """One rests when the time is over; then the others end."""
        if isinstance(event, RunStarted) and len(stage.told(RunStarted)) == 4:
            stage.started[0].end()
        if isinstance(event, GapStarted):
            stage.over = True
            for attempt in stage.at_work:
                attempt.end()

    stage.on_start, stage.on_event = (lambda _: None), event
    assert stage.run() == CampaignEnded("base", 4, 0, 12)
    assert not any(attempt.stopped for attempt in stage.started)
    assert stage.counts() == (4, 0, 12)


def test_what_is_at_work_is_watched_to_its_end_when_the_machine_starts_no_more(tmp_path: Path) -> None:
    stage = parallel(tmp_path)

    def start(_: Played) -> None:
        if len(stage.started) == 3:
            raise MachineError("no further process", hint="look")

    def event(event: CampaignEvent) -> None:
        if isinstance(event, Notice):
            for attempt in stage.started:
                attempt.end()

    stage.on_start, stage.on_event = start, event
    with pytest.raises(MachineError, match="no further process"):
        stage.run()
    assert len(stage.started) == 3
    assert stage.counts() == (3, 0, 13)
    (notice,) = stage.told(Notice)
    assert notice.text.startswith("nothing more is started: no further process; 3 runs at work")


def test_a_gpu_in_use_stops_the_campaign_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MachineError("GPU 0 is in use", hint="wait")

    monkeypatch.setattr(slots, "await_vacant", refuse)
    stage = Stage(tmp_path)
    with pytest.raises(MachineError, match="GPU 0 is in use") as raised:
        stage.run()
    assert raised.value.hint == "wait; then `orchestrate resume base`"
    assert stage.counts() == (0, 0, 2)


def test_nothing_outlives_an_observer_that_fails(tmp_path: Path) -> None:
    stage = parallel(tmp_path)

    def event(event: CampaignEvent) -> None:
        if len(stage.started) == 3:
            raise BrokenPipeError

    stage.on_start, stage.on_event = (lambda _: None), event
    with pytest.raises(BrokenPipeError):
        stage.run()
    assert [attempt.stopped for attempt in stage.started] == [True] * 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


def test_gaps_come_between_runs_and_not_before_the_first_or_after_the_last(tmp_path: Path) -> None:
    stage = Stage(tmp_path, cycles=2, gaps={"experiment_s": 1.0, "cycle_s": 1.5})
    stage.run()
    assert [type(event) for event in stage.told(RunStarted, GapStarted, GapEnded)] == [
        RunStarted,
        *[GapStarted, GapEnded, RunStarted] * 3,
    ]
    gaps = [stage.request(attempt).gap for attempt in stage.started]
    assert [gap and (gap.between, gap.ended_by) for gap in gaps] == [
        None,
        ("experiments", "time"),
        ("cycles", "time"),
        ("experiments", "time"),
    ]
    assert all(gap.duration_s >= (1.5 if gap.between == "cycles" else 1.0) for gap in gaps if gap)


def test_grouped_runs_have_no_changes_of_cycle(tmp_path: Path) -> None:
    stage = Stage(tmp_path, cycles=2, order="grouped", gaps={"experiment_s": 0.01, "cycle_s": 3600})
    stage.run()
    gaps = [stage.request(attempt).gap for attempt in stage.started]
    assert [gap and gap.between for gap in gaps] == [None, *["experiments"] * 3]


def test_where_only_experiments_have_a_gap_a_cycle_begins_after_one_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path, cycles=2, gaps={"experiment_s": 0.01})
    stage.run()
    gaps = [stage.request(attempt).gap for attempt in stage.started]
    assert [gap and gap.between for gap in gaps] == [None, *["experiments"] * 3]


def test_a_gap_is_cut_short_when_it_is_asked_to_stop(tmp_path: Path) -> None:
    stage = Stage(tmp_path, gaps={"experiment_s": 3600})
    stage.on_event = lambda event: setattr(stage, "stop", stage.stop or isinstance(event, GapStarted))
    with pytest.raises(InterruptedCampaignError):
        stage.run()
    assert stage.counts() == (1, 0, 1)
    assert not stage.told(GapEnded)


def test_a_gap_between_cycles_waits_for_all_runs_of_the_one_before(tmp_path: Path) -> None:
    stage = parallel(tmp_path, cycles=2, gaps={"cycle_s": 0.05})

    def start(attempt: Played) -> None:
        if attempt.name.cycle == 2:
            assert all(other.name.cycle == 2 for other in stage.at_work)
        attempt.end()

    stage.on_start = start
    assert stage.run().completed == 8
    for attempt in stage.started:
        gap = stage.request(attempt).gap
        assert (gap and gap.between) == (None if attempt.name.cycle == 1 else "cycles"), "each GPU rests"


def test_runs_found_alive_are_watched_side_by_side_on_the_gpus_they_were_given(tmp_path: Path) -> None:
    stage = parallel(tmp_path)
    stage.on_start = lambda _: None

    def leave(_: CampaignEvent) -> None:
        stage.stop = len(stage.started) == 2

    stage.on_event = leave
    with pytest.raises(InterruptedCampaignError):
        stage.run()

    # As if they had gone on, on GPUs that are not those of their turn.
    stage.stop = False
    alive = []
    for index, was in enumerate(stage.started):
        request = stage.request(was).model_copy(update={"gpus": [GPUS[3 - index]]})
        (was.folder / FAILURE).unlink()
        (was.folder / REQUEST).write_text(request.model_dump_json())
        alive.append((index, Played(was.name, was.folder, (GPUS[3 - index].uuid,))))

    def event(event: CampaignEvent) -> None:
        if isinstance(event, RunStarted) and len([one for one in stage.told(RunStarted) if one.adopted]) == 2:
            for _, live in alive:
                if not live._over.is_set():
                    live.end()

    stage.on_start, stage.on_event = (lambda attempt: attempt.end()), event
    stage.started.clear()
    assert stage.run(alive) == CampaignEnded("base", 16, 0, 0)
    assert len(stage.started) == 14
    assert [event.gpus for event in stage.told(RunStarted) if event.adopted] == [(3,), (2,)]


def test_a_fault_of_ours_in_a_thread_is_raised_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(slots, "follow", broken)
    stage = parallel(tmp_path)
    stage.on_start = lambda _: None
    with pytest.raises(ZeroDivisionError):
        stage.run()
    assert all(attempt.stopped for attempt in stage.started)


def test_a_disk_that_cannot_be_written_stops_the_campaign_and_what_is_at_work_is_watched_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = parallel(tmp_path)
    make = stage.folder.make_attempt

    def full(*arguments: Any) -> AttemptName:
        if len(stage.started) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", "results")
        return make(*arguments)

    def event(event: CampaignEvent) -> None:
        if isinstance(event, Notice):
            for attempt in stage.started:
                attempt.end()

    monkeypatch.setattr(stage.folder, "make_attempt", full)
    stage.on_start, stage.on_event = (lambda _: None), event
    with pytest.raises(MachineError, match="results: No space left on device") as raised:
        stage.run()
    assert str(raised.value.hint).endswith("then `orchestrate resume base`")
    assert stage.counts() == (3, 0, 13)


def test_a_run_that_cannot_be_published_stops_the_campaign_and_not_the_others_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = parallel(tmp_path)
    publish = stage.folder.publish
    first: list[AttemptName] = []

    def broken(name: AttemptName) -> Path | None:
        first.append(name)
        if len(first) == 1:
            raise OSError(errno.EIO, "Input/output error", "runs")
        return publish(name)

    def event(event: CampaignEvent) -> None:
        if isinstance(event, RunStarted) and len(stage.told(RunStarted)) == 4:
            stage.started[0].end()
        if isinstance(event, Notice):
            for attempt in stage.started[1:]:
                attempt.end()

    monkeypatch.setattr(stage.folder, "publish", broken)
    stage.on_start, stage.on_event = (lambda _: None), event
    with pytest.raises(MachineError, match="runs: Input/output error"):
        stage.run()
    assert stage.counts() == (3, 0, 13)
    assert not any(attempt.stopped for attempt in stage.started[1:])


def test_a_manifest_that_cannot_be_written_does_not_stop_what_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = parallel(tmp_path)
    complete = stage.manifest.complete

    def broken(*arguments: Any) -> None:
        if not stage.told(Notice):
            raise MachineError("the manifest cannot be written")
        complete(*arguments)

    def event(event: CampaignEvent) -> None:
        if isinstance(event, RunStarted) and len(stage.told(RunStarted)) == 4:
            stage.started[0].end()
        if isinstance(event, Notice):
            for attempt in stage.started[1:]:
                attempt.end()

    monkeypatch.setattr(stage.manifest, "complete", broken)
    stage.on_start, stage.on_event = (lambda _: None), event
    with pytest.raises(MachineError, match="the manifest cannot be written"):
        stage.run()
    assert not any(attempt.stopped for attempt in stage.started)
    assert len(stage.folder.published()) == 4
    assert stage.counts()[0] == 3, "resume finds the fourth"


def test_what_pauses_while_the_breaker_opens_is_not_started(tmp_path: Path) -> None:
    settings = {"retries": 0, "breaker": 1, "breaker_pause_s": 0.05, "breaker_probes": 2}
    stage = parallel(tmp_path, cycles=2, gaps={"experiment_s": 0.5}, failures=settings)

    def event(event: CampaignEvent) -> None:
        """Three rest already when the fourth fails."""
        if isinstance(event, RunStarted) and len(stage.started) == 4:
            for attempt in stage.started[:3]:
                attempt.end()
        if isinstance(event, GapStarted) and len(stage.told(GapStarted)) == 3:
            stage.started[3].end(CRASH)
        if isinstance(event, RunStarted) and len(stage.started) > 4:
            if not stage.told(BreakerClosed):
                assert stage.told(BreakerOpened)
                assert stage.at_work == [stage.started[-1]]
                assert len(stage.started) == 5, "only the probe"
            stage.started[-1].end()

    stage.on_start, stage.on_event = (lambda _: None), event
    assert stage.run() == CampaignEnded("base", 7, 1, 0)


def test_one_tried_again_later_paused_though_others_were_at_work_elsewhere(tmp_path: Path) -> None:
    stage = parallel(tmp_path, cycles=1, batches=2, failures={"retries": 1, "backoff_s": 0.6})

    def start(attempt: Played) -> None:
        if attempt.name.attempt == 2:
            attempt.end()
            stage.started[1].end()
        elif not stage.started:
            attempt.end(CRASH)

    stage.on_start = start
    assert stage.run().completed == 2
    gap = stage.request(stage.started[2]).gap
    assert gap is not None
    assert gap.duration_s >= 0.6
    assert stage.request(stage.started[1]).gap is None
