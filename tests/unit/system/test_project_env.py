from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchestrator.errors import InputError, MachineError, OrchestratorError
from orchestrator.system.docker import Docker, service_images
from orchestrator.system.project_env import complete_env, compose_files, read_env, wanted_env
from runners.contract.request import Gpu
from tests.unit.system.docker_states import use_real_engine

GPUS = [Gpu(index=0, uuid="GPU-0", name="H200")]
SIMULATED = [Gpu(index=0, uuid="GPU-0", name="Simulated H100")]
WANTED = {"PUID": "1000", "PGID": "1000"}


def docker(*, rootless: bool = False, runtimes: tuple[str, ...] = ("runc",)) -> Docker:
    return Docker("28.2.2", rootless, frozenset(runtimes), Path("/var/lib/docker"), "5.6.1")


@pytest.mark.parametrize(
    ("engine", "gpus", "files"),
    [
        (docker(), [], "compose.yaml"),
        (docker(), GPUS, "compose.yaml"),
        (docker(runtimes=("runc", "nvidia")), [], "compose.yaml"),
        (docker(runtimes=("runc", "nvidia")), SIMULATED, "compose.yaml"),
        (docker(runtimes=("runc", "nvidia")), GPUS, "compose.yaml:compose.gpu.yaml"),
    ],
)
def test_the_gpu_file_is_named_where_containers_can_have_a_gpu(engine: Docker, gpus: list[Gpu], files: str) -> None:
    assert wanted_env(engine, gpus, Path("results"))["COMPOSE_FILE"] == files


def test_whom_results_belong_to() -> None:
    assert (
        wanted_env(docker(), [], Path("results")).items()
        >= {"PUID": str(os.getuid()), "PGID": str(os.getgid())}.items()
    )
    assert wanted_env(docker(rootless=True), [], Path("results")).items() >= {"PUID": "0", "PGID": "0"}.items()


def test_with_the_group_that_may_write_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o775)
    group = tmp_path.stat().st_gid
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(os, "getgid", lambda: group + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [group])
    assert wanted_env(docker(), [], tmp_path)["PGID"] == str(group)


FILE, SEPARATOR = "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR"


@pytest.mark.parametrize(
    ("env", "environ", "files"),
    [
        ("", {}, ["compose.yaml"]),
        ("COMPOSE_FILE=\n", {}, ["compose.yaml"]),
        ("COMPOSE_FILE=a:b\n", {}, ["a", "b"]),
        ("COMPOSE_FILE=a:b\n", {FILE: "c"}, ["c"]),
        ("COMPOSE_FILE=a;b:c\nCOMPOSE_PATH_SEPARATOR=;\n", {}, ["a", "b:c"]),
        ("COMPOSE_PATH_SEPARATOR=;\n", {FILE: "a;b:c"}, ["a", "b:c"]),
        ("COMPOSE_FILE=a,b;c\nCOMPOSE_PATH_SEPARATOR=;\n", {SEPARATOR: ","}, ["a", "b;c"]),
        ("COMPOSE_FILE=a:b;c\nCOMPOSE_PATH_SEPARATOR=;\n", {SEPARATOR: ""}, ["a", "b;c"]),
    ],
)
def test_the_compose_files_of_a_project(env: str, environ: dict[str, str], files: list[str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env)
    assert compose_files(tmp_path, environ) == tuple(files)


@pytest.mark.parametrize(
    ("env", "environ"),
    [
        ("", {}),
        ("COMPOSE_FILE=a.yaml:b.yaml\n", {}),
        ("COMPOSE_FILE=a.yaml:b.yaml\n", {FILE: "b.yaml"}),
        ("COMPOSE_FILE=a.yaml;b.yaml\nCOMPOSE_PATH_SEPARATOR=;\n", {}),
        ("COMPOSE_PATH_SEPARATOR=;\n", {FILE: "a.yaml;b.yaml"}),
        ("COMPOSE_FILE=a.yaml,b.yaml\nCOMPOSE_PATH_SEPARATOR=;\n", {SEPARATOR: ","}),
        ("COMPOSE_FILE=a.yaml:b.yaml\nCOMPOSE_PATH_SEPARATOR=;\n", {SEPARATOR: ""}),
    ],
)
def test_they_are_those_that_real_compose_reads(
    env: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_real_engine(monkeypatch)
    for name in ("compose", "a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"services: {{{name}: {{image: {name}.yaml}}}}\n")
    (tmp_path / ".env").write_text(env)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert sorted(service_images(tmp_path).values()) == sorted(compose_files(tmp_path, os.environ))


def test_made_then_read_then_left_alone(tmp_path: Path) -> None:
    assert read_env(tmp_path) == {}
    assert complete_env(tmp_path, WANTED) == ["PUID", "PGID"]
    assert read_env(tmp_path) == WANTED
    before = (tmp_path / ".env").stat()
    assert complete_env(tmp_path, {"PUID": "7", "PGID": "7"}) == []
    assert (tmp_path / ".env").stat() == before
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_bytes_mode_and_owner_stay(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"HF_TOKEN='hf_\xff\xfe'\r\nPUID=5")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12346)
    before = path.stat()
    assert complete_env(tmp_path, WANTED) == ["PGID"]
    after = path.stat()
    assert path.read_bytes() == b"HF_TOKEN='hf_\xff\xfe'\r\nPUID=5\r\n# added by orchestrate\r\nPGID=1000\r\n"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    project.mkdir()
    shared.mkdir()
    (shared / "env").write_text("A=1\n")
    (project / ".env").symlink_to("../shared/env")
    complete_env(project, WANTED)
    assert (project / ".env").readlink() == Path("../shared/env")
    assert (shared / "env").read_text().startswith("A=1\n")
    assert read_env(project) == {"A": "1", **WANTED}
    assert [path.name for path in (*project.iterdir(), *shared.iterdir())] == [".env", "env"]


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("env.local")
    complete_env(tmp_path, WANTED)
    assert (tmp_path / ".env").is_symlink()
    assert "PUID=1000" in (tmp_path / "env.local").read_text()


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("folder", InputError, "is a folder"),
        ("loop", MachineError, r"\.env cannot be read: Too many levels"),
        ("into nowhere", MachineError, r"\.env cannot be written: No such file"),
    ],
)
def test_what_cannot_be_completed(what: str, error: type[OrchestratorError], message: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to({"loop": ".env", "into nowhere": "gone/env"}[what])
    with pytest.raises(error, match=message) as caught:
        complete_env(tmp_path, WANTED)
    assert caught.value.hint
    assert [each.name for each in tmp_path.iterdir()] == [".env"]
