"""Local first; containers where the engine is not here, or where there are several."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.dispatch import choose
from orchestrator.dispatch.choose import choose_dispatcher
from orchestrator.dispatch.scene import Scene
from orchestrator.errors import MachineError
from runners.contract.options import OPTIONS, SimulatedOptions

INFO = '{"ServerVersion": "27.0.0", "SecurityOptions": [], "Runtimes": {}, "DockerRootDir": "/"}'


class OtherEngine(SimulatedOptions):
    MODULES = ("json",)


@pytest.fixture(autouse=True)
def on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may themselves be run in a container."""
    monkeypatch.setattr(choose, "inside_container", lambda: False)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, tmp_path / "results", "base")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a docker client with an engine and compose behind it."""
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.write_text(f"#!/bin/sh\ncase $1 in info) echo '{INFO}';; compose) echo 5.0.0;; esac\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent), prepend=os.pathsep)


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("no_such_engine",))


@pytest.mark.usefixtures("docker")
def test_one_engine_that_is_here_runs_here(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("json",))
    assert choose_dispatcher(["pytorch"], scene).dispatching.dispatcher == "local"
    assert choose_dispatcher(["simulated"], scene).dispatching.dispatcher == "local"
    assert choose_dispatcher(["pytorch", "simulated"], scene).dispatching.dispatcher == "local", (
        "the simulated one is no engine"
    )


@pytest.mark.usefixtures("docker")
def test_an_engine_that_is_not_here_runs_in_a_container(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch)
    assert choose_dispatcher(["pytorch"], scene).dispatching.dispatcher == "compose"


@pytest.mark.usefixtures("docker")
def test_several_engines_run_in_containers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("json",))
    monkeypatch.setitem(OPTIONS, "other", OtherEngine)
    assert choose_dispatcher(["pytorch", "other"], scene).dispatching.dispatcher == "compose"


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize(
    ("backends", "dispatcher"),
    [
        (["pytorch", "simulated"], "local"),
        (["vllm"], "compose"),
        (["vllm", "simulated"], "compose"),
        (["pytorch", "vllm"], "compose"),
        (["pytorch", "tensorrt", "vllm"], "compose"),
    ],
)
def test_with_pytorch_alone_installed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, backends: list[str], dispatcher: str
) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("json",))
    for backend in ("vllm", "tensorrt"):
        monkeypatch.setattr(OPTIONS[backend], "MODULES", ("no_such_engine",))
    assert choose_dispatcher(backends, scene).dispatching.dispatcher == dispatcher


@pytest.mark.usefixtures("no_docker")
def test_inside_a_container_an_engine_that_is_not_there_is_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("json",))
    monkeypatch.setattr(OPTIONS["vllm"], "MODULES", ("no_such_engine",))
    monkeypatch.setattr(choose, "inside_container", lambda: True)
    choose_dispatcher(["pytorch"], scene).check([])
    with pytest.raises(MachineError, match="the backend vllm needs no_such_engine"):
        choose_dispatcher(["pytorch", "vllm"], scene).check([])


@pytest.mark.usefixtures("docker")
def test_inside_a_container_what_is_there_is_local_and_for_the_rest_docker_is_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "inside_container", lambda: True)
    for backend in ("pytorch", "vllm"):
        monkeypatch.setattr(OPTIONS[backend], "MODULES", ("json",))
    assert choose_dispatcher(["pytorch", "vllm"], scene).dispatching.dispatcher == "local"
    absent(monkeypatch)
    assert choose_dispatcher(["pytorch", "vllm"], scene).dispatching.dispatcher == "compose"


@pytest.mark.usefixtures("no_docker")
def test_what_is_wanted_is_taken(scene: Scene) -> None:
    assert choose_dispatcher(["simulated"], scene, "compose").dispatching.dispatcher == "compose"
    assert choose_dispatcher(["simulated"], scene, "local").dispatching.dispatcher == "local"


@pytest.mark.usefixtures("no_docker")
def test_where_no_way_is_open_both_are_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch)
    with pytest.raises(
        MachineError, match=r"pytorch needs no_such_engine.*containers cannot be used: .*docker"
    ) as caught:
        choose_dispatcher(["pytorch"], scene)
    assert "pip install" in (caught.value.hint or "")
    assert "install Docker" in (caught.value.hint or "")
