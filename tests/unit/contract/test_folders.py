from __future__ import annotations

from pathlib import Path

import pytest

from runners.contract import folders
from runners.contract.paths import AttemptName


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    folders.make(tmp_path / "results" / "adhoc")
    return tmp_path / "results" / "adhoc"


def test_the_first_cycle_that_neither_a_run_nor_an_attempt_has_is_reserved(campaign: Path) -> None:
    (campaign / "runs" / "e-1" / "c001").mkdir(parents=True)
    (campaign / "attempts" / "e-1.c002.a1").mkdir()
    (campaign / "attempts" / "e-2.c003.a1").mkdir()
    assert folders.first_free(campaign, "e-1") == AttemptName("e-1", 3, 1)
    assert folders.first_free(campaign, "e-1") == AttemptName("e-1", 4, 1)
    assert (campaign / "attempts" / "e-1.c003.a1").is_dir()


def test_an_attempt_becomes_its_run_and_the_first_wins(campaign: Path) -> None:
    name = folders.first_free(campaign, "e-1")
    (folders.attempt_folder(campaign, name) / "result.json").write_text("first")
    run = folders.publish(campaign, name)
    assert run == campaign / "runs" / "e-1" / "c001"
    assert (run / "result.json").read_text() == "first"
    assert not folders.attempt_folder(campaign, name).exists()

    late = folders.attempt_folder(campaign, AttemptName("e-1", 1, 2))
    late.mkdir()
    assert folders.publish(campaign, AttemptName("e-1", 1, 2)) is None
    assert late.is_dir()
    assert (run / "result.json").read_text() == "first"


def test_what_is_there_is_left_as_it_is(campaign: Path) -> None:
    (campaign / "runs" / "kept").mkdir()
    folders.make(campaign)
    assert (campaign / "runs" / "kept").is_dir()


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        folders.make(tmp_path / "file" / "adhoc")
