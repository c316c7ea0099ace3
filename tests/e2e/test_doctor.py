"""The doctor on this machine as it is, through the installed command."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from runners.contract.paths import CONTRACT_VERSION
from tests.e2e.commands import Project
from tests.unit.system.docker_states import make_image, remove_image, use_real_engine


def examine(project: Project, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = project.run("doctor", "--json", timeout_s=300, environment=environment)
    assert done.stderr == ""
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)}


def everything_in(folder: Path) -> set[tuple[str, float]]:
    return {(str(path), path.lstat().st_mtime) for path in folder.rglob("*")}


def test_the_real_docker_and_an_image_before_and_after_it_is_built(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_real_engine(monkeypatch)
    tag = f"orchestrate-test/{uuid.uuid4().hex}:1"
    project.write("compose.yaml", f"name: orchestrate\nservices:\n  pytorch: {{image: '{tag}', build: .}}\n")

    _, before = examine(project)
    version = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True)
    assert before["Docker"]["status"] == before["compose"]["status"] == before["compose files"]["status"] == "ok"
    assert before["Docker"]["seen"].startswith(version.stdout.strip())
    assert before["image pytorch"] == {
        "name": "image pytorch",
        "status": "missing",
        "seen": f"{tag} is not here",
        "advice": f"cd {project.folder} && docker compose build pytorch",
        "section": "running",
    }
    assert before["PUID, PGID"]["status"] == "missing"
    assert "in a container" not in before["can run"]["seen"]

    made = make_image(tag, f"orchestrate.contract_version={CONTRACT_VERSION}")
    try:
        _, after = examine(project)
    finally:
        remove_image(tag)
    assert after["image pytorch"]["status"] == "ok"
    assert made[:19] in after["image pytorch"]["seen"]


def test_the_real_client_with_no_engine_running(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    _, found = examine(project, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert found["Docker"]["status"] == "missing"
    assert "start the engine" in found["Docker"]["advice"]
    assert "in a container" not in found["can run"]["seen"]


@pytest.mark.engine
def test_the_real_engine_is_enough(project: Project) -> None:
    code, found = examine(project, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert code == 0
    assert found["backend pytorch"]["seen"].startswith("torch ")
    assert found["can run"]["seen"].startswith("pytorch as a process")


def test_it_makes_no_file_anywhere(project: Project, tmp_path: Path) -> None:
    project.write("compose.yaml", "name: orchestrate\nservices: {}\n")
    before = everything_in(tmp_path)
    examine(project)
    assert everything_in(tmp_path) == before
    text = project.run("doctor", timeout_s=300)
    assert "Traceback" not in text.stdout + text.stderr
    assert everything_in(tmp_path) == before


def test_compose_files_that_compose_cannot_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    project.write("compose.yaml", "name: orchestrate\nservices: {pytorch: {imag: x}}\n")
    code, found = examine(project)
    assert code == 3
    assert found["compose files"]["status"] == "broken"
    assert "imag" in found["compose files"]["seen"]
    assert found["images"]["status"] == "unknown"
