"""The page on containers, its shell blocks run in order in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.conftest import REPOSITORY, docker

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("image_names")]

PAGE = REPOSITORY / "docs" / "how-to" / "containers.md"


def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    script = "set -ex\n" + "\n".join(blocks)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "my-project" / "results"
    assert len(list(results.glob("first/runs/*/c001/result.json"))) == 2
    assert len(list(results.glob("first-local/runs/*/c001/result.json"))) == 2
    assert len(list(results.glob("first-again/runs/*/c001/result.json"))) == 2
    assert len(list(results.glob("adhoc/runs/*/c001/result.json"))) == 1
    assert (
        docker("ps", "--all", "--quiet", "--filter", f"label=orchestrate.attempts={results}/first/attempts").stdout
        == ""
    )
