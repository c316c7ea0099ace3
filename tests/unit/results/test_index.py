from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.results import index as module
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.table import RunTable, read_table
from runners.contract.paths import HOST, RESULT
from tests.builders import experiment, run_result
from tests.made import Point, made_campaign, points, write_result

OTHER = {"name": "no_other_process", "passed": False, "severity": "critical", "observed": "seen"}


@pytest.fixture
def campaign(tmp_path: Path) -> CampaignFolder:
    of = [*points([0.5]), Point(experiment("vllm", max_num_seqs=8, engine_args={"swap": "a"}), 0.3)]
    folder = made_campaign(tmp_path / "results", "made", of, 3)
    settle(folder)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "results.index"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run folders that were read rather than taken from the index."""
    read: list[str] = []
    real = module.load_result

    def recorded(path: Path) -> object:
        read.append(f"{path.parent.name}/{path.name}")
        return real(path)

    monkeypatch.setattr(module, "load_result", recorded)
    return read


def settle(folder: CampaignFolder) -> None:
    """Let all files be of a moment that is long over."""
    for file in folder.runs.rglob("*.json"):
        os.utime(file, ns=(10**18, 10**18))


def same(found: RunTable, folder: CampaignFolder) -> None:
    """As the folders would be read without an index."""
    fresh = read_table(folder.path)
    pd.testing.assert_frame_equal(found.frame, fresh.frame)
    assert found.parameters == fresh.parameters
    assert found.faults == fresh.faults


def test_what_was_read_once_is_not_read_again_and_is_the_same(
    campaign: CampaignFolder, kept: Path, reads: list[str]
) -> None:
    read_table(campaign.path, kept)
    assert len(reads) == 6
    again = read_table(campaign.path, kept)
    assert len(reads) == 6
    same(again, campaign)


def test_only_what_is_new_changed_or_gone_is_brought_up_to_date(
    campaign: CampaignFolder, kept: Path, reads: list[str]
) -> None:
    read_table(campaign.path, kept)
    reads.clear()
    new = write_result(campaign, run_result(experiment(batch_size=64), order_index=99))
    changed, watched, gone = sorted(campaign.runs.glob("*/c00[1-3]"))[:3]
    content = json.loads((changed / RESULT).read_text())
    (changed / RESULT).write_text(json.dumps({**content, "energy_j": 1.0}))
    report = {"schema_version": 2, "watched_from": "2026-01-02T03:04:05Z", "watched_until": None, "looks": 1}
    (watched / HOST).write_text(json.dumps({**report, "failed_looks": 0, "others": [], "checks": [OTHER]}))
    (gone / RESULT).unlink()
    gone.rmdir()
    found = read_table(campaign.path, kept)
    assert sorted(reads) == sorted(f"{run.parent.name}/{run.name}" for run in (changed, watched, new))
    assert (found.frame["verdict"] == "suspect").sum() == 1
    assert (found.frame["energy_j"] == 1.0).sum() == 1
    assert len(found.frame) == 6
    same(found, campaign)


def test_a_file_that_has_just_been_written_is_read_again_since_its_time_may_not_tell(
    campaign: CampaignFolder, kept: Path, reads: list[str]
) -> None:
    new = write_result(campaign, run_result(experiment(batch_size=64), order_index=99))
    read_table(campaign.path, kept)
    reads.clear()
    read_table(campaign.path, kept)
    assert reads == [f"{new.parent.name}/{new.name}"]


def test_a_result_that_cannot_be_read_does_not_have_the_index_written_each_time(
    campaign: CampaignFolder, kept: Path
) -> None:
    (next(campaign.runs.glob("*/c001")) / RESULT).write_text("{")
    assert len(read_table(campaign.path, kept).faults) == 1
    before = kept.stat().st_ino
    assert len(read_table(campaign.path, kept).faults) == 1
    assert kept.stat().st_ino == before


@pytest.mark.parametrize("damage", ["gone", "empty", "noise", "cut", "bit", "version", "folder"])
def test_an_index_that_is_not_right_costs_time_and_no_more(
    campaign: CampaignFolder, kept: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    read_table(campaign.path, kept)
    content = kept.read_bytes()
    if damage == "version":
        with monkeypatch.context() as patch:
            patch.setattr(module, "INDEX_VERSION", 0)
            read_table(campaign.path, kept)
    elif damage in ("gone", "folder"):
        kept.unlink()
        if damage == "folder":
            kept.mkdir()
    else:
        middle = len(content) // 4
        bit = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        kept.write_bytes({"empty": b"", "noise": b"PAR1" * 999, "cut": content[:-40], "bit": bit}[damage])
    reads.clear()
    found = read_table(campaign.path, kept)
    assert len(reads) == 6
    reads.clear()
    same(found, campaign)
    if damage != "folder":
        reads.clear()
        read_table(campaign.path, kept)
        assert not reads


def test_a_state_folder_that_cannot_be_written_or_is_not_there_is_done_without(
    campaign: CampaignFolder, tmp_path: Path
) -> None:
    same(read_table(campaign.path, tmp_path / "not" / "there" / "results.index"), campaign)
    (tmp_path / "file").touch()
    same(read_table(campaign.path, tmp_path / "file" / "results.index"), campaign)
    assert not (tmp_path / "not").exists()


def test_several_may_bring_it_up_to_date_at_once(campaign: CampaignFolder, kept: Path) -> None:
    faults: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(5):
                kept.unlink(missing_ok=True)
                assert len(read_table(campaign.path, kept).frame) == 6
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert not list(kept.parent.glob("*.new"))


def test_results_that_cannot_be_read_are_told_of_each_time(campaign: CampaignFolder, kept: Path) -> None:
    broken, huge, empty = sorted(campaign.runs.glob("*/c00[1-3]"))[:3]
    (broken / RESULT).write_text("{")
    content = json.loads((huge / RESULT).read_text())
    (huge / RESULT).write_text(json.dumps({**content, "order_index": 10**30}))
    (empty / RESULT).unlink()
    for _ in range(2):
        found = read_table(campaign.path, kept)
        assert len(found.frame) == 3
        assert sorted(found.faults) == sorted(
            (
                *(fault for fault in found.faults if "is not a result" in fault),
                f"{huge / RESULT} holds a number that is too large",
                f"there is no result {empty / RESULT}",
            )
        )
        assert len(found.faults) == 3


def test_runs_that_are_no_longer_planned_are_marked_whatever_the_index_holds(
    campaign: CampaignFolder, kept: Path
) -> None:
    read_table(campaign.path, kept)
    gone = {(run.parent.name, 2) for run in campaign.runs.glob("*/c002")}
    found = read_table(campaign.path, kept, gone)
    assert found.frame.loc[found.frame["retired"], "cycle"].tolist() == [2, 2]
    assert not read_table(campaign.path, kept).frame["retired"].any()
