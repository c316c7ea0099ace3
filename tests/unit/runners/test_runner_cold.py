"""Private caches of a cold start, and the page cache of single files, as the kernel itself tells it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from runners import cold
from runners.contract.options import OPTIONS
from runners.contract.result import Check, ColdStart
from runners.errors import UnsupportedError
from runners.harness.checks import checks_of
from runners.page_cache import drop, resident_bytes
from tests.unit.runners.test_runner_checks import evidence, recorded


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cold start sets is gone again after the test."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize("backend", sorted(OPTIONS))
def test_every_cache_of_a_backend_is_an_empty_folder_of_its_own(make_request, tmp_path: Path, backend: str) -> None:
    request = make_request(options={"backend": backend}, force_cold_start=True)
    (tmp_path / "caches" / "triton_cache_dir").mkdir(parents=True)
    (tmp_path / "caches" / "triton_cache_dir" / "left by a runner that was killed").touch()
    os.environ["TLLM_AUTOTUNER_CACHE_PATH"] = "/shared/tuned.json"
    os.environ["HF_HOME"] = "/models"
    with cold.cold_start(request, tmp_path) as starter:
        assert starter is not None
        starter.drop([])
        assert starter.steps is not None
        named = starter.steps.private_caches
        folders = [Path(os.environ[name]) for name in named]
        assert len(set(folders)) == len(named)
        assert all(folder.parent == tmp_path / "caches" and not list(folder.iterdir()) for folder in folders)
        (tmp_path / "caches").mkdir(exist_ok=True)
        for folder in folders:
            (folder / "compiled.so").touch()
    assert bool(named) == (backend in ("pytorch", "vllm", "tensorrt"))
    assert list(tmp_path.iterdir()) == []
    assert "TLLM_AUTOTUNER_CACHE_PATH" not in os.environ
    assert os.environ["HF_HOME"] == "/models"


@pytest.mark.usefixtures("variables")
def test_nothing_is_touched_where_no_cold_start_was_asked_for(make_request, tmp_path: Path) -> None:
    before = dict(os.environ)
    with cold.cold_start(make_request(options={"backend": "pytorch"}), tmp_path) as starter:
        assert starter is None
        assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("variables")
def test_the_folders_go_with_a_run_that_fails(make_request, tmp_path: Path) -> None:
    request = make_request(options={"backend": "pytorch"}, force_cold_start=True)
    with pytest.raises(MemoryError), cold.cold_start(request, tmp_path):
        raise MemoryError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("variables")
def test_results_from_which_nothing_can_be_loaded_are_refused(
    make_request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NOSUID))
    request = make_request(options={"backend": "pytorch"}, force_cold_start=True)
    with pytest.raises(UnsupportedError, match="noexec"), cold.cold_start(request, tmp_path):
        pass
    with cold.cold_start(make_request(force_cold_start=True), tmp_path) as starter:
        assert starter is not None, "what compiles nothing may run there"


def cached_by_fincore(file: Path) -> int:
    done = subprocess.run(["fincore", "-b", "-n", "-o", "RES", file], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_file_is_dropped_from_the_page_cache_and_another_is_not(tmp_path: Path) -> None:
    if not shutil.which("fincore"):
        pytest.skip("there is no fincore here")
    model = tmp_path / "model"
    model.mkdir()
    dropped, kept = model / "weights", tmp_path / "kept"
    for file in (dropped, kept):
        file.write_bytes(os.urandom(3 * 2**20 + 5))
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(2**20))
    (model / "linked").symlink_to(blob)
    (model / "empty").touch()
    for file in (dropped, kept, blob):
        assert resident_bytes(file) == cached_by_fincore(file) >= file.stat().st_size, "what was written is cached"
    if (why_not := drop([model])) and "lie in memory" in why_not:
        pytest.skip("temporary files lie in memory here")
    assert why_not is None
    assert [cached_by_fincore(file) for file in (dropped, blob)] == [0, 0]
    assert resident_bytes(dropped) == resident_bytes(model / "empty") == 0
    assert cached_by_fincore(kept) >= kept.stat().st_size


def test_what_cannot_be_told_or_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"x" * 4096)
    assert "cannot be read: No such file" in (drop([tmp_path / "gone"]) or "")
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert resident_bytes(file) is None
    assert "another user's" in (drop([file]) or "")


def test_the_check_says_what_was_not_done(make_request) -> None:
    def seen(steps: ColdStart | None) -> list[Check]:
        judged = evidence(make_request(), recorded())._replace(cold_start=steps)
        return [check for check in checks_of(judged) if check.name == "cold_start"]

    assert seen(None) == []
    done = ColdStart(fresh_process=True, private_caches=["A", "B"], page_cache_dropped=True)
    (passed,) = seen(done)
    assert (passed.passed, passed.hint) == (True, None)
    assert "2 private and empty caches" in passed.observed
    (failed,) = seen(done.model_copy(update={"page_cache_dropped": False, "why_not": "it is in use"}))
    assert (failed.passed, failed.severity) == (False, "warning")
    assert failed.observed.endswith("it is in use")
