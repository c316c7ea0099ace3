from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.inputs import fingerprints, model_fingerprint
from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.errors import InputError

WEIGHTS = bytes(200_000)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "config.json").write_text('{"x": 1}'),
        lambda folder: (folder / "model.safetensors").write_bytes(b"\1" + WEIGHTS[1:]),
        lambda folder: (folder / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"\1"),
        lambda folder: (folder / "model.safetensors").write_bytes(WEIGHTS + b"\0"),
        lambda folder: (folder / "config.json").rename(folder / "other.json"),
        lambda folder: (folder / "more.json").touch(),
    ],
)
def test_another_model_under_the_same_name_shows(model: Path, change) -> None:
    before = model_fingerprint(model)
    assert model_fingerprint(model) == before
    change(model)
    assert model_fingerprint(model) != before


def test_a_local_model_is_known_by_what_it_holds(model: Path) -> None:
    declared = {"name": "a", "model": "./mine", "backends": {"pytorch": {}}}
    campaign = campaign_from_mapping(declared, model.parent)
    (planned,) = expand(campaign, Funnel())
    assert planned.experiment.model_sha256 == model_fingerprint(model)
    (model / "config.json").write_text('{"x": 1}')
    (other,) = expand(campaign_from_mapping(declared, model.parent), Funnel())
    assert other.experiment_id != planned.experiment_id
    assert fingerprints(campaign) == ({}, {"./mine": model_fingerprint(model)})


def test_what_makes_a_folder_a_model_is_its_backend_s_to_say(model: Path) -> None:
    declared = {"name": "a", "model": "./mine", "backends": {"pytorch": {}, "llamacpp": {}}}
    with pytest.raises(InputError, match=r"holds no \*\.gguf"):
        campaign_from_mapping(declared, model.parent)
    (model / "model.gguf").touch()
    assert campaign_from_mapping(declared, model.parent).model_sha256 == {"./mine": model_fingerprint(model)}
    (model / "config.json").unlink()
    with pytest.raises(InputError, match=r"holds no config\.json"):
        campaign_from_mapping(declared, model.parent)


def test_the_simulated_backend_needs_no_model(tmp_path: Path) -> None:
    campaign = campaign_from_mapping({"name": "a", "model": "./none", "backends": {"simulated": {}}}, tmp_path)
    assert campaign.model_sha256 == {}
