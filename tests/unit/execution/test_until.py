"""A campaign whose experiments are repeated until they are known well enough; only what is started is played."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.until import Until
from orchestrator.execution.events import (
    CampaignEnded,
    CycleStarted,
    ExperimentGivenUp,
    ExperimentKnown,
    ExperimentReopened,
    Notice,
    RunCompleted,
)
from orchestrator.execution.loop import Loop
from orchestrator.execution.precision import Precision, precision_of
from orchestrator.manifest.store import Status
from orchestrator.reconcile import reconcile, survey
from orchestrator.results import index
from runners.contract.paths import FailureKind
from tests.builders import published_run, run_result
from tests.unit.execution.test_loop import GPUS, Played, Stage, vacant  # noqa: F401 (a fixture that counts here too)
from tests.unit.fakes import FakeDispatcher

METRIC = "energy_per_output_token_j"
QUIET = (1.0, 1.01, 1.0, 0.99, 1.0)
NOISY = (1.0, 1.5, 0.7, 1.2, 0.6)


class Sure(Stage):
    """A stage on which batch size 1 is played to be steady, and each further one as the script says."""

    def __init__(
        self,
        folder: Path,
        gpus: tuple[Any, ...] = (),
        *,
        width: float = 0.05,
        least: int = 3,
        most: int = 8,
        **more: Any,
    ) -> None:
        until = {"metric": METRIC, "relative_half_width": width, "min_cycles": least, "max_cycles": most}
        super().__init__(folder, gpus, until=until, **more)
        self.ids = self.manifest.experiment_ids()
        self.value: Callable[[int, int], float | None] = lambda place, cycle: (QUIET, NOISY)[place > 0][cycle % 5]
        self.on_start = self.end

    def end(self, played: Played, kind: FailureKind | None = None) -> None:
        place = self.ids.index(played.name.experiment_id)
        played.end(kind, energy_per_output_token_j=self.value(place, played.name.cycle))

    def run(self, alive: list[tuple[int, Played]] | None = None) -> CampaignEnded:
        assert self.of.file.until
        precision = Precision(self.of.file.until)
        enough = precision.read(self.folder)
        standing = survey(self.manifest, self.folder, [live for _, live in alive or []], enough)
        self.manifest.reset(standing.changes)

        def observe(event: Any) -> None:
            self.events.append(event)
            self.on_event(event)

        return Loop(self.bench, self.manifest, standing, observe, lambda: self.stop, lambda: self.over, precision).run()

    def cycles_of(self, place: int) -> list[int]:
        return [played.name.cycle for played in self.started if played.name.experiment_id == self.ids[place]]

    def standings(self) -> list[str]:
        return [status for *_, status in self.manifest.standing()]


def test_an_experiment_that_is_known_well_enough_is_not_repeated_and_the_rest_is(tmp_path: Path) -> None:
    stage = Sure(tmp_path)
    ended = stage.run()
    assert stage.cycles_of(0) == [1, 2, 3]
    assert stage.cycles_of(1) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ended == CampaignEnded("base", 11, 0, 0, 5, (stage.ids[1],))
    (known,) = stage.told(ExperimentKnown)
    assert (known.experiment_id, known.runs, known.spared, known.method) == (stage.ids[0], 3, 5, "nvml")
    assert known.relative_half_width <= 0.05
    assert [event.cycles for event in stage.told(CycleStarted)] == [8] * 8
    counts = stage.manifest.counts()
    assert (counts[Status.COMPLETED], counts[Status.UNNEEDED], counts[Status.PENDING]) == (11, 5, 0)


@pytest.mark.parametrize("order", ["grouped", "interleaved", "reversed", "shuffled"])
def test_it_goes_together_with_every_order(tmp_path: Path, order: str) -> None:
    stage = Sure(tmp_path, order=order)
    stage.run()
    assert [len(stage.cycles_of(place)) for place in (0, 1)] == [3, 8]


def test_what_is_known_is_a_function_of_the_folders(tmp_path: Path) -> None:
    """Stopped anywhere, its manifest lost even, it goes on as if it had not been."""
    whole = Sure(tmp_path / "whole", most=6)
    whole.run()
    for stops in range(1, 9):
        stage = Sure(tmp_path / str(stops), most=6)
        stage.on_event = lambda event, stage=stage, stops=stops: setattr(
            stage, "over", len(stage.told(RunCompleted)) >= stops
        )
        assert stage.run().pending
        again = Sure(tmp_path / str(stops), most=6)  # plans anew
        again.run()
        assert again.folder.published() == whole.folder.published()
        assert again.standings() == whole.standings()


def test_a_failure_of_what_is_known_is_not_tried_again_at_the_next_start(tmp_path: Path) -> None:
    stage = Sure(tmp_path)

    def start(played: Played) -> None:
        fails = played.name.experiment_id == stage.ids[0] and played.name.cycle == 2
        stage.end(played, FailureKind.OUT_OF_MEMORY if fails else None)

    stage.on_start = start
    assert stage.run() == CampaignEnded("base", 11, 1, 0, 4, (stage.ids[1],))
    assert stage.cycles_of(0) == [1, 2, 3, 4]
    assert stage.run() == CampaignEnded("base", 11, 0, 0, 5, (stage.ids[1],))


def test_what_failed_before_is_not_tried_again_once_its_experiment_is_known(tmp_path: Path) -> None:
    """Cycles 5 and 6 failed; started again, cycle 4, which is run first, makes it known."""
    stage = Sure(tmp_path, order="grouped", least=4, most=7, backends={"simulated": {"batch_size": 1}})
    for cycle in (1, 2, 3):
        result = run_result(cycle=cycle, experiment_id=stage.ids[0], energy_per_output_token_j=QUIET[cycle])
        published_run(stage.folder.path.parent, result)
    for run in (4, 5):
        stage.manifest.begin_attempt(run, 1)
        stage.manifest.fail(run, 1, FailureKind.CRASHED, "died")
    assert stage.run() == CampaignEnded("base", 4, 0, 0, 3)
    assert stage.cycles_of(0) == [4]
    assert stage.standings()[4:] == ["unneeded"] * 3


def test_an_experiment_of_which_no_run_comes_through_is_given_up_until_it_is_resumed(tmp_path: Path) -> None:
    stage = Sure(tmp_path)
    fails = True

    def start(played: Played) -> None:
        of_first = played.name.experiment_id == stage.ids[0]
        stage.end(played, FailureKind.OUT_OF_MEMORY if of_first and fails else None)

    stage.on_start = start
    assert stage.run() == CampaignEnded("base", 8, 3, 0, 5, (stage.ids[0], stage.ids[1]))
    assert stage.told(ExperimentGivenUp) == [ExperimentGivenUp(stage.ids[0], 3, 5, "its first 3 runs failed")]
    assert stage.cycles_of(0) == [1, 2, 3]
    assert stage.run() == CampaignEnded("base", 8, 3, 0, 5, (stage.ids[0], stage.ids[1]))
    assert stage.cycles_of(0) == [1, 2, 3, 1]
    fails = False
    assert stage.run() == CampaignEnded("base", 11, 0, 0, 5, (stage.ids[1],))


def test_one_that_comes_through_now_and_then_goes_on(tmp_path: Path) -> None:
    stage = Sure(tmp_path)

    def start(played: Played) -> None:
        broken = played.name.experiment_id == stage.ids[0] and played.name.cycle != 2
        stage.end(played, FailureKind.OUT_OF_MEMORY if broken else None)

    stage.on_start = start
    assert stage.run().failed == 7
    assert stage.told(ExperimentGivenUp) == []


@pytest.mark.parametrize(
    ("value", "verdict", "why"),
    [
        (None, "good", f"no run tells its {METRIC} (3 without it)"),
        (1.0, "suspect", f"no run tells its {METRIC} (3 suspect)"),
        (-0.5, "good", f"its {METRIC} is 0 or less in a run, so it has no relative width"),
        (0.0, "good", f"its {METRIC} is 0 or less in a run, so it has no relative width"),
    ],
)
def test_an_experiment_whose_complete_runs_cannot_tell_is_given_up_by_its_folders(
    tmp_path: Path, value: float | None, verdict: str, why: str
) -> None:
    stage = Sure(tmp_path)

    def start(played: Played) -> None:
        of_first = played.name.experiment_id == stage.ids[0]
        given = value if of_first else NOISY[played.name.cycle % 5]
        played.end(energy_per_output_token_j=given, verdict=verdict if of_first else "good")

    stage.on_start = start
    ended = CampaignEnded("base", 11, 0, 0, 5, (stage.ids[0], stage.ids[1]))
    assert stage.run() == ended
    assert stage.cycles_of(0) == [1, 2, 3]
    assert stage.told(ExperimentGivenUp) == [ExperimentGivenUp(stage.ids[0], 0, 5, why)]
    again = Sure(tmp_path)  # plans anew, as if its manifest had been lost
    assert again.run() == ended
    assert again.started == []
    (again.folder.run_folder(stage.ids[0], 1)).rename(tmp_path / "aside")
    again.on_start = start
    assert again.run() == ended
    assert again.cycles_of(0) == [1]


def test_runs_that_fail_and_runs_that_tell_nothing_together_give_up_for_this_start(tmp_path: Path) -> None:
    stage = Sure(tmp_path, backends={"simulated": {"batch_size": 1}})

    def start(played: Played) -> None:
        if played.name.cycle == 1:
            played.end(energy_per_output_token_j=None)
        else:
            stage.end(played, FailureKind.OUT_OF_MEMORY)

    stage.on_start = start
    assert stage.run() == CampaignEnded("base", 1, 2, 0, 5, (stage.ids[0],))
    (given_up,) = stage.told(ExperimentGivenUp)
    assert given_up.why == f"no run tells its {METRIC} (2 failed, 1 without it)"
    stage.on_start = stage.end
    assert stage.run().completed == 4


def test_suspect_runs_and_those_without_the_figure_do_not_tell(tmp_path: Path) -> None:
    stage = Sure(tmp_path, most=6)
    stage.value = lambda place, cycle: None if place and cycle != 2 else QUIET[cycle % 5]

    def start(played: Played) -> None:
        place = stage.ids.index(played.name.experiment_id)
        verdict = "suspect" if not place and played.name.cycle <= 2 else "good"
        value = stage.value(place, played.name.cycle)
        played.end(energy_per_output_token_j=value, verdict=verdict)

    stage.on_start = start
    ended = stage.run()
    assert stage.cycles_of(0) == [1, 2, 3, 4, 5]
    assert ended.unsure == (stage.ids[1],)
    (notice,) = stage.told(Notice)
    assert notice.text.startswith(f"until: {stage.ids[1]}.c001 did not measure {METRIC}")


def test_runs_of_unlike_environments_or_meters_are_not_taken_together() -> None:
    precision = Precision(Until(metric=METRIC, relative_half_width=0.05, min_cycles=3))
    found = run_result(energy_per_output_token_j=1.0)
    elsewhere = found.environment.model_copy(update={"environment_id": "f" * 16})
    for cycle, how in enumerate(
        ({}, {"environment": elsewhere}, {"energy_method": "estimated"}, {"energy_scope": "cpu"}, {})
    ):
        precision.add(found.model_copy(update={"cycle": cycle, **how}))
    known = precision.of(found.experiment_id)
    assert (known.runs, known.enough) == (2, False)
    precision.add(found.model_copy(update={"cycle": 9, "energy_per_output_token_j": 1.001}))
    assert precision.of(found.experiment_id)._replace(relative_half_width=None) == (3, None, True, "nvml", "")


def test_a_result_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    stage = Sure(tmp_path, most=4)
    stage.run()
    (stage.folder.run_folder(stage.ids[0], 2) / "result.json").write_text("{")
    precision = Precision(stage.of.file.until)  # type: ignore[arg-type]
    assert precision.read(stage.folder) == frozenset()
    standing = reconcile(stage.manifest, stage.folder, FakeDispatcher(), over=lambda: precision.read(stage.folder))
    assert [stage.manifest.run(run).cycle for run in standing.pending] == [4]


def test_results_that_were_read_before_are_taken_from_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Sure(tmp_path, most=4)
    stage.run()
    until, kept = stage.of.file.until, tmp_path / "results.index"
    assert until
    for file in stage.folder.runs.rglob("*.json"):
        os.utime(file, ns=(10**18, 10**18))
    enough = Precision(until).read(stage.folder, kept)
    assert enough == Precision(until).read(stage.folder) == {stage.ids[0]}
    monkeypatch.setattr(index, "load_result", lambda path: pytest.fail(f"{path} was read"))
    again = Precision(until)
    assert again.read(stage.folder, kept) == enough
    assert again.of(stage.ids[1])._replace(relative_half_width=None) == (4, None, False, "nvml", "")


def test_one_that_is_at_work_while_its_experiment_becomes_known_is_watched_to_its_end(tmp_path: Path) -> None:
    """Side by side, cycle 4 is at work when cycle 3 ends: it counts, and shows that more are needed after all."""
    stage = Sure(tmp_path, GPUS[:2], parallel="per-gpu", backends={"simulated": {"batch_size": 1}}, most=6)
    values = {1: 1.0, 2: 1.01, 3: 1.0, 4: 1.3, 5: 1.0, 6: 1.0}
    stage.value = lambda _, cycle: values[cycle]

    def start(played: Played) -> None:
        if played.name.cycle not in (3, 4):
            stage.end(played)
            return
        both = {each.name.cycle: each for each in (*stage.at_work, played)}
        if both.keys() == {3, 4}:
            stage.on_event = lambda event: isinstance(event, ExperimentKnown) and stage.end(both[4])
            stage.end(both[3])

    stage.on_start = start
    ended = stage.run()
    assert sorted(stage.cycles_of(0)) == [1, 2, 3, 4, 5, 6]
    ((known,), (reopened,)) = stage.told(ExperimentKnown), stage.told(ExperimentReopened)
    assert (known.runs, known.spared) == (3, 2)
    assert (reopened.runs, reopened.needed) == (4, 2)
    assert ended == CampaignEnded("base", 6, 0, 0, 0, (stage.ids[0],))


def test_a_retry_that_waits_is_not_waited_for_once_its_experiment_is_known(tmp_path: Path) -> None:
    stage = Sure(
        tmp_path,
        GPUS[:2],
        parallel="per-gpu",
        backends={"simulated": {"batch_size": 1}},
        failures={"retries": 3, "backoff_s": 3600},
        most=5,
    )

    def start(played: Played) -> None:
        stage.end(played, FailureKind.CRASHED if played.name.cycle == 1 else None)

    stage.on_start = start
    ended = stage.run()
    assert (ended.failed, ended.pending) == (0, 0)
    assert stage.cycles_of(0).count(1) == 1
    assert stage.standings()[0] == "unneeded"


def test_one_that_rests_before_its_start_is_not_started_once_its_experiment_is_known(tmp_path: Path) -> None:
    stage = Sure(
        tmp_path,
        GPUS[:2],
        parallel="per-gpu",
        backends={"simulated": {"batch_size": 1}},
        gaps={"experiment_s": 0.3},
        most=4,
    )
    late: list[Played] = []

    def start(played: Played) -> None:
        late.append(played) if played.name.cycle == 2 else stage.end(played)

    def event(of: Any) -> None:
        if isinstance(of, RunCompleted) and of.cycle == 3:
            stage.end(late[0])

    stage.on_start, stage.on_event = start, event
    assert stage.run() == CampaignEnded("base", 3, 0, 0, 1)
    assert sorted(stage.cycles_of(0)) == [1, 2, 3]


def test_a_campaign_without_it_has_no_precision(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    published_run(tmp_path / "results", run_result())
    assert precision_of(stage.folder) is None
