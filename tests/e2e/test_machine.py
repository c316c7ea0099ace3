"""What the machine lacks: room, permission, an engine, a GPU. Clear words, exit 3, nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import Project

CAMPAIGN = """
name: filled
model: any/model
workload: {prompts: 10, output_tokens: 20}
backends:
  simulated: {tokens_per_s: 100, batch_size: [1, 2]}
"""

Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    mounted: list[Path] = []

    def make(options: str) -> Path:
        folder = tmp_path / f"mounted{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take the last byte there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    return ballast


def test_a_disk_that_fills_up_during_a_run(mount: Mount) -> None:
    project = Project(mount("size=80m"))
    host = project.start("campaign", str(project.write("filled.yaml", CAMPAIGN)))
    project.wait_for_runner(host, phase="window")
    ballast = fill(project.folder)
    output, _ = host.communicate(timeout=60)
    assert host.returncode == 3, output
    assert "Traceback" not in output
    assert "disk is full" in output
    assert "make room, then `orchestrate resume filled`" in output or "the folder is there, has room" in output
    assert list(project.results.rglob("*.new")) == []
    assert project.processes() == []
    ballast.unlink()
    resumed = project.run("resume", "filled")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert project.json("status", "filled")["completed"] == 2


def test_a_disk_that_is_full_from_the_start(mount: Mount) -> None:
    project = Project(mount("size=8m"))
    done = project.run("campaign", str(project.write("filled.yaml", CAMPAIGN)))
    assert done.returncode == 3
    assert "MiB free" in done.stderr
    assert not (project.results / "filled").exists()


def test_a_results_folder_that_cannot_be_written(mount: Mount, tmp_path: Path) -> None:
    file = tmp_path / "filled.yaml"
    file.write_text(CAMPAIGN)
    readonly = mount("size=8m,ro")
    done = Project(tmp_path / "elsewhere").run("campaign", str(file), "--project-dir", str(readonly))
    assert done.returncode == 3
    assert f"{readonly}" in done.stderr
    assert "cannot be written" in done.stderr
    assert "--project-dir" in done.stderr


def test_a_file_where_results_should_be(project: Project) -> None:
    (project.folder / "results").write_text("mine")
    done = project.run("campaign", str(project.write("filled.yaml", CAMPAIGN)))
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert (project.folder / "results").read_text() == "mine"


def test_a_gpu_that_is_not_there(project: Project) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have a GPU")
    named = project.run("campaign", str(project.write("gpu.yaml", CAMPAIGN + "gpus: [7]\n")))
    assert named.returncode == 3
    assert "gpus: 7 not found: this machine has no GPU" in named.stderr
    wanted = CAMPAIGN.replace("simulated: {tokens_per_s: 100, batch_size: [1, 2]}", "pytorch: {device: cuda}")
    declared = project.run("campaign", str(project.write("cuda.yaml", wanted)))
    assert declared.returncode == 3
    assert "no GPU" in declared.stderr
    assert not (project.folder / ".state").exists()


def test_a_user_config_that_is_wrong_stops_everything(project: Project) -> None:
    project.write(".orchestrate.yaml", "results_dri: elsewhere\n")
    for command in (["status"], ["campaign", str(project.write("filled.yaml", CAMPAIGN))], ["resume"]):
        done = project.run(*command)
        assert done.returncode == 2
        assert ".orchestrate.yaml:1: results_dri: unknown key (did you mean 'results_dir'?)" in done.stderr


def test_the_user_config_is_applied(project: Project) -> None:
    project.write(".orchestrate.yaml", "results_dir: elsewhere\ncpu_tdp_w: 65\n")
    done = project.run("campaign", str(project.write("filled.yaml", CAMPAIGN.replace("prompts: 10", "prompts: 2"))))
    assert done.returncode == 0, done.stderr
    assert not project.results.exists()
    requests = list((project.folder / "elsewhere").rglob("request.json"))
    assert len(requests) == 2
    assert all('"cpu_tdp_w": 65.0' in request.read_text() for request in requests)
