"""The wheel: complete, and no engine forced on a host."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_wheel_runs_a_campaign_and_forces_no_engine(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(REPOSITORY)], check=True)
    (wheel,) = tmp_path.glob("llm_orchestrate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        archive.extractall(tmp_path / "installed")
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]
    required = [line for line in Parser().parsestr(metadata).get_all("Requires-Dist", []) if "extra ==" not in line]
    assert required
    assert not [line for line in required if line.startswith(("torch", "transformers", "vllm"))]

    code = (
        "import orchestrator as o, pathlib; print(o.__file__);"
        "c = o.campaign_from_mapping({'name': 'wheel', 'model': 'any/model', 'backends': {'simulated': {}},"
        " 'workload': {'prompts': 2, 'output_tokens': 4}});"
        "print(o.run_campaign(c, project=o.find_project('.')).completed)"
    )
    project = tmp_path / "project"
    project.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, completed = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path / "installed")
    assert completed == "1"
