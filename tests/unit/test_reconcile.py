from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from orchestrator.manifest.store import ExperimentRow, Manifest, Status
from orchestrator.reconcile import reconcile, survey
from orchestrator.results.folders import CampaignFolder
from runners.contract.paths import CACHES, RESULT, AttemptName, FailureKind
from tests.builders import finished_attempt
from tests.unit.fakes import FakeAttempt, FakeDispatcher

E0 = "simulated-model-1-0123456789abcdef"
NAME = AttemptName(E0, 1, 1)
RUN_PATH = f"runs/{E0}/c001"


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    made = CampaignFolder(tmp_path / "base")
    made.make()
    return made


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest.create(
        tmp_path / "manifest.db", [ExperimentRow(E0, "simulated", "grid", "{}")], lambda _: [(0, 1), (0, 2)]
    ) as created:
        yield created


def set_row(manifest: Manifest, status: Status) -> None:
    if status is not Status.PENDING:
        manifest.begin_attempt(0, 1)
    if status is Status.COMPLETED:
        manifest.complete(0, 1, RUN_PATH)
    if status is Status.FAILED:
        manifest.fail(0, 1, FailureKind.CRASHED, "died")


def set_folder(folder: CampaignFolder, state: str) -> None:
    if state == "absent":
        return
    attempt = finished_attempt(folder, NAME)
    if state == "begun":
        (attempt / RESULT).unlink()
    if state == "broken":
        (attempt / "requests.parquet").write_bytes(b"torn")
    if state == "published":
        folder.publish(NAME)


FOLDERS = ["absent", "begun", "broken", "finished", "published"]


def expected(row: Status, state: str, alive: bool) -> Status:
    """What a row must say afterwards: folders are the truth."""
    if state == "published" or (state == "finished" and not alive):
        return Status.COMPLETED
    if alive:
        return Status.RUNNING
    return Status.FAILED if row is Status.FAILED else Status.PENDING


@pytest.mark.parametrize(("row", "state", "alive"), list(product(Status, FOLDERS, [False, True])))
def test_every_combination(row: Status, state: str, alive: bool, manifest: Manifest, folder: CampaignFolder) -> None:
    set_row(manifest, row)
    set_folder(folder, state)
    attempt = FakeAttempt(NAME)
    dispatcher = FakeDispatcher([attempt] if alive else [])

    standing = reconcile(manifest, folder, dispatcher)

    found = manifest.run(0)
    complete = found.status is Status.COMPLETED
    assert found.status is expected(row, state, alive)
    assert found.result_path == (RUN_PATH if complete else None)
    assert (standing.runs, standing.completed) == (2, int(complete))
    assert standing.pending == ([1] if complete or alive else [0, 1])
    assert standing.alive == ([(0, attempt)] if alive and not complete else [])
    assert attempt.stopped == (alive and complete)
    assert (folder.path / RUN_PATH).exists() == complete
    assert manifest.run(1).status is Status.PENDING


@pytest.mark.parametrize(("row", "state", "alive"), list(product(Status, FOLDERS, [False, True])))
def test_a_second_time_finds_nothing_to_mend(
    row: Status, state: str, alive: bool, manifest: Manifest, folder: CampaignFolder
) -> None:
    set_row(manifest, row)
    set_folder(folder, state)
    dispatcher = FakeDispatcher([FakeAttempt(NAME)] if alive else [])
    first = reconcile(manifest, folder, dispatcher)
    rows = list(manifest.runs())
    second = reconcile(manifest, folder, dispatcher)
    assert (second.changes, second.mended) == ([], [])
    assert (second.pending, second.alive) == (first.pending, first.alive)
    assert list(manifest.runs()) == rows


@pytest.mark.parametrize("row", [Status.RUNNING, Status.COMPLETED])
def test_what_was_mended_is_said(row: Status, manifest: Manifest, folder: CampaignFolder) -> None:
    set_row(manifest, row)
    said = {Status.RUNNING: "cut short", Status.COMPLETED: "not in results/"}[row]
    (line,) = reconcile(manifest, folder, FakeDispatcher()).mended
    assert line.startswith("1 run ")
    assert said in line


def test_a_finished_attempt_is_published_and_said_first(manifest: Manifest, folder: CampaignFolder) -> None:
    set_row(manifest, Status.RUNNING)
    set_folder(folder, "finished")
    mended = reconcile(manifest, folder, FakeDispatcher()).mended
    assert mended[0] == "1 finished but not published: published"


def test_of_two_finished_attempts_the_first_is_published(manifest: Manifest, folder: CampaignFolder) -> None:
    finished_attempt(folder, NAME._replace(attempt=2), b"second")
    finished_attempt(folder, NAME, b"first")
    reconcile(manifest, folder, FakeDispatcher())
    assert (folder.path / RUN_PATH / "requests.parquet").read_bytes() == b"first"
    assert folder.attempt_names() == [NAME._replace(attempt=2)]


