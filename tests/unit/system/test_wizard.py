from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.document import parse
from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.load import campaign_from_document
from orchestrator.errors import FileError
from orchestrator.system.config import UserConfig, config_from_document
from orchestrator.system.docker import Docker, NoDocker
from orchestrator.system.environment import Environment
from orchestrator.system.wizard import (
    Answers,
    NotMergedError,
    Offer,
    Wanted,
    config_text,
    first_campaign,
    gpus_named,
    merged_text,
    model_named,
    offer_named,
    offers,
    scalar,
    value_named,
)
from runners.contract.options import OPTIONS
from runners.contract.request import Gpu

GPUS = tuple(Gpu(index=index, uuid=f"GPU-{index}", name="H200") for index in range(4))
DOCKER = Docker("28.2.2", False, frozenset({"runc"}), Path("/var/lib/docker"), "5.6.1")
NO_DOCKER = NoDocker("there is no docker client here", "install Docker Engine")


def machine(
    *installed: str,
    gpus: tuple[Gpu, ...] = (),
    docker: Docker | NoDocker = NO_DOCKER,
    images: tuple[str, ...] | None = None,
) -> Environment:
    missing = {name: () if name in installed else options.MODULES for name, options in OPTIONS.items()}
    named = None if images is None else {name: f"orchestrate/{name}" for name in images}
    return Environment(gpus, None, missing, docker, named, False, True)


@pytest.mark.parametrize(
    ("environment", "offered"),
    [
        (machine("llamacpp", "pytorch"), ["pytorch process", "llamacpp process", "simulated process"]),
        (
            machine(docker=DOCKER, images=("vllm",)),
            ["vllm container", "pytorch container", "llamacpp container", "simulated process"],
        ),
        (
            machine("vllm", docker=DOCKER, gpus=GPUS, images=()),
            ["vllm process", "pytorch container", "tensorrt container", "llamacpp container", "simulated process"],
        ),
        (
            machine(docker=DOCKER, images=None),
            ["pytorch container", "vllm container", "llamacpp container", "simulated process"],
        ),
        (machine(), ["simulated process"]),
    ],
    ids=["installed", "an image", "gpus", "images unknown", "nothing"],
)
def test_what_is_offered_begins_with_what_runs_at_once(environment: Environment, offered: list[str]) -> None:
    assert [f"{offer.backend} {offer.way}" for offer in offers(environment)] == offered


@pytest.mark.parametrize("backend", OPTIONS)
@pytest.mark.parametrize("gpus", [(), (2,), (0, 3)])
def test_the_first_campaign_of_each_backend_is_a_right_one(backend: str, gpus: tuple[int, ...], tmp_path: Path) -> None:
    text = first_campaign(Answers(Offer(backend, "process", ""), gpus=gpus))
    campaign = campaign_from_document(parse(text), tmp_path)
    assert len(list(expand(campaign, Funnel()))) * campaign.file.cycles == 4
    assert campaign.file.gpus == (list(gpus) or None)
    assert campaign.file.parallel == ("per-gpu" if len(gpus) > 1 else None)


def test_on_the_cpu_the_engine_is_told_so(tmp_path: Path) -> None:
    text = first_campaign(Answers(Offer("pytorch", "process", ""), on_cpu=True))
    (option,) = {
        planned.experiment.options.device  # type: ignore[union-attr]
        for planned in expand(campaign_from_document(parse(text), tmp_path), Funnel())
    }
    assert option == "cpu"


def test_an_offer_is_named_by_number_or_name_and_else_told_why_not() -> None:
    offered = offers(machine("pytorch"))
    assert offer_named(" 1 ", offered) == offer_named("PyTorch", offered) == offered[0]
    with pytest.raises(ValueError, match="vllm cannot run here: run it in its container"):
        offer_named("vllm", offered)
    with pytest.raises(ValueError, match="tensorrt cannot run here: it takes an NVIDIA GPU"):
        offer_named("tensorrt", offered)
    for wrong in ("0", "3", "", "-1", "ü"):
        with pytest.raises(ValueError, match="a number or a name: pytorch, simulated"):
            offer_named(wrong, offered)


def test_a_model_is_a_demo_an_id_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "my model"
    model.mkdir()
    monkeypatch.chdir(tmp_path)
    assert model_named(" demo:smollm2-135m ", "pytorch") == "demo:smollm2-135m"
    assert model_named("org/name@main", "pytorch") == "org/name@main"
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        model_named("my model", "pytorch")
    (model / "config.json").touch()
    assert model_named("my model", "pytorch") == model_named("./my model/", "pytorch") == str(model)
    with pytest.raises(ValueError, match=r"holds no \*\.gguf"):
        model_named("my model", "llamacpp")
    for wrong, told in {
        "": "names no model",
        "demo:x": "unknown demo model",
        "./gone": "there is no folder",
        "~nobody-has-this-name/x": "leads nowhere",
        "a b": "names no model",
        "x\0y": "embedded null|names no model",
    }.items():
        with pytest.raises(ValueError, match=told):
            model_named(wrong, "pytorch")


