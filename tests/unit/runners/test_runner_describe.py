"""``python -m runners BACKEND --describe``, as a host asks it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.system.descriptions import misfit
from runners.contract.description import Description
from runners.contract.options import OPTIONS
from runners.contract.paths import CONTRACT_VERSION

ROOT = str(Path(__file__).parents[3])


def asked(*arguments: str, modules: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(modules), ROOT] if modules else [ROOT])
    return subprocess.run(
        [sys.executable, "-m", "runners", *arguments],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_one_line_that_suits_the_host_it_came_from() -> None:
    done = asked("simulated", "--describe", ORCHESTRATE_GIT_COMMIT="abc")
    assert (done.returncode, done.stderr) == (0, "")
    said = Description.model_validate_json(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (said.contract_version, said.backend, said.git_commit) == (CONTRACT_VERSION, "simulated", "abc")
    assert said.engine is not None
    assert said.engine.version == "simulated"
    assert misfit("simulated", said) is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise ImportError('libcudart.so.13: cannot open')", "ImportError: libcudart.so.13: cannot open"),
        ("raise RuntimeError('of two\\nlines')", "RuntimeError: of two lines"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
    ],
)
def test_an_engine_that_breaks_is_told_of_whatever_it_prints(tmp_path: Path, source: str, error: str) -> None:
    (tmp_path / "torch.py").write_text(f"import os\nprint('hello')\nos.system('echo from a child')\n{source}\n")
    done = asked("pytorch", "--describe", modules=tmp_path)
    assert done.returncode == 0
    said = Description.model_validate_json(done.stdout)
    assert (said.engine, said.engine_error) == (None, error)
    assert "hello" in done.stderr
    assert "from a child" in done.stderr


def test_an_unknown_backend_is_refused() -> None:
    done = asked("nothing", "--describe")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(backend in done.stderr for backend in OPTIONS)


def test_it_goes_with_no_other_flag() -> None:
    done = asked("simulated", "--describe", "--model", "org/model")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unrecognized arguments: --model" in done.stderr
