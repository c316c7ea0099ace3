"""The how-tos on pauses, failures and several at once, run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.commands import ORCHESTRATE, Project

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
FENCE = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("parallel.md", "simulated-model"),
        ("pacing.md", "paced-longer"),
        ("failures.md", "2"),
    ],
)
@pytest.mark.usefixtures("nvml_library")
def test_the_page_works_as_it_is_written(project: Project, page: str, shown: str) -> None:
    script = ""
    for language, title, body in FENCE.findall((HOW_TO / page).read_text(encoding="utf-8")):
        if language == "yaml":
            project.write(title, body)
        else:
            script += body
    path = f"{Path(ORCHESTRATE).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=project.folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown in done.stdout