def test_a_broken_attempt_does_not_hide_a_whole_one(manifest: Manifest, folder: CampaignFolder) -> None:
    set_folder(folder, "broken")
    finished_attempt(folder, NAME._replace(attempt=2), b"second")
    assert reconcile(manifest, folder, FakeDispatcher()).completed == 1


def test_of_two_live_attempts_at_one_run_the_first_is_watched_and_the_other_stopped(
    manifest: Manifest, folder: CampaignFolder
) -> None:
    late, early = FakeAttempt(NAME._replace(attempt=2)), FakeAttempt(NAME)
    standing = reconcile(manifest, folder, FakeDispatcher([late, early]))
    assert standing.alive == [(0, early)]
    assert (early.stopped, late.stopped) == (False, True)


def test_a_survey_changes_nothing(manifest: Manifest, folder: CampaignFolder) -> None:
    set_row(manifest, Status.COMPLETED)
    rows = list(manifest.runs())
    standing = survey(manifest, folder)
    assert standing.pending == [0, 1]
    assert list(manifest.runs()) == rows


def test_a_live_attempt_of_no_run_of_this_campaign_is_stopped(manifest: Manifest, folder: CampaignFolder) -> None:
    stranger = FakeAttempt(AttemptName("simulated-other-1-fedcba9876543210", 1, 1))
    standing = reconcile(manifest, folder, FakeDispatcher([stranger]))
    assert stranger.stopped
    assert standing.alive == []


def test_caches_of_a_cold_start_that_was_killed_are_removed(
    folder: CampaignFolder, manifest: Manifest, tmp_path: Path
) -> None:
    """Its own, not those of a run that is alive, and nothing behind a link."""
    alive, dead = NAME, AttemptName(E0, 2, 1)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").touch()
    for name in (alive, dead):
        caches = folder.attempt_folder(name) / CACHES / "triton_cache_dir"
        caches.mkdir(parents=True)
        (caches / "kernel.so").touch()
        (caches / "link").symlink_to(shared)
    manifest.begin_attempt(0, 1)
    reconcile(manifest, folder, FakeDispatcher([FakeAttempt(alive)]))
    assert (folder.attempt_folder(alive) / CACHES / "triton_cache_dir" / "kernel.so").exists()
    assert not (folder.attempt_folder(dead) / CACHES).exists()
    assert (shared / "kept").exists()


def test_what_measures_in_another_way_than_the_campaign_does_now_is_neither_watched_nor_published(
    manifest: Manifest, folder: CampaignFolder
) -> None:
    finished, alive = NAME, AttemptName(E0, 2, 1)
    finished_attempt(folder, finished)
    for index in (0, 1):
        manifest.begin_attempt(index, 1)
    attempt = FakeAttempt(alive)
    standing = reconcile(manifest, folder, FakeDispatcher([attempt]), lambda name: False)
    assert attempt.stopped
    assert (standing.pending, standing.alive, folder.published()) == ([0, 1], [], set())
    assert reconcile(manifest, folder, FakeDispatcher(), lambda name: True).completed == 1


def test_what_is_known_well_enough_is_not_run_whatever_its_rows_say(manifest: Manifest, folder: CampaignFolder) -> None:
    set_folder(folder, "published")
    manifest.begin_attempt(1, 1)
    manifest.fail(1, 1, FailureKind.CRASHED, "died")
    standing = reconcile(manifest, folder, FakeDispatcher(), over=lambda: {E0})
    assert (standing.pending, standing.completed, standing.unneeded) == ([], 1, 1)
    assert [status for *_, status in manifest.standing()] == ["completed", "unneeded"]
    assert standing.mended == [
        "1 run complete in results/ but not in the manifest: recorded",
        "1 run not needed: the experiment is known well enough, or given up",
    ]
    again = reconcile(manifest, folder, FakeDispatcher(), over=lambda: {E0})
    assert (again.changes, again.mended) == ([], [])


def test_what_is_not_known_well_enough_any_more_is_pending_again(manifest: Manifest, folder: CampaignFolder) -> None:
    manifest.reset([(run, Status.UNNEEDED, None) for run in (0, 1)])
    standing = reconcile(manifest, folder, FakeDispatcher())
    assert standing.pending == [0, 1]
    assert standing.mended == ["2 runs needed after all: the experiment is neither known well enough nor given up"]
    assert [status for *_, status in manifest.standing()] == ["pending", "pending"]


def test_whether_it_is_known_is_asked_once_all_is_published_that_can_be(
    manifest: Manifest, folder: CampaignFolder
) -> None:
    set_folder(folder, "finished")
    seen = []
    reconcile(manifest, folder, FakeDispatcher(), over=lambda: seen.append(folder.published()) or ())
    assert seen == [{(E0, 1)}]
