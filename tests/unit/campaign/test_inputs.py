from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest

from orchestrator.campaign import expand as expansion
from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.inputs import fingerprints, local_inputs, model_fingerprint
from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.errors import FileError, InputError
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.request import Experiment
from runners.contract.rules import RULES

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


class AdaptedOptions(SimulatedOptions):
    """Options of a made-up backend of which one names a further model."""

    MODEL_FIELDS: ClassVar[tuple[str, ...]] = ("adapter",)
    backend: Literal["adapted"] = "adapted"  # type: ignore[assignment]
    adapter: str | None = None


class AdaptedExperiment(Experiment):
    options: AdaptedOptions  # type: ignore[assignment]


@pytest.fixture
def adapter(model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter beside the model, and a backend that takes one."""
    monkeypatch.setitem(OPTIONS, "adapted", AdaptedOptions)
    monkeypatch.setitem(OPTIONS_RULES, "adapted", ())
    monkeypatch.setitem(RULES, "adapted", ())
    monkeypatch.setattr(expansion, "Experiment", AdaptedExperiment)
    folder = model.parent / "lora"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_a_model_that_an_option_names_is_known_by_what_it_holds(model: Path, adapter: Path) -> None:
    axis = ["./lora", "org/adapter", None]
    declared = {"name": "a", "model": "./mine", "backends": {"adapted": {"adapter": axis}}}
    campaign = campaign_from_mapping(declared, model.parent)
    local, hub, none = (planned.experiment for planned in expand(campaign, Funnel()))
    assert local.input_sha256 == {"adapter": model_fingerprint(adapter)}
    assert hub.input_sha256 == none.input_sha256 == {}
    assert local_inputs(campaign) == [model, adapter]

    before = [planned.experiment_id for planned in expand(campaign, Funnel())]
    (adapter / "adapter_model.safetensors").write_bytes(WEIGHTS)
    assert fingerprints(campaign) == ({}, {"./mine": model_fingerprint(model), "./lora": model_fingerprint(adapter)})
    assert fingerprints(campaign)[1] != campaign.model_sha256, "noticed, when the campaign goes on"
    after = [planned.experiment_id for planned in expand(campaign_from_mapping(declared, model.parent), Funnel())]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, True]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("./gone", "there is no model folder"),
        ("./empty", "holds no config.json or adapter_config.json, so it is no model"),
        ("demo:nothing", "unknown demo model"),
        ("not a name", "'not a name' names no model"),
    ],
)
def test_an_option_that_names_no_model_is_refused_with_its_place(adapter: Path, named: str, reason: str) -> None:
    (adapter.parent / "empty").mkdir()
    declared = {"name": "a", "model": "org/model", "backends": {"adapted": {"adapter": named}}}
    with pytest.raises(FileError) as caught:
        campaign_from_mapping(declared, adapter.parent)
    (issue,) = caught.value.issues
    assert issue.field == "backends.adapted.adapter"
    assert reason in issue.message
