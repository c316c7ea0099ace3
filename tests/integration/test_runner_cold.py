"""Cold starts with the real engine: what was compiled is compiled again, and the model comes from the disk."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runners.contract.result import RunResult
from tests.tiny import tiny_model

pytestmark = pytest.mark.engine

WORKLOAD = {"prompts": 1, "output_tokens": 4, "input_tokens": 8}
MEASUREMENT = {"warmup": {"iterations": 1}, "meter": "estimate"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def carried_out(runner, model: Path, options: dict, *, cold: bool, **environment: str) -> tuple[RunResult, int]:
    """The result, and the bytes that the runner had read from the disk."""
    fields = {"measurement": MEASUREMENT, "force_cold_start": cold, "model": str(model), "model_path": str(model)}
    runner.write(WORKLOAD, {"backend": "pytorch", "dtype": "bfloat16", **options}, contract_version=4, **fields)
    process = runner.start("pytorch", OMP_NUM_THREADS="1", **environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, runner.log()
    result = RunResult.model_validate_json((runner.folder / "result.json").read_text())
    return result, usage.ru_inblock * 512


def counting_compiler(folder: Path) -> tuple[str, Path]:
    """A C++ compiler that notes each call."""
    calls, compiler = folder / "calls", folder / "cxx"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec g++ "$@"\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    return str(compiler), calls


def test_kernels_are_compiled_again_and_the_shared_cache_is_left_as_it_is(make_runner, model, tmp_path) -> None:
    compiler, calls = counting_compiler(tmp_path)
    shared = tmp_path / "shared"
    environment = {"TORCHINDUCTOR_CACHE_DIR": str(shared), "CXX": compiler}

    def kernels(name: str, *, cold: bool) -> tuple[RunResult, int]:
        calls.unlink(missing_ok=True)
        result, _ = carried_out(make_runner(name), model, {"torch_compile": True}, cold=cold, **environment)
        return result, len(calls.read_text().splitlines()) if calls.exists() else 0

    first, compiled_first = kernels("first", cold=False)
    kept = {path: path.stat().st_mtime_ns for path in shared.rglob("*") if path.is_file()}
    warm, compiled_warm = kernels("warm", cold=False)
    cold, compiled_cold = kernels("cold", cold=True)

    assert first.effective_config["compiled_graphs"] == cold.effective_config["compiled_graphs"] > 0
    assert compiled_warm < compiled_first / 2, "the second run is served from the cache: else this shows nothing"
    assert compiled_cold > compiled_first / 2
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (first.cold_start, warm.cold_start, first.cold_start_steps) == (False, False, None)
    assert cold.cold_start_steps is not None
    assert "TORCHINDUCTOR_CACHE_DIR" in cold.cold_start_steps.private_caches
    assert cold.output_sha256 == warm.output_sha256
    assert not (tmp_path / "cold" / "caches").exists()


def test_the_model_is_read_from_the_disk(make_runner, model) -> None:
    size = (model / "model.safetensors").stat().st_size
    kind = subprocess.run(["stat", "-f", "-c", "%T", model], capture_output=True, text=True, check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        pytest.skip("temporary files lie in memory here")
    carried_out(make_runner("first"), model, {}, cold=False)
    _, warm_bytes = carried_out(make_runner("warm"), model, {}, cold=False)
    cold, cold_bytes = carried_out(make_runner("cold"), model, {}, cold=True)
    assert cold_bytes >= size > warm_bytes
    assert cold.cold_start is True
    assert cold.cold_start_steps is not None
    assert (cold.cold_start_steps.fresh_process, cold.cold_start_steps.page_cache_dropped) == (True, True)
    (check,) = [check for check in cold.checks if check.name == "cold_start"]
    assert check.passed


def test_a_model_that_another_process_holds_is_told_of(make_runner, model) -> None:
    file = model / "model.safetensors"
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import mmap,sys; f=open(sys.argv[1],'rb'); m=mmap.mmap(f.fileno(),0,access=mmap.ACCESS_READ);"
            "sum(m[::4096]); print('held', flush=True); sys.stdin.read()",
            str(file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        result, _ = carried_out(make_runner("beside"), model, {}, cold=True)
    finally:
        holder.kill()
        holder.wait()
    assert result.cold_start is False
    steps = result.cold_start_steps
    assert steps is not None
    assert not steps.page_cache_dropped
    assert "another process has them mapped" in (steps.why_not or "")
    (check,) = [check for check in result.checks if check.name == "cold_start"]
    assert (check.passed, check.severity) == (False, "warning")
