"""What the doctor makes of what it sees; the whole command is tried in tests/unit/cli and tests/e2e."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import MachineError
from orchestrator.system.config import UserConfig
from orchestrator.system.descriptions import Descriptions
from orchestrator.system.docker import Docker, NoDocker
from orchestrator.system.doctor import containers, examine, machine
from orchestrator.system.doctor.engines import Engine
from orchestrator.system.doctor.examine import VERDICT, is_ready, verdict
from orchestrator.system.doctor.finding import Examination, Finding, Status
from orchestrator.system.doctor.machine import Gpus
from orchestrator.system.gpu import Driver
from orchestrator.system.project import Project
from runners.contract.description import Description
from runners.contract.description import Engine as DescribedEngine
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.fingerprint import options_sha256
from runners.contract.paths import CONTRACT_VERSION
from runners.contract.request import Gpu
from tests.unit.system.docker_states import Answer, info, stand_in

GPU = Gpu(index=0, uuid="GPU-0", name="H200")
OTHER = Gpu(index=1, uuid="GPU-1", name="H200")
NO_GPU = Gpus([], [], None)
ONE_GPU = Gpus([GPU], [GPU], Driver("550.54", "12.4"))
SIMULATED_GPU = Gpu(index=0, uuid="GPU-2", name="Simulated H100")
SIMULATED = Gpus([SIMULATED_GPU], [SIMULATED_GPU], Driver("999.0-simulated", "12.8"))
HIDDEN = Gpus([GPU, OTHER], [], Driver("550.54", "12.4"))
PLAIN = Docker("28.2.2", False, frozenset({"runc"}), Path("/var/lib/docker"), "5.6.1")
NVIDIA = Docker("28.2.2", False, frozenset({"runc", "nvidia"}), Path("/var/lib/docker"), "5.6.1")
NONE = NoDocker("there is no docker client here", "install Docker Engine")
TORCH = {"torch": "2.13.0"}


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text("name: orchestrate\n")
    (tmp_path / "compose.gpu.yaml").touch()
    return Project(tmp_path, UserConfig())


@pytest.mark.parametrize(
    ("gpus", "visible", "status", "seen"),
    [
        (NO_GPU, None, Status.NOT_NEEDED, "none: runs use the CPU"),
        (ONE_GPU, None, Status.OK, "0: H200; driver 550.54"),
        (ONE_GPU._replace(present=[GPU, OTHER]), "0", Status.OK, "CUDA_VISIBLE_DEVICES=0 leaves 0"),
        (SIMULATED, None, Status.OK, "0: Simulated H100; simulated, none is measured; driver 999.0-simulated"),
        (HIDDEN, "", Status.WARNING, "CUDA_VISIBLE_DEVICES= leaves none: runs use the CPU"),
    ],
)
def test_gpus(gpus: Gpus, visible: str | None, status: Status, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    finding = only(machine.gpus(gpus))
    assert finding.status is status
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("gpus", "engine", "status", "seen"),
    [
        (None, Engine(versions=TORCH), Status.UNKNOWN, "cannot be looked at"),
        (NO_GPU, Engine(versions=TORCH), Status.NOT_NEEDED, "no GPU"),
        (HIDDEN, Engine(versions=TORCH), Status.NOT_NEEDED, "no GPU"),
        (SIMULATED, Engine(versions=TORCH), Status.NOT_NEEDED, "engines compute on the CPU"),
        (ONE_GPU, Engine(missing=("torch",)), Status.OK, "the driver knows CUDA 12.4"),
        (ONE_GPU, Engine(versions=TORCH), Status.MISSING, "pytorch is built without CUDA"),
        (ONE_GPU, Engine(versions=TORCH, cuda="13.0"), Status.MISSING, "built for 13.0, finds no GPU"),
        (ONE_GPU, Engine(versions=TORCH, cuda="12.4", sees_gpu=True), Status.OK, "is built for 12.4"),
    ],
)
def test_cuda(gpus: Gpus | None, engine: Engine, status: Status, seen: str) -> None:
    finding = only(machine.cuda(gpus, {"pytorch": engine, "simulated": Engine()}))
    assert finding.status is status
    assert seen in finding.seen
    assert bool(finding.advice) == (status is Status.MISSING)


def test_energy_counters(tmp_path: Path) -> None:
    absent = only(machine.rapl(NO_GPU, tmp_path))
    assert (absent.status, "energy is estimated" in absent.seen) == (Status.WARNING, True)
    assert "CPU energy is left out" in only(machine.rapl(ONE_GPU, tmp_path)).seen
    for zone in ("intel-rapl:0", "intel-rapl:0:1"):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text("1\n")
    assert only(machine.rapl(None, tmp_path)) == Finding("RAPL", Status.OK, "2 energy counters can be read")
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # root may read any file, but no folder as one
    unreadable = only(machine.rapl(NO_GPU, tmp_path))
    assert unreadable.status is Status.WARNING
    assert "intel-rapl:0/energy_uj cannot be read" in unreadable.seen
    assert "chmod a+r" in unreadable.advice


def test_room_is_looked_at_where_results_will_be(tmp_path: Path) -> None:
    away = Project(tmp_path / "not" / "there", UserConfig())
    docker = Docker("28", False, frozenset(), tmp_path, "5")
    results, images = machine.disks(away, docker)
    assert "GiB free in" in results.seen
    assert "GiB free in" in images.seen
    assert only(machine.disks(away, NONE)).name == "disk: results"
    _, elsewhere = machine.disks(away, Docker("28", False, frozenset(), tmp_path / "remote", "5"))
    assert (elsewhere.status, "cannot be seen from here" in elsewhere.seen) == (Status.UNKNOWN, True)
    assert list(tmp_path.iterdir()) == []


CLOSED = """
import sys
from pathlib import Path
from orchestrator.system.config import UserConfig
from orchestrator.system.docker import Docker
from orchestrator.system.doctor import containers, machine
from orchestrator.system.project import Project

