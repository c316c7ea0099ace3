from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import MachineError
from orchestrator.system import docker as module
from orchestrator.system.docker import (
    Docker,
    NoDocker,
    call_docker,
    caller_ids,
    find_docker,
    find_image,
    inside_container,
    require_docker,
    service_images,
)
from tests.unit.system.docker_states import (
    DENIED,
    STOPPED,
    Answer,
    info,
    make_image,
    no_client,
    put_client,
    remove_image,
    stand_in,
    use_real_client,
    use_real_engine,
)


def test_the_real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    docker = require_docker()
    said = subprocess.run(["docker", "info"], capture_output=True, text=True, check=True).stdout
    assert f"Server Version: {docker.version}\n" in said
    assert f"Docker Root Dir: {docker.data_root}\n" in said
    assert "runc" in docker.runtimes
    assert ("rootless" in said) == docker.rootless
    assert docker.compose
    assert docker.compose[0].isdigit()


def test_images_of_the_real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    name = f"orchestrate-test/{uuid.uuid4().hex}:1"
    assert find_image(name) is None
    made = make_image(name, "orchestrate.contract_version=7")
    try:
        image = find_image(name)
        assert image is not None
        assert (image.id, image.labels) == (made, {"orchestrate.contract_version": "7"})
    finally:
        remove_image(name)
    made = make_image(name)
    try:
        assert find_image(made) == module.Image(made, {})
    finally:
        remove_image(name)


@pytest.mark.parametrize(
    ("variable", "value", "reason", "hint"),
    [
        ("DOCKER_HOST", "unix:///nowhere/docker.sock", "unix:///nowhere/docker.sock", "start the engine"),
        ("DOCKER_HOST", "tcp://127.0.0.1:1", "tcp://127.0.0.1:1", "start the engine"),
        ("DOCKER_CONTEXT", "nowhere", 'context "nowhere"', "`docker info` must work"),
    ],
)
def test_the_real_client_without_an_engine(
    variable: str, value: str, reason: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_real_client(monkeypatch)
    monkeypatch.setenv(variable, value)
    found = find_docker()
    assert isinstance(found, NoDocker)
    assert reason in found.reason
    assert hint in found.hint
    with pytest.raises(MachineError, match=r"does not answer|Cannot connect") as caught:
        find_image("any")
    assert caught.value.hint == found.hint


def test_the_real_engine_refuses_somebody_who_is_not_in_its_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    use_real_engine(monkeypatch)
    monkeypatch.delenv("DOCKER_CONFIG")
    nobody = f"{shutil.which('setpriv')} --reuid=65534 --regid=65534 --clear-groups {shutil.which('docker')}"
    put_client(monkeypatch, tmp_path, f'#!/bin/sh\nHOME=/ exec {nobody} "$@"\n')
    found = find_docker()
    assert isinstance(found, NoDocker)
    assert found.reason == "permission denied on the Docker engine's socket"
    assert "usermod -aG docker" in found.hint


def test_the_services_that_real_compose_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_real_engine(monkeypatch)
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a: {image: 'org/a:${TAG}'}\n  b: {build: .}\n  c: {image: c, profiles: [dev]}\n"
    )
    (tmp_path / ".env").write_text("TAG=3\n")
    assert service_images(tmp_path) == {"a": "org/a:3", "c": "c"}
    (tmp_path / "compose.yaml").write_text("services: {a: {imag: x}}\n")
    with pytest.raises(MachineError, match=r"`docker compose config` fails: .*imag"):
        service_images(tmp_path)


