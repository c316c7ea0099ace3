from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.results.folders import CampaignFolder, UnverifiedError
from runners.contract.paths import RESULT, AttemptName
from tests.builders import finished_attempt

NAME = AttemptName("simulated-model-1-0123456789abcdef", 1, 1)


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    made = CampaignFolder(tmp_path / "base")
    made.make()
    return made


def test_a_whole_attempt_is_verified_and_published_by_a_rename(folder: CampaignFolder) -> None:
    attempt = finished_attempt(folder, NAME)
    assert folder.verify(NAME).experiment_id == NAME.experiment_id
    inode = attempt.stat().st_ino
    target = folder.publish(NAME)
    assert target == folder.run_folder(NAME.experiment_id, 1)
    assert target.stat().st_ino == inode
    assert not attempt.exists()
    assert folder.published() == {(NAME.experiment_id, 1)}
    assert folder.relative(target) == f"runs/{NAME.experiment_id}/c001"


def test_the_first_to_be_published_wins(folder: CampaignFolder) -> None:
    finished_attempt(folder, NAME, b"first")
    late = finished_attempt(folder, NAME._replace(attempt=2), b"second")
    target = folder.publish(NAME)
    assert folder.publish(NAME._replace(attempt=2)) is None
    assert target
    assert (target / "requests.parquet").read_bytes() == b"first"
    assert (late / "requests.parquet").read_bytes() == b"second"


def _edit(path: Path, **changes: object) -> None:
    result = path / RESULT
    result.write_text(json.dumps({**json.loads(result.read_text()), **changes}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "another content of the same size": (lambda path: (path / "requests.parquet").write_bytes(b"dada"), "requests"),
    "a longer file": (lambda path: (path / "requests.parquet").write_bytes(b"data+"), "requests.parquet is missing"),
    "a missing file": (lambda path: (path / "requests.parquet").unlink(), "requests.parquet is missing"),
    "a folder for a file": (
        lambda path: ((path / "requests.parquet").unlink(), (path / "requests.parquet").mkdir()),
        "requests.parquet is missing",
    ),
    "no result": (lambda path: (path / RESULT).unlink(), "cannot be read"),
    "half a result": (lambda path: (path / RESULT).write_bytes((path / RESULT).read_bytes()[:100]), "is not one"),
    "no JSON": (lambda path: (path / RESULT).write_bytes(b"\xff\xfe"), "is not one"),
    "deep nesting": (lambda path: (path / RESULT).write_text("[" * 100_000), "is not one"),
    "an unknown field": (lambda path: _edit(path, energy=3), "is not one: energy"),
    "text for a number": (lambda path: _edit(path, load_s="1.5"), "is not one: load_s"),
    "another attempt": (lambda path: _edit(path, attempt=2), "of another attempt"),
    "another cycle": (lambda path: _edit(path, cycle=2), "of another attempt"),
    "another experiment": (lambda path: _edit(path, experiment_id="other"), "of another attempt"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_attempt_is_not_verified(damage: str, folder: CampaignFolder) -> None:
    change, message = DAMAGE[damage]
    change(finished_attempt(folder, NAME))
    with pytest.raises(UnverifiedError, match=message):
        folder.verify(NAME)


def test_an_attempt_takes_the_next_free_number(folder: CampaignFolder) -> None:
    made = [folder.make_attempt(NAME.experiment_id, 1, at_least) for at_least in (1, 1, 2, 7)]
    assert [name.attempt for name in made] == [1, 2, 3, 7]
    assert sorted(folder.attempt_names()) == made


def test_only_folders_of_runs_and_attempts_count(folder: CampaignFolder) -> None:
    for stray in ("attempts/notes", "attempts/x.c1.a1", "runs/x/c1", "runs/x/tmp"):
        (folder.path / stray).mkdir(parents=True)
    (folder.runs / "file").touch()
    assert folder.attempt_names() == []
    assert folder.published() == set()


def test_nothing_is_there_before_the_campaign_is(tmp_path: Path) -> None:
    nowhere = CampaignFolder(tmp_path / "nowhere")
    assert (nowhere.published(), nowhere.attempt_names()) == (set(), [])


@pytest.mark.parametrize("content", [None, "", "{", "{}", '{"kind": "no_such_kind"}'])
def test_a_failure_that_cannot_be_read_is_none(content: str | None, folder: CampaignFolder) -> None:
    attempt = folder.attempt_folder(NAME)
    attempt.mkdir()
    if content is not None:
        (attempt / "failure.json").write_text(content)
    assert folder.failure(NAME) is None
