from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.campaign.schema import Dispatching
from orchestrator.errors import InputError
from orchestrator.results.frozen import freeze, thaw
from tests.builders import campaign

HASH = "0" * 64
HOW = Dispatching("compose", "persistent")


def test_a_frozen_campaign_comes_back(tmp_path: Path) -> None:
    original = campaign(tmp_path, cycles=3, order="shuffled", seed=2**63 - 1, timeout_s=0.1)
    freeze(tmp_path / "campaign.json", original, 2, HASH, HOW)
    thawed = thaw(tmp_path / "campaign.json")
    assert thawed.campaign == original
    assert (thawed.experiments, thawed.experiments_sha256) == (2, HASH)
    assert (thawed.dispatcher, thawed.container_strategy) == HOW
    assert [file.name for file in tmp_path.iterdir()] == ["campaign.json"]


def test_a_project_can_be_moved(tmp_path: Path) -> None:
    before = tmp_path / "before"
    (before / "results" / "base").mkdir(parents=True)
    freeze(before / "results" / "base" / "campaign.json", campaign(before), 2, HASH, HOW)
    shutil.move(before, tmp_path / "after")
    assert thaw(tmp_path / "after" / "results" / "base" / "campaign.json").campaign.folder == tmp_path / "after"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 3}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"experiments": 0}, "experiments"),
        ({"campaign": None}, "campaign"),
        ({"frozen_at": "2026-01-02T03:04:05"}, "frozen_at"),
    ],
)
def test_what_is_no_frozen_campaign_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "campaign.json"
    freeze(path, campaign(tmp_path), 2, HASH, HOW)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=f"is not a frozen campaign: {message}"):
        thaw(path)


def test_one_from_before_there_were_containers_ran_locally(tmp_path: Path) -> None:
    path = tmp_path / "campaign.json"
    freeze(path, campaign(tmp_path), 2, HASH, HOW)
    old = json.loads(path.read_text())
    del old["dispatcher"], old["container_strategy"]
    path.write_text(json.dumps(old))
    assert (thaw(path).dispatcher, thaw(path).container_strategy) == ("local", None)


def test_what_it_was_before_is_kept_and_moves_along(tmp_path: Path) -> None:
    before = tmp_path / "before"
    (before / "results" / "base").mkdir(parents=True)
    path = before / "results" / "base" / "campaign.json"
    freeze(path, campaign(before), 2, HASH, HOW)
    freeze(path, campaign(before, cycles=2), 2, HASH, HOW, thaw(path))
    freeze(path, campaign(before, cycles=3), 2, "1" * 64, HOW, thaw(path))
    shutil.move(before, tmp_path / "after")
    frozen = thaw(tmp_path / "after" / "results" / "base" / "campaign.json")
    assert (frozen.revision, frozen.campaign.file.cycles) == (2, 3)
    assert [was.campaign for was in frozen.earlier] == [
        campaign(tmp_path / "after"),
        campaign(tmp_path / "after", cycles=2),
    ]


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "null"], ids=["empty", "half", "deep", "null"])
def test_garbage(tmp_path: Path, content: str) -> None:
    (tmp_path / "campaign.json").write_text(content)
    with pytest.raises(InputError, match="is not a frozen campaign"):
        thaw(tmp_path / "campaign.json")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        thaw(tmp_path / "campaign.json")