hidden = Path(sys.argv[1])
docker = Docker("28", False, frozenset(), hidden, "5")
project = Project(hidden, UserConfig())
for finding in (*machine.disks(project, docker), *containers.ownership(project, docker, {})):
    print(finding.name, finding.status, finding.seen, sep="; ")
"""


def test_what_lies_behind_a_closed_folder_cannot_be_seen(tmp_path: Path) -> None:
    """As Docker's own folder does where it remaps users."""
    hidden = tmp_path / "closed" / "hidden"
    hidden.mkdir(parents=True)
    hidden.parent.chmod(0)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    argv = [*powerless, sys.executable, "-c", CLOSED, hidden]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    hidden.parent.chmod(0o700)
    assert done.stdout.splitlines() == [
        f"disk: results; broken; {hidden.parent} cannot be written",
        f"disk: images; unknown; {hidden}, where Docker keeps images, cannot be seen from here",
        "PUID, PGID; missing; not set: containers started by hand refuse to run",
    ], done.stderr


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(10 * 2**20, Status.BROKEN), (2**29, Status.WARNING), (2**40, Status.OK)]
)
def test_how_much_room_is_enough(
    free_bytes: int, status: Status, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = machine.shutil.disk_usage("/")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage._replace(free=free_bytes))
    assert only(machine.disks(project, None)).status is status


@pytest.mark.parametrize(
    ("docker", "gpus", "status"),
    [
        (PLAIN, NO_GPU, Status.NOT_NEEDED),
        (NONE, NO_GPU, Status.NOT_NEEDED),
        (NVIDIA, HIDDEN, Status.NOT_NEEDED),
        (PLAIN, SIMULATED, Status.NOT_NEEDED),
        (PLAIN, ONE_GPU, Status.MISSING),
        (NVIDIA, ONE_GPU, Status.OK),
        (NONE, ONE_GPU, Status.UNKNOWN),
        (PLAIN, None, Status.UNKNOWN),
    ],
)
def test_the_container_toolkit_matters_only_where_there_is_a_gpu(
    docker: Docker | NoDocker, gpus: Gpus | None, status: Status
) -> None:
    assert only(containers.toolkit(docker, gpus)).status is status


def test_docker() -> None:
    assert [finding.status for finding in containers.docker_engine(PLAIN)] == [Status.OK, Status.OK]
    engine, compose = containers.docker_engine(NONE)
    assert engine == Finding("Docker", Status.MISSING, NONE.reason, NONE.hint)
    assert compose.status is Status.UNKNOWN
    _, compose = containers.docker_engine(Docker("28", True, frozenset(), Path("/"), None))
    assert (compose.status, "docker-compose-plugin" in compose.advice) == (Status.MISSING, True)


