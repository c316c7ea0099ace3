"""Asking images with a stand-in for the docker client; a real engine does it in tests/docker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.dispatch import describing
from orchestrator.dispatch.describing import ask_here, ask_image, describing_arguments
from orchestrator.errors import MachineError
from orchestrator.system.docker import Ids
from runners.contract.request import Gpu
from tests.unit.system.docker_states import put_client

IMAGE = "sha256:0123456789abcdef"
IDS = Ids(1234, 5678)
SAID = {"contract_version": 3, "backend": "vllm", "options_sha256": "0", "engine": {"version": "vllm 9"}}


def client(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """A docker client that notes how it is called, and runs this."""
    put_client(monkeypatch, folder, f'#!/bin/sh\necho "$@" >> {folder}/calls\n{script}\n')
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_the_container_sees_no_network_no_results_and_no_gpu() -> None:
    arguments = describing_arguments(IMAGE, "vllm", IDS, [], "name")
    said = " ".join(arguments)
    assert said.endswith(f"--entrypoint python {IMAGE} -m runners vllm --describe")
    assert "--network none" in said
    assert "--user 1234:5678" in said
    assert "--pull never" in said
    assert "--env NVIDIA_VISIBLE_DEVICES=void" in said
    assert not {"--volume", "--mount", "--privileged", "--runtime"} & set(arguments)


def test_real_gpus_are_shown_and_simulated_ones_are_not() -> None:
    real = Gpu(index=0, uuid="GPU-a", name="H200")
    played = Gpu(index=1, uuid="GPU-b", name="Simulated H100")
    said = " ".join(describing_arguments(IMAGE, "vllm", IDS, [real, played], "name"))
    assert "--runtime nvidia" in said
    assert "NVIDIA_VISIBLE_DEVICES=GPU-a " in said
    assert "--runtime" not in " ".join(describing_arguments(IMAGE, "vllm", IDS, [played], "name"))


def test_what_it_says_is_understood_whatever_its_engine_prints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client(monkeypatch, tmp_path, f"echo noise >&2; echo '{json.dumps(SAID)}'")
    said = ask_image(IMAGE, "vllm", IDS)
    assert said.engine is not None
    assert said.engine.version == "vllm 9"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo hello", "the image of vllm answers 'hello' when asked what it is"),
        ("true", "answers ''"),
        (f"echo '{json.dumps({**SAID, 'description_version': 2})}'", "it is of another version"),
        (f"echo '{json.dumps({**SAID, 'new': 1})}'", "it is of another version"),
        ("echo no such file >&2; exit 127", "does not say what it is: no such file (exit code 127)"),
        ("exit 3", "it says nothing (exit code 3)"),
        ("echo why >&2; echo >&2; echo \"Run 'docker run --help' for more\" >&2; exit 125", "why (exit code 125)"),
    ],
)
def test_what_is_not_understood_names_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    client(monkeypatch, tmp_path, script)
    with pytest.raises(MachineError) as caught:
        ask_image(IMAGE, "vllm", IDS)
    assert reason in str(caught.value)
    assert caught.value.hint == "build it anew: docker compose build vllm"


def test_a_container_that_does_not_answer_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(describing, "ANSWER_S", 0.3)
    client(monkeypatch, tmp_path, 'case "$1" in run) exec sleep 60;; esac')
    with pytest.raises(MachineError, match=r"image of vllm does not say .* does not answer for 0\.3 s") as caught:
        ask_image(IMAGE, "vllm", IDS)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("--entrypoint python 0123456789ab -m runners vllm --describe")
    calls = (tmp_path / "calls").read_text().splitlines()
    name = calls[0].split("--name ")[1].split()[0]
    assert f"rm --force --volumes {name}" in calls


def test_this_environment_is_asked_in_a_process_of_its_own() -> None:
    said = ask_here("simulated")
    assert said.backend == "simulated"
    with pytest.raises(MachineError, match="cannot be asked what it takes"):
        ask_here("nothing")


def test_an_environment_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "ANSWER_S", 0.001)
    with pytest.raises(MachineError, match="importing it takes longer"):
        ask_here("simulated")
