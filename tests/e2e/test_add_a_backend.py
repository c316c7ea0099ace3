"""``docs/how-to/add-a-backend.md``, done as it is written: in a copy of the repository, here and in its container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_docs import FENCE
from tests.e2e.test_package import BASE_IMAGE
from tests.unit.system.docker_states import remove_image, use_real_engine

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/how-to/add-a-backend.md"
SOURCES = ("orchestrator", "runners", "images", "compose.yaml", "compose.gpu.yaml", ".dockerignore", "pyproject.toml")
REGISTRY = "runners/contract/options/__init__.py"
UNION = re.compile(r"^BackendOptions = .*$", re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository with what the page says in it."""
    folder = tmp_path / "copy"
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    added = [(title, body) for _, title, body in FENCE.findall(PAGE.read_text(encoding="utf-8")) if title]
    for title, body in added:
        file = folder / title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_changed(title, file.read_text(), body) if file.exists() else body)
    assert len(added) == 8
    (folder / "campaigns/alphabet").mkdir()
    (folder / "campaigns/alphabet/letters.txt").write_text("abcdefghijklmnopqrstuvwxyz\n")
    return folder


def _changed(title: str, before: str, body: str) -> str:
    """A file of the repository with what the page adds to it."""
    if title != REGISTRY:
        return before.replace("\nvolumes:", f"\n{body}\nvolumes:") if "\nvolumes:" in before else before + body
    imported, union = body.strip().split("\n\n")
    (now,) = UNION.findall(before)
    assert union == f"{now} | LettersOptions", "the page shows the line as it is, and one member more"
    return UNION.sub(union, before).replace("\nfrom runners", f"\n{imported}\nfrom runners", 1)


def orchestrate(copy: Path, *arguments: str) -> str:
    """What the copy's own command line says."""
    code = "from orchestrator.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def results(copy: Path) -> list[dict[str, Any]]:
    """As they were written: this repository knows no such backend."""
    return [json.loads(file.read_text()) for file in (copy / "results/letters/runs").glob("letters-*/c*/result.json")]


def test_it_runs_where_its_engine_is_installed(copy: Path) -> None:
    said = orchestrate(copy, "campaign", "campaigns/letters.yaml", "--dry-run")
    assert "large-steps-go-forwards" in said, "a rule of one's own leaves out its points, and says so"
    orchestrate(copy, "campaign", "campaigns/letters.yaml")
    found = results(copy)
    assert len(found) == 5
    assert {result["effective_config"]["alphabet"][0] for result in found} == {"a", "z"}
    said = orchestrate(copy, "run", "--backend", "letters", "--model", "./campaigns/alphabet", "--step", "2")
    assert "letters.step" in said


def test_what_the_page_shows_is_written_as_the_rest_is(copy: Path) -> None:
    files = ["runners/backends/letters.py", "runners/contract/options/letters.py"]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *files], cwd=copy, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.docker
def test_it_runs_in_its_container(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    if subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no image {BASE_IMAGE} to build from; .ci/base-image makes it")
    monkeypatch.setenv("LETTERS_BASE_IMAGE", BASE_IMAGE)
    try:
        subprocess.run(["docker", "compose", "build", "letters"], cwd=copy, capture_output=True, check=True)
        orchestrate(copy, "campaign", "campaigns/letters.yaml", "--dispatch", "compose")
    finally:
        remove_image("orchestrate/letters:0.1.0")
    found = results(copy)
    assert len(found) == 5
    assert all(result["environment"]["container"] for result in found)