CONFIG = (
    '{"services": {"pytorch": {"image": "orchestrate/pytorch:1"}, "pytorch-dev": {"image": "orchestrate/pytorch:1"},'
    ' "simulated": {"image": "orchestrate/simulated:1"}}}'
)


@pytest.mark.parametrize(
    ("docker", "gpus", "files", "status", "told"),
    [
        (PLAIN, NO_GPU, None, Status.OK, "compose.yaml"),
        (PLAIN, NO_GPU, "", Status.OK, "compose.yaml"),
        (NONE, NO_GPU, "compose.yaml:compose.gpu.yaml", Status.OK, "compose.gpu.yaml"),
        (PLAIN, NO_GPU, "compose.yaml:mine.yaml", Status.BROKEN, "mine.yaml: not there"),
        (PLAIN, NO_GPU, "compose.yaml:compose.gpu.yaml", Status.BROKEN, "no runtime nvidia"),
        (NVIDIA, ONE_GPU, None, Status.MISSING, "does not name compose.gpu.yaml"),
        (NVIDIA, HIDDEN, None, Status.OK, "compose.yaml"),
        (NVIDIA, SIMULATED, None, Status.OK, "compose.yaml"),
        (NVIDIA, ONE_GPU, "compose.yaml:compose.gpu.yaml", Status.OK, "compose.gpu.yaml"),
    ],
)
def test_compose_files_with_a_stand_in_client(
    docker: Docker | NoDocker,
    gpus: Gpus,
    files: str | None,
    status: Status,
    told: str,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(monkeypatch, project.folder, {"compose --project-directory": (CONFIG, "", 0)})
    variables = {} if files is None else {"COMPOSE_FILE": files}
    finding = only(containers.files(project, docker, gpus, variables))
    assert finding.status is status
    assert told in finding.seen


def test_compose_files_that_are_not_there_or_not_ours(tmp_path: Path) -> None:
    project = Project(tmp_path, UserConfig())
    absent = only(containers.files(project, NONE, NO_GPU, {}))
    assert (absent.status, "orchestrate init" in absent.advice) == (Status.MISSING, True)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    foreign = only(containers.files(project, NONE, NO_GPU, {}))
    assert (foreign.status, "is not of orchestrate" in foreign.seen) == (Status.MISSING, True)
    assert only(containers.images(project, PLAIN)).status is Status.UNKNOWN


def test_images_with_a_stand_in_client(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    old = '{"Id": "sha256:00112233445566778899", "Config": {"Labels": {"orchestrate.contract_version": "0"}}}'
    answers: dict[str, Answer] = {
        "compose --project-directory": (CONFIG, "", 0),
        "image inspect --format {{json .}} orchestrate/pytorch:1": ("", "Error: No such image: orchestrate/p", 1),
        "image inspect": (old, "", 0),
    }
    stand_in(monkeypatch, project.folder, answers)
    absent, outdated = containers.images(project, PLAIN)
    assert (absent.name, absent.status) == ("image pytorch", Status.MISSING)
    assert absent.advice == f"cd {project.folder} && docker compose build pytorch"
    assert (outdated.name, outdated.status) == ("image simulated", Status.MISSING)
    assert f"sha256:001122334455, contract 0; {CONTRACT_VERSION} is needed" in outdated.seen


def test_images_cannot_be_looked_at_without_docker_compose_or_files_it_can_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, project.folder, {"info": (info(), "", 0), "compose --project": ("", "yaml: line 3", 15)})
    without = Docker("28", False, frozenset(), Path("/"), None)
    for docker in (NONE, without, PLAIN):
        assert only(containers.images(project, docker)).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({}, Status.MISSING),
        ({"PUID": "", "PGID": ""}, Status.MISSING),
        ({"PUID": str(os.getuid())}, Status.MISSING),
        ({"PUID": "4242", "PGID": str(os.getgid())}, Status.WARNING),
        ({"PUID": str(os.getuid()), "PGID": str(os.getgid())}, Status.OK),
    ],
)
def test_whom_results_will_belong_to(variables: dict[str, str], status: Status, project: Project) -> None:
    finding = only(containers.ownership(project, PLAIN, variables))
    assert finding.status is status
    assert (f"PUID={os.getuid()} and PGID={os.getgid()}" in finding.advice) == (status is not Status.OK)


