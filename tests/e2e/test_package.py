"""The wheel: complete, no engine forced on a host, and all that a project needs in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from email.parser import Parser
from pathlib import Path

import pytest

from tests.unit.system.docker_states import remove_image, use_real_engine

REPOSITORY = Path(__file__).parents[2]
BASE_IMAGE = "orchestrate-base:ci"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)], check=True)
    (made,) = folder.glob("llm_orchestrate-*.whl")
    return made


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    return tmp_path / "installed"


def run(code: str, installed: Path, folder: Path) -> str:
    """Run Python with the wheel's packages, in a folder that knows nothing of the repository."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return said([sys.executable, "-c", code], folder, environment)


def said(argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_runs_a_campaign_and_forces_no_engine(wheel: Path, installed: Path, tmp_path: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]
    assert "orchestrator/system/simulated_gpu/nvml.c" in names
    assert {"orchestrator/report/page/page.css", "orchestrator/report/page/page.js"} <= set(names)
    (metadata,) = installed.glob("*.dist-info/METADATA")
    required = Parser().parsestr(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist", [])
    required = [line for line in required if "extra ==" not in line]
    assert required
    assert not [line for line in required if line.startswith(("torch", "transformers", "vllm"))]

    code = (
        "import orchestrator as o; print(o.__file__);"
        "c = o.campaign_from_mapping({'name': 'wheel', 'model': 'any/model', 'backends': {'simulated': {}},"
        " 'workload': {'prompts': 2, 'output_tokens': 4}});"
        "print(o.run_campaign(c, project=o.find_project('.')).completed)"
    )
    where, completed = run(code, installed, tmp_path / "project").split()
    assert Path(where).is_relative_to(installed)
    assert completed == "1"


def test_a_project_made_by_the_wheel_builds_its_image_and_runs_in_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_real_engine(monkeypatch)
    project = tmp_path / "project"
    code = "import sys; sys.argv[1:] = ['init']; from orchestrator.cli import main; main()"
    assert "is a project. Next:" in run(code, installed, project)
    assert {path.name for path in project.iterdir()} == {
        ".dockerignore",
        ".env",
        ".orchestrate.yaml",
        ".state",
        "campaigns",
        "compose.gpu.yaml",
        "compose.yaml",
        "images",
        "results",
        "schemas",
    }
    check = "import sys; sys.argv[1:] = ['config', 'validate']; from orchestrator.cli import main; main()"
    assert "campaigns/first.yaml: ok (campaign, 4 runs)" in run(check, installed, project)
    assert run(code, installed, project).startswith("nothing to write\n")
    config = json.loads(said(["docker", "compose", "config", "--format", "json"], project))
    assert {"pytorch", "simulated"} <= config["services"].keys()
    assert config["services"]["simulated"]["environment"]["PUID"] == str(os.getuid())

    if subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no image {BASE_IMAGE} to build from; .ci/base-image makes it")
    monkeypatch.setenv("SIMULATED_BASE_IMAGE", BASE_IMAGE)
    tag = f"orchestrate-test/{uuid.uuid4().hex}:1"
    (tmp_path / "tag.yaml").write_text(f"services: {{simulated: {{image: '{tag}'}}}}\n")
    compose = ["docker", "compose", "--file", "compose.yaml", "--file", str(tmp_path / "tag.yaml")]
    try:
        said([*compose, "build", "simulated"], project)
        arguments = ["--model", "any/model", "--prompts", "2", "--output-tokens", "4"]
        said([*compose, "run", "--rm", "-T", "simulated", *arguments], project)
    finally:
        remove_image(tag)
    (result,) = (project / "results" / "adhoc").rglob("result.json")
    assert result.stat().st_uid == os.getuid()
