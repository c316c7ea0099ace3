"""What is kept of what images said, and which images are refused for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.system.descriptions import IMAGES, Descriptions, misfit
from runners.contract.description import Description, Engine
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.fingerprint import options_sha256
from runners.contract.paths import CONTRACT_VERSION

IMAGE = "sha256:aaaa"


def said(**changes: Any) -> Description:
    fields = {
        "contract_version": CONTRACT_VERSION,
        "backend": "simulated",
        "options_sha256": options_sha256(OPTIONS["simulated"], OPTIONS_RULES["simulated"]),
        "engine": Engine(version="simulated"),
    }
    return Description(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "reason", "hint"),
    [
        ({"contract_version": 2}, "speaks version 2 of the contract", "docker compose build simulated"),
        ({"backend": "vllm"}, "is of the backend vllm", "compose files"),
        ({"options_sha256": "0"}, "has other parameters of simulated", "docker compose build simulated"),
        ({"engine": None, "engine_error": "no libcuda"}, "no engine that works: no libcuda", "docker compose build"),
    ],
)
def test_what_does_not_suit_is_named_with_what_mends_it(changes: dict[str, Any], reason: str, hint: str) -> None:
    found = misfit("simulated", said(**changes))
    assert found is not None
    assert reason in found.reason
    assert hint in found.hint


def test_another_commit_and_another_backends_parameters_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    before = said(git_commit="0123456")
    monkeypatch.setitem(OPTIONS_RULES, "pytorch", ())
    assert misfit("simulated", before) is None


def test_what_was_said_is_remembered_by_the_image_and_by_whether_there_were_gpus(tmp_path: Path) -> None:
    kept = Descriptions(tmp_path / ".state")
    assert kept.find(IMAGE, cuda=False) is None
    kept.keep(IMAGE, said(), cuda=False)
    again = Descriptions(tmp_path / ".state")
    assert again.find(IMAGE, cuda=False) == said()
    assert again.find(IMAGE, cuda=True) is None
    assert again.find(IMAGE) == said()
    assert again.find("sha256:bbbb", cuda=False) is None
    assert (tmp_path / ".state" / ".gitignore").is_file()


def test_an_engine_that_failed_is_asked_again(tmp_path: Path) -> None:
    kept = Descriptions(tmp_path)
    kept.keep(IMAGE, said(engine=None, engine_error="out of memory"), cuda=False)
    assert kept.find(IMAGE, cuda=False) is None


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    kept = Descriptions(tmp_path)
    for number in range(70):
        kept.keep(f"sha256:{number}", said(), cuda=False)
    assert kept.find("sha256:5", cuda=False) is None
    assert kept.find("sha256:6", cuda=False)
    assert kept.find("sha256:69", cuda=False)


@pytest.mark.parametrize("content", ["", "{", '{"schema_version": 2, "images": {}}', '{"images": {"x": 1}}'])
def test_a_broken_cache_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / IMAGES).write_text(content)
    kept = Descriptions(tmp_path)
    assert kept.find(IMAGE) is None
    kept.keep(IMAGE, said(), cuda=True)
    assert kept.find(IMAGE) == said()


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Descriptions(tmp_path / "file" / "below").keep(IMAGE, said(), cuda=False)
