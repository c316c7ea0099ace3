"""The compose client's command lines, and what becomes of its failures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.dispatch.compose import Compose, exec_arguments, run_arguments
from orchestrator.errors import InterruptedCampaignError, MachineError
from tests.e2e.test_local import until


def test_a_run_is_removed_and_marked() -> None:
    arguments = run_arguments("pytorch", ["--request", "/r"], name="n", labels={"a": "b c"}, variables={"V": "1"})
    assert arguments[:2] == ["run", "--rm"]
    assert arguments[arguments.index("--name") + 1] == "n"
    assert arguments[arguments.index("--label") + 1] == "a=b c"
    assert arguments[arguments.index("--env") + 1] == "V=1"
    assert arguments[-3:] == ["pytorch", "--request", "/r"]


def test_an_execution_is_told_its_variables() -> None:
    assert exec_arguments("pytorch", ["python"], variables={"V": "1"})[-4:] == ["--env", "V=1", "pytorch", "python"]


def test_files_count_from_the_project_and_the_override_comes_last() -> None:
    compose = Compose(Path("/p"), ("a.yaml", "b.yaml"), {}, {"services": {}}, "name")
    assert compose.arguments(["ps"]) == [
        *("compose", "--project-directory", "/p"),
        *("--file", "a.yaml", "--file", "b.yaml", "--file", "-"),
        *("--project-name", "name", "ps"),
    ]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Compose]:
    """A stand-in for the docker client, which runs this shell script."""

    def installed(script: str) -> Compose:
        fake = tmp_path / "bin" / "docker"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
        return Compose(tmp_path, ("compose.yaml",), dict(os.environ), {"services": {"x": {"command": "$$HOME"}}})

    return installed


def test_the_override_is_read_from_standard_input(client: Callable[[str], Compose]) -> None:
    config = client("cat").config()
    assert config == {"services": {"x": {"command": "$$HOME"}}}


def test_a_failure_says_the_last_thing_that_the_client_said(client: Callable[[str], Compose]) -> None:
    with pytest.raises(MachineError, match="docker compose config failed: service x is wrong"):
        client("echo Container made >&2; echo service x is wrong >&2; echo >&2; exit 15").config()


def test_a_client_that_does_not_answer_is_given_up(client: Callable[[str], Compose]) -> None:
    with pytest.raises(MachineError, match="does not answer"):
        client("exec sleep 60").call("ps", timeout_s=0.2)


def test_a_failed_build_is_an_error(client: Callable[[str], Compose]) -> None:
    with pytest.raises(MachineError, match="build pytorch failed with exit code 17"):
        client("exit 17").build(["pytorch"], quiet=True, should_stop=lambda: False)


def test_a_build_that_is_asked_to_stop_is_ended(client: Callable[[str], Compose], tmp_path: Path) -> None:
    building = client(f"sleep 60 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(InterruptedCampaignError):
        building.build(["pytorch"], quiet=True, should_stop=(tmp_path / "child").exists)
    child = int(until(lambda: (tmp_path / "child").read_text().strip()))
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_a_silent_failure_tells_its_exit_code(client: Callable[[str], Compose]) -> None:
    with pytest.raises(MachineError, match="it said nothing, exit code 7"):
        client("exit 7").call("run")


def test_a_started_client_has_its_own_session_and_variables(client: Callable[[str], Compose], tmp_path: Path) -> None:
    compose = client('cat; echo " $MARK"; ps -o sid= -p $$')
    with (tmp_path / "log").open("wb") as log:
        process = compose.start(["run"], log, {"MARK": "m"})
    assert process.wait() == 0
    override, session = (tmp_path / "log").read_text().splitlines()
    assert override == json.dumps(compose.override) + " m"
    assert int(session) == process.pid
