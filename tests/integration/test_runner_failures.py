"""Failures that are really provoked, each through ``python -m runners``: its kind, exit code, message and hint."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runners.backends.models import _from_hub
from runners.contract.names import HUB_FILES
from runners.contract.paths import EXIT_CODES, FailureKind
from tests.e2e.hub import Repository, serving

WORKLOAD = {"prompts": 2, "output_tokens": 4}
PYTORCH = {"backend": "pytorch", "dtype": "float32"}

pytestmark = pytest.mark.engine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def stand_in(folder: Path, code: str) -> str:
    """A package called transformers whose import does this; what PYTHONPATH has to be for it."""
    (folder / "transformers").mkdir(parents=True)
    (folder / "transformers" / "__init__.py").write_text(code)
    return f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


def fails(runner, kind: FailureKind, backend: str = "pytorch", **environment: str) -> str:
    """Runs it; the message of a failure of this kind."""
    assert runner.run(backend, **environment) == EXIT_CODES[kind], runner.log()
    failure = runner.failure()
    assert failure.kind is kind
    assert failure.hint
    assert f"{kind.value}: {failure.message}" in runner.log()
    return f"{failure.message}; hint: {failure.hint}"


def test_an_engine_that_is_not_installed(runner) -> None:
    runner.write(WORKLOAD, {"backend": "tensorrt"})
    told = fails(runner, FailureKind.ENGINE_MISSING, "tensorrt")
    assert "tensorrt needs tensorrt_llm" in told
    assert "hint: install the engine: run it in its container" in told


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from json import absent", "ImportError: cannot import name 'absent' from 'json'"),
        ("import ctypes; ctypes.CDLL('libcudart.so.99')", "OSError: libcudart.so.99: cannot open shared object file"),
        ("import a_dependency_of_it", "ModuleNotFoundError: No module named 'a_dependency_of_it'"),
        ("raise RuntimeError('built for another driver')", "RuntimeError: built for another driver"),
    ],
)
def test_an_engine_that_breaks_when_it_is_imported(runner, tmp_path: Path, code: str, words: str) -> None:
    runner.write(WORKLOAD, PYTORCH)
    told = fails(runner, FailureKind.ENGINE_BROKEN, PYTHONPATH=stand_in(tmp_path / "fake", code))
    assert f"torch and transformers cannot be imported: {words}" in told
    assert "import it by hand to see why" in told


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("bytearray(1 << 60)", FailureKind.OUT_OF_MEMORY),
        ("class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError('CUDA')", FailureKind.GPU_OUT_OF_MEMORY),
        ("raise OSError(28, 'No space left on device')", FailureKind.DISK_FULL),
    ],
)
def test_what_runs_out_while_an_engine_is_imported_does_not_make_it_broken(
    runner, tmp_path: Path, code: str, kind: FailureKind
) -> None:
    runner.write(WORKLOAD, PYTORCH)
    fails(runner, kind, PYTHONPATH=stand_in(tmp_path / "fake", code))


def test_a_crash_leaves_the_stack_in_the_log(runner, tmp_path: Path) -> None:
    runner.write(WORKLOAD, PYTORCH)
    broken = stand_in(tmp_path / "fake", "import ctypes; ctypes.string_at(0)")
    assert runner.run("pytorch", PYTHONPATH=broken) == -11
    assert "Fatal Python error: Segmentation fault" in runner.log()
    assert "transformers/__init__.py" in runner.log()
    assert not (runner.folder / "failure.json").exists()


def test_a_hub_library_that_tells_no_size_in_advance_downloads_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_before_1_0(repo_id: str, *, revision: str | None = None, allow_patterns: list[str] | None = None) -> str:
        return f"/cache/{repo_id}/{revision}"

    monkeypatch.setattr("huggingface_hub.snapshot_download", of_before_1_0)
    assert _from_hub("org/some@abc", HUB_FILES) == (Path("/cache/org/some/abc"), "abc")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """What looks like a model of three MiB."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(3 * 2**20))
    return folder


def from_hub(make: Callable[[], Repository], runner, kind: FailureKind, cache: Path, model: str = "org/some") -> str:
    runner.write(WORKLOAD, PYTORCH, model=model)
    with serving(make()) as hub:
        return fails(runner, kind, HF_ENDPOINT=hub.url, HF_HOME=str(cache), HF_TOKEN="")


def test_a_gated_model(runner, weights: Path, tmp_path: Path) -> None:
    told = from_hub(
        lambda: Repository("org/some", weights, token="hf_x"), runner, FailureKind.MODEL_GATED, tmp_path / "hf"
    )
    assert "the Hugging Face hub refuses org/some" in told
    assert "accept the licence on the page of org/some, and set HF_TOKEN" in told


def test_a_model_that_is_not_there(runner, weights: Path, tmp_path: Path) -> None:
    told = from_hub(
        lambda: Repository("org/some", weights), runner, FailureKind.MODEL_NOT_FOUND, tmp_path / "hf", "org/none"
    )
    assert "org/none cannot be had from the Hugging Face hub" in told


def test_a_model_that_the_disk_has_no_room_for_is_not_begun(runner, weights: Path, small_disk: Path) -> None:
    told = from_hub(lambda: Repository("org/some", weights), runner, FailureKind.DISK_FULL, small_disk)
    assert "org/some needs 3 MiB more in" in told
    assert "set HF_HOME to a folder on a larger disk" in told
    assert list(small_disk.rglob("*.safetensors")) == []


def test_a_disk_that_fills_up_while_a_model_comes(runner, weights: Path, small_disk: Path) -> None:
    told = from_hub(lambda: Repository("org/some", weights, size_told=10), runner, FailureKind.DISK_FULL, small_disk)
    assert "org/some does not fit into" in told