def test_gpus_are_named_by_index() -> None:
    assert gpus_named("2, 0 2", GPUS, cpu=True) == (2, 0)
    assert gpus_named("ALL", GPUS, cpu=False) == (0, 1, 2, 3)
    assert gpus_named("cpu", GPUS, cpu=True) is None
    for wrong in ("cpu", "", "x", "-1", "1.5", "²", "9" * 5000):
        with pytest.raises(ValueError, match="answer with indices"):
            gpus_named(wrong, GPUS, cpu=False)
    with pytest.raises(ValueError, match="there is no GPU 7 here; there are 0, 1, 2, 3"):
        gpus_named("0,7", GPUS, cpu=True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("gaps.cycle_s", " 2.5 ", 2.5),
        ("cpu_tdp_w", "65", 65.0),
        ("cpu_tdp_w", "", None),
        ("notify.webhook_url", "https://example.org/x?y=1", "https://example.org/x?y=1"),
        ("notify.webhook_url", " ", None),
    ],
)
def test_a_value_is_read_as_it_is_typed(name: str, text: str, value: Any) -> None:
    assert value_named(text, name) == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("gaps.cycle_s", "-1", "greater than or equal to 0"),
        ("gaps.cycle_s", "", "valid number"),
        ("gaps.cycle_s", "5 s", "is not a number"),
        ("gaps.cycle_s", "nan", "valid number"),
        ("gaps.cycle_s", "1e999", "valid number"),
        ("cpu_tdp_w", "0", "greater than 0"),
        ("notify.webhook_url", "example.org", "begins with http"),
        ("notify.webhook_url", "ftp://example.org", "begins with http"),
        ("notify.webhook_url", "https://", "names a host"),
        ("notify.webhook_url", "https://[x", "names a host"),
        ("notify.webhook_url", "https://a b", "names a host"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_why(name: str, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        value_named(text, name)


SETTINGS = {"gaps.experiment_s": 5.0, "cpu_tdp_w": 65.5, "notify.webhook_url": "https://e.org/#a", "gaps.cycle_s": 0.5}


def config(text: str) -> UserConfig:
    return config_from_document(parse(text), Path("/"))


def test_a_new_user_config_holds_what_was_wanted_each_with_what_it_means() -> None:
    text = config_text(SETTINGS)
    assert config(text) == UserConfig.model_validate(
        {
            "cpu_tdp_w": 65.5,
            "gaps": {"experiment_s": 5.0, "cycle_s": 0.5},
            "notify": {"webhook_url": "https://e.org/#a"},
        }
    )
    assert "  # pause before each run but the first, in seconds\n  experiment_s: 5\n" in text
    assert config(config_text({})) == UserConfig()


def test_only_what_differs_from_what_holds_is_wanted() -> None:
    wanted = Wanted()
    before = config("gaps: {cycle_s: 30}")
    wanted.add("gaps.cycle_s", 30.0, before)
    wanted.add("gaps.experiment_s", 0.0, before)
    wanted.add("cpu_tdp_w", 65.0, before)
    assert wanted.settings == {"cpu_tdp_w": 65.0}


MINE = """\
# mine
dispatch: local   # why
gaps:
    # four spaces
    cycle_s: 30 # s
cpu_tdp_w: 10
"""


def test_changing_a_user_config_leaves_all_else_in_it() -> None:
    merged = merged_text(MINE, SETTINGS)
    for line in ("# mine", "dispatch: local   # why", "    # four spaces", "    cycle_s: 0.5 # s", "cpu_tdp_w: 65.5"):
        assert line in merged.splitlines()
    held = config(merged)
    assert (held.dispatch, held.gaps.experiment_s, held.gaps.cycle_s) == ("local", 5.0, 0.5)
    assert held.notify.webhook_url == "https://e.org/#a"
    assert merged_text("# nothing\n", {"cpu_tdp_w": 3.0}).startswith("# nothing\n")


@pytest.mark.parametrize(
    "text",
    [
        "gaps: {cycle_s: 1}\n",
        "{cpu_tdp_w: 3}\n",
        "gaps: &a\n  cycle_s: 1\n",
        "cpu_tdp_w:\n  12\n",
        "gaps: {}\n",
        "--- {}\n",
    ],
)
def test_what_cannot_be_changed_in_place_is_not_rewritten(text: str) -> None:
    config(text)
    with pytest.raises(NotMergedError):
        merged_text(text, SETTINGS)


@pytest.mark.parametrize(
    "value", ["demo:x", "a b", "", "null", "1e3", "ü", "a: b", "x #y", "/a'b\"c", "yes", 5.0, 0.5, True, None]
)
def test_a_value_is_written_so_that_it_is_read_as_it_was(value: Any) -> None:
    try:
        assert parse(f"k: {scalar(value)}").data == {"k": value}
    except FileError as error:
        pytest.fail(str(error))
