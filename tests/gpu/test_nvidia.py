"""On a machine with an NVIDIA GPU: `make gpu-check PYTHON=.venv/bin/python`. `make test` leaves these out."""

from __future__ import annotations

import pytest

from orchestrator import load_results
from orchestrator.system.gpu import list_gpus
from tests.e2e.commands import Project

pytestmark = [pytest.mark.gpu, pytest.mark.engine]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_energy_comes_from_the_gpu_that_the_model_runs_on(project: Project, dtype: str) -> None:
    if list_gpus()[0].simulated:
        pytest.skip("this GPU is simulated, and computes nothing")
    flags = ["--prompts", "64", "--input-tokens", "64", "--output-tokens", "128", "--batch-size", "8"]
    done = project.run(
        "run", "--backend", "pytorch", "--model", "demo:smollm2-135m", "--dtype", dtype, *flags, timeout_s=600
    )
    assert done.returncode == 0, done.stderr
    (result,) = load_results(project.results / "adhoc")
    assert result.device.startswith("cuda:0")
    assert (result.energy_method, result.energy_scope) == ("nvml", "gpu")
    assert [gpu.uuid for gpu in result.gpus] == [list_gpus()[0].uuid]
    assert result.energy_j is not None
    assert result.energy_low_j is not None
    assert result.energy_high_j is not None
    assert result.energy_low_j <= result.energy_j <= result.energy_high_j
    assert result.memory_peak_bytes is not None
    assert result.memory_device_bytes is not None
    assert result.memory_reserved_bytes is not None
    assert result.memory_peak_bytes <= result.memory_reserved_bytes <= result.memory_device_bytes
    assert {check.name: check.passed for check in result.checks}["energy_measured"]
    assert [check.name for check in result.checks if check.severity == "critical" and not check.passed] == []
    assert result.sources[0].assumption is None
    assert result.energy_basis == ("counter" if result.sources[0].has_counter else "power")
    assert result.gpus[0].energy_j == pytest.approx(result.energy_j)
    assert result.energy_prefill_j is not None
    assert result.energy_decode_j is not None
    assert result.energy_prefill_j + result.energy_decode_j <= result.energy_j * (1 + 1e-9)
    assert result.baseline is not None
    done = project.run("results", "recompute", result.run_id)
    assert done.returncode == 0, done.stdout