def test_under_rootless_docker_that_is_root(project: Project) -> None:
    rootless = Docker("28", True, frozenset(), Path("/"), "5")
    assert only(containers.ownership(project, rootless, {"PUID": "0", "PGID": "0"})).status is Status.OK
    wrong = only(containers.ownership(project, rootless, {"PUID": "1000", "PGID": "1000"}))
    assert (wrong.status, "rootless" in wrong.seen) == (Status.WARNING, True)
    assert only(containers.ownership(project, NONE, {})).status is Status.UNKNOWN


def test_results_that_belong_to_somebody_else(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.results.mkdir()
    mine = {"PUID": str(os.getuid()), "PGID": str(os.getgid())}
    assert len(list(containers.ownership(project, PLAIN, mine))) == 1
    monkeypatch.setattr(os, "getuid", lambda: project.results.stat().st_uid + 1)
    *_, results = containers.ownership(project, PLAIN, mine)
    assert (results.name, results.status) == ("results", Status.WARNING)
    assert results.advice.startswith(f"sudo chown -R {os.getuid()}:")


def test_results_shared_by_a_group_are_fine(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.results.mkdir()
    project.results.chmod(0o2775)
    status = project.results.stat()
    monkeypatch.setattr(os, "getuid", lambda: status.st_uid + 1)
    monkeypatch.setattr(os, "getgid", lambda: status.st_gid + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [status.st_gid])
    fitting = {"PUID": str(os.getuid()), "PGID": str(status.st_gid)}
    assert only(containers.ownership(project, PLAIN, fitting)).status is Status.OK
    wrong, *more = containers.ownership(project, PLAIN, {**fitting, "PGID": str(os.getgid())})
    assert (wrong.status, more) == (Status.WARNING, [])
    assert f"PGID={status.st_gid}" in wrong.advice


LOCAL = {"backend pytorch": Status.OK, "CUDA": Status.NOT_NEEDED}
CONTAINED = {
    "Docker": Status.OK,
    "compose": Status.OK,
    "NVIDIA container toolkit": Status.NOT_NEEDED,
    "compose files": Status.OK,
    "image pytorch": Status.OK,
}


@pytest.mark.parametrize(
    ("found", "dispatch", "ways"),
    [
        (LOCAL, "auto", "pytorch as a process"),
        (CONTAINED, "auto", "pytorch in a container"),
        (LOCAL | CONTAINED, "auto", "pytorch as a process, pytorch in a container"),
        (LOCAL | CONTAINED, "local", "pytorch as a process"),
        (LOCAL | CONTAINED, "compose", "pytorch in a container"),
        (LOCAL, "compose", None),
        (CONTAINED, "local", None),
        (LOCAL | {"backend pytorch": Status.MISSING}, "auto", None),
        (LOCAL | {"CUDA": Status.MISSING}, "auto", None),
        ({"backend simulated": Status.OK, **CONTAINED, "image pytorch": Status.MISSING}, "auto", None),
        *((CONTAINED | {name: Status.MISSING}, "auto", None) for name in CONTAINED),
        ({}, "auto", None),
    ],
)
def test_what_can_run(found: dict[str, Status], dispatch: str, ways: str | None) -> None:
    findings = [Finding(name, status, "") for name, status in found.items()]
    said = verdict(findings, dispatch)
    assert said.status is (Status.OK if ways else Status.MISSING)
    if ways:
        assert said.seen == ways
    assert is_ready([*findings, said]) is bool(ways)
    assert not is_ready([*findings, Finding("other", Status.BROKEN, ""), said])
    assert is_ready([*findings, Finding("other", Status.MISSING, ""), said]) is bool(ways)


def test_one_engine_without_cuda_keeps_no_other_from_running() -> None:
    states = {
        "backend pytorch": Status.OK,
        "CUDA for pytorch": Status.OK,
        "backend vllm": Status.OK,
        "CUDA for vllm": Status.MISSING,
        "backend tensorrt": Status.MISSING,
    }
    findings = [Finding(name, status, "") for name, status in states.items()]
    assert verdict(findings, "auto").seen == "pytorch as a process"


def test_an_engine_that_stays_on_the_cpu_needs_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["vllm"], "may_use_gpu", False)
    engines = {"pytorch": Engine(versions=TORCH, cuda="12.4", sees_gpu=True), "vllm": Engine(versions=TORCH)}
    assert only(machine.cuda(ONE_GPU, engines)).name == "CUDA for pytorch"


def described(**changes: Any) -> Description:
    fields = {
        "contract_version": CONTRACT_VERSION,
        "backend": "simulated",
        "options_sha256": options_sha256(OPTIONS["simulated"], OPTIONS_RULES["simulated"]),
        "engine": DescribedEngine(version="engine 7"),
        "git_commit": "1" * 40,
    }
    return Description(**{**fields, **changes})


def with_image(project: Project, monkeypatch: pytest.MonkeyPatch, said: Description | None) -> Finding:
    """What is found of one image, which said this of itself before."""
    labels = {"orchestrate.contract_version": str(CONTRACT_VERSION), "orchestrate.engine_version": "6"}
    answers: dict[str, Answer] = {
        "compose --project-directory": ('{"services": {"simulated": {"image": "ours:1"}}}', "", 0),
        "image inspect": (json.dumps({"Id": "sha256:0011", "Config": {"Labels": labels}}), "", 0),
    }
    stand_in(monkeypatch, project.folder, answers)
    if said:
        Descriptions(project.state).keep("sha256:0011", said, cuda=False)
    return only(containers.images(project, PLAIN))


@pytest.mark.parametrize(
    ("said", "status", "seen"),
    [
        (None, Status.OK, "engine 6; it is asked when a campaign begins"),
        (described(), Status.OK, f"contract {CONTRACT_VERSION}, engine 7"),
        (described(options_sha256="0"), Status.MISSING, "it has other parameters of simulated"),
    ],
)
def test_an_image_is_told_of_by_what_it_said_with_a_stand_in_client(
    project: Project, monkeypatch: pytest.MonkeyPatch, said: Description | None, status: Status, seen: str
) -> None:
    finding = with_image(project, monkeypatch, said)
    assert finding.status is status
    assert seen in finding.seen
    assert bool(finding.advice) == (status is Status.MISSING)


def test_an_image_of_another_commit_is_told_of_and_is_fine(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "git_commit", lambda _: "2" * 40)
    finding = with_image(project, monkeypatch, described())
    assert finding.status is Status.OK
    assert finding.seen.endswith("engine 7; built from commit 1111111, and here is 2222222")


def test_a_thing_that_is_fine_only_at_times_is_not() -> None:
    findings = [Finding(name, status, "") for name, status in LOCAL.items()]
    assert verdict([*findings, Finding("CUDA", Status.MISSING, "")], "auto").status is Status.MISSING


def test_a_look_that_fails_becomes_a_finding() -> None:
    def fails() -> list[Finding]:
        raise ZeroDivisionError("impossible")

    def says_why() -> list[Finding]:
        raise MachineError("the driver is broken", hint="reboot")

    seen = Examination()
    seen.add("one", fails)
    seen.add("two", says_why)
    seen.add("three", lambda: [Finding("three", Status.OK, "")])
    assert [(finding.name, finding.status) for finding in seen.findings] == [
        ("one", Status.BROKEN),
        ("two", Status.BROKEN),
        ("three", Status.OK),
    ]
    assert "ZeroDivisionError: impossible" in seen.findings[0].seen
    assert seen.findings[1] == Finding("two", Status.BROKEN, "the driver is broken", "reboot")


def test_no_failing_look_hides_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("unheard of")

    names = [finding.name for finding in examine.examine(tmp_path)]
    monkeypatch.setattr(machine, "find_gpus", fails)
    monkeypatch.setattr(machine.shutil, "disk_usage", fails)
    for looked_at in ("find_docker", "find_engine", "read_env", "load_user_config"):
        monkeypatch.setattr(examine, looked_at, fails)
    found = examine.examine(tmp_path)
    assert {finding.name for finding in found if "unheard of" in finding.seen} == {
        ".orchestrate.yaml",
        "GPU",
        *(f"backend {backend}" for backend in OPTIONS),
        "Docker",
        ".env",
        "disks",
    }
    assert names[-1] == found[-1].name == VERDICT
    assert not is_ready(found)