def test_no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_client(monkeypatch, tmp_path)
    with pytest.raises(MachineError, match="no docker client") as caught:
        require_docker()
    assert "install Docker" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("answer", "reason", "hint"),
    [
        (("{}", DENIED, 1), "permission denied on the Docker engine's socket", "usermod -aG docker"),
        (("", f"WARNING: Error loading config file: permission denied\n{STOPPED}", 1), "Cannot connect", "start the"),
        ((info(ServerVersion="", ServerErrors=[STOPPED]), "", 0), "Cannot connect", "start the engine"),
        ((info(ServerVersion="", ServerErrors=[DENIED]), "", 0), "permission denied", "usermod"),
        (("host:\n  arch: amd64\n", "", 0), "does not answer: `docker info` ended with 0", "`docker info` must work"),
        (("[]", "", 1), "`docker info` ended with 1", "`docker info` must work"),
        (("\xff\0", "panic", 2), "does not answer: panic", "`docker info` must work"),
    ],
)
def test_a_stand_in_client_whose_engine_cannot_be_used(
    answer: Answer, reason: str, hint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(monkeypatch, tmp_path, {"info": answer})
    found = find_docker()
    assert isinstance(found, NoDocker)
    assert reason in found.reason
    assert hint in found.hint


def test_a_stand_in_client_of_a_rootless_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, tmp_path, {"info": (info(SecurityOptions=["name=seccomp", "name=rootless"]), "", 0)})
    docker = require_docker()
    assert docker.rootless
    assert str(caller_ids(docker)) == "0:0"


def test_a_stand_in_client_of_an_engine_with_the_nvidia_runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(monkeypatch, tmp_path, {"info": (info(Runtimes={"runc": {}, "nvidia": {}}), "a warning", 0)})
    docker = require_docker()
    assert docker.nvidia
    assert not docker.rootless
    assert caller_ids(docker) == (os.getuid(), os.getgid())


def test_a_stand_in_client_without_compose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, tmp_path, {"info": (info(), "", 0), "compose version": ("", "unknown flag: --short", 125)})
    found = find_docker()
    assert isinstance(found, Docker)
    assert not found.nvidia
    with pytest.raises(MachineError, match="no compose plugin") as caught:
        require_docker()
    assert "docker-compose-plugin" in str(caught.value.hint)


def test_a_client_that_hangs_is_not_waited_for_and_neither_is_its_plugin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_client(monkeypatch, tmp_path, f"#!/bin/sh\n/bin/sleep 60 &\necho $! > {tmp_path}/plugin\nwait\n")
    with pytest.raises(MachineError, match=r"docker info does not answer for 0\.5 s") as caught:
        call_docker("info", timeout_s=0.5)
    assert caught.value.hint == "the engine may hang: `sudo systemctl restart docker`"
    assert_ends(int((tmp_path / "plugin").read_text()))


def test_a_plugin_that_outlives_its_client_is_ended_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_client(monkeypatch, tmp_path, f"#!/bin/sh\n/bin/sleep 60 &\necho $! > {tmp_path}/plugin\n")
    with pytest.raises(MachineError, match="does not answer"):
        call_docker("compose", "config", timeout_s=0.5)
    assert_ends(int((tmp_path / "plugin").read_text()))


def test_a_client_does_not_hear_the_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_client(monkeypatch, tmp_path, "#!/bin/sh\nread -r _ _ _ _ _ session _ < /proc/self/stat\necho $session $PWD\n")
    session, folder = call_docker("info", folder=tmp_path).stdout.split()
    assert int(session) != os.getsid(0)
    assert folder == str(tmp_path)


def assert_ends(process: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        ended = psutil.Process(process)
        psutil.wait_procs([ended], timeout=10)
        assert not ended.is_running() or ended.status() == psutil.STATUS_ZOMBIE


def test_a_client_that_is_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_client(monkeypatch, tmp_path, "\x7fELF, cut off")
    found = find_docker()
    assert isinstance(found, NoDocker)
    assert "cannot be started: Exec format error" in found.reason


@pytest.mark.parametrize(
    ("sign", "content", "inside"),
    [
        (".dockerenv", "", True),
        ("run/.containerenv", "", True),
        ("proc/1/cgroup", "12:cpu:/docker/4f2a\n", True),
        ("proc/1/cgroup", "12:cpu:/\n0::/kubepods/besteffort\n", True),
        ("proc/1/cgroup", "0::/init.scope\n", False),
        ("nothing", "", False),
    ],
)
def test_whether_we_are_in_a_container(sign: str, content: str, inside: bool, tmp_path: Path) -> None:
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).write_text(content)
    assert inside_container(tmp_path) is inside
