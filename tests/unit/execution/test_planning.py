from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.schema import Campaign, Dispatching
from orchestrator.errors import InputError, InterruptedCampaignError
from orchestrator.execution.planning import open_or_plan, open_or_rebuild
from orchestrator.manifest.store import Manifest, Status
from orchestrator.reconcile import reconcile
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import thaw
from runners.contract.paths import AttemptName
from tests.builders import campaign, finished_attempt
from tests.unit.fakes import FakeDispatcher

LOCAL = Dispatching("local", None)


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    return CampaignFolder(tmp_path / "results" / "base")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "manifest.db"


def planned(folder: CampaignFolder, path: Path, **changes: Any) -> tuple[Campaign, list[Any]]:
    declared = campaign(folder.path.parents[1], **changes)
    manifest, mended = open_or_plan(declared, folder, path, LOCAL)
    with manifest:
        assert mended == []
        return declared, manifest.standing()


def test_a_new_campaign_is_planned_and_frozen(folder: CampaignFolder, path: Path) -> None:
    declared, standing = planned(folder, path, cycles=2)
    assert [(cycle, status) for _, _, cycle, status in standing] == [(1, "pending")] * 2 + [(2, "pending")] * 2
    assert len({experiment_id for _, experiment_id, _, _ in standing}) == 2
    frozen = thaw(folder.campaign_file)
    assert (frozen.campaign, frozen.experiments) == (declared, 2)
    assert (frozen.dispatcher, frozen.container_strategy) == LOCAL


def test_a_campaign_whose_planning_is_interrupted_leaves_nothing(folder: CampaignFolder, path: Path) -> None:
    asked = iter([False, True])
    with pytest.raises(InterruptedCampaignError):
        open_or_plan(campaign(folder.path.parents[1]), folder, path, LOCAL, lambda: next(asked))
    assert list(path.parent.glob("*.db")) + list(path.parent.glob("*.new")) == []
    assert not folder.campaign_file.exists()


def test_the_same_campaign_again_goes_on_with_what_is_there(folder: CampaignFolder, path: Path) -> None:
    declared, _ = planned(folder, path)
    with Manifest.open(path) as manifest:
        manifest.begin_attempt(0, 1)
    manifest, mended = open_or_plan(declared, folder, path, LOCAL)
    with manifest:
        assert mended == []
        assert manifest.run(0).status is Status.RUNNING


def complete_first(folder: CampaignFolder, standing: list[Any]) -> AttemptName:
    _, experiment_id, cycle, _ = standing[0]
    name = AttemptName(experiment_id, cycle, 1)
    finished_attempt(folder, name)
    folder.publish(name)
    return name


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 1000], ids=["lost", "empty", "garbage"])
def test_a_manifest_is_rebuilt_and_complete_runs_are_recognised(
    content: bytes | None, folder: CampaignFolder, path: Path
) -> None:
    declared, standing = planned(folder, path, cycles=2, order="shuffled", seed=5)
    complete_first(folder, standing)
    path.unlink() if content is None else path.write_bytes(content)

    manifest, mended = open_or_plan(declared, folder, path, LOCAL)
    with manifest:
        (line,) = mended
        assert "rebuilt from" in line
        assert manifest.standing() == standing
        assert reconcile(manifest, folder, FakeDispatcher()).completed == 1
        assert manifest.run(0).status is Status.COMPLETED
    kept = [file.read_bytes() for file in path.parent.glob("manifest.broken-*.db")]
    assert kept == ([] if content is None else [content])


def test_a_manifest_in_use_is_not_taken_for_broken(folder: CampaignFolder, path: Path) -> None:
    declared, _ = planned(folder, path)
    with Manifest.open(path) as other:
        other.begin_attempt(0, 1)
        manifest, mended = open_or_plan(declared, folder, path, LOCAL)
        with manifest:
            assert (mended, manifest.counts()[Status.RUNNING]) == ([], 1)


def test_a_campaign_that_this_version_expands_differently_is_refused(folder: CampaignFolder, path: Path) -> None:
    planned(folder, path)
    path.unlink()
    frozen = json.loads(folder.campaign_file.read_text())
    folder.campaign_file.write_text(
        json.dumps({**frozen, "experiments_sha256": "0" * 64, "orchestrate_version": "9.8.7"})
    )
    with pytest.raises(InputError, match=r"into other experiments than 9\.8\.7, which began it"):
        open_or_rebuild(thaw(folder.campaign_file), folder, path)
    assert not path.exists()


def test_a_manifest_of_another_campaign_is_not_trusted(folder: CampaignFolder, path: Path, tmp_path: Path) -> None:
    elsewhere = CampaignFolder(tmp_path / "elsewhere" / "base")
    planned(elsewhere, path, backends={"simulated": {"batch_size": 7}})
    folder.campaign_file.unlink(missing_ok=True)
    _, standing = planned(folder, tmp_path / "own.db")
    manifest, mended = open_or_rebuild(thaw(folder.campaign_file), folder, path)
    with manifest:
        assert [row[:3] for row in manifest.standing()] == [row[:3] for row in standing]
    assert "belongs to another campaign" in mended[0]
