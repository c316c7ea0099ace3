"""Valid things to begin with; each test changes what it is about."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.campaign.schema import Campaign, Dispatching
from orchestrator.cli import main
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import freeze
from runners.contract.identity import canonical_json, experiment_id
from runners.contract.paths import CAMPAIGN, RESULT, AttemptName, run_id
from runners.contract.request import Experiment
from runners.contract.result import RunResult

ORCHESTRATE = Path(sys.executable).with_name("orchestrate")


def cli(*args: str | Path, cwd: Path | None = None, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the real command, from the current folder of the test."""
    return subprocess.run([ORCHESTRATE, *args], cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)


class Ended(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def call(*args: str | Path) -> Ended:
    """Run the command within this process: the same, without the cost of a start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["orchestrate", *map(str, args)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    return Ended(ended.value.code, out.getvalue(), err.getvalue())


def campaign(folder: str | Path = ".", **changes: Any) -> Campaign:
    """A campaign of two simulated experiments."""
    declared = {"name": "base", "model": "org/model", "backends": {"simulated": {"batch_size": [1, 2]}}}
    return campaign_from_mapping({**declared, **changes}, folder)


def experiment(
    backend: str = "simulated", model: str = "org/model", workload: Mapping[str, Any] | None = None, **options: Any
) -> Experiment:
    """An experiment; the keywords are the backend's options."""
    declared = {"model": model, "workload": dict(workload or {}), "options": {"backend": backend, **options}}
    return Experiment.model_validate(declared)


def identity(of: Experiment) -> str:
    """The experiment_id of an experiment."""
    return experiment_id(of, canonical_json(of))


def run_result(of: Experiment | None = None, *, cycle: int = 1, attempt: int = 1, **changes: Any) -> RunResult:
    """The result of a run; the keywords replace fields of it."""
    of = of or experiment()
    latency = {"mean": 0.02, "p50": 0.018, "p90": 0.03, "p95": 0.035, "p99": 0.04}
    fields: dict[str, Any] = {
        "run_id": run_id(identity(of), cycle),
        "campaign": "base",
        "experiment_id": identity(of),
        "cycle": cycle,
        "attempt": attempt,
        "order_index": 0,
        "backend": of.backend,
        "backend_version": "1.0",
        "model": of.model,
        "device": "cpu",
        "experiment": of.model_dump(),
        "started_at": "2026-01-02T03:04:05Z",
        "ended_at": "2026-01-02T03:05:05Z",
        "verdict": "good",
        "load_s": 1.5,
        "duration_s": 10.0,
        "requests": 32,
        "input_tokens": 4096,
        "output_tokens": 2048,
        "energy_j": 1024.0,
        "energy_low_j": 1000.0,
        "energy_high_j": 1050.0,
        "energy_method": "nvml",
        "energy_scope": "gpu",
        "energy_per_output_token_j": 0.5,
        "energy_per_total_token_j": 0.1667,
        "energy_per_request_j": 32.0,
        "energy_prefill_j": 200.0,
        "energy_decode_j": 824.0,
        "cpu_energy_j": None,
        "dram_energy_j": None,
        "power_mean_w": 102.4,
        "power_max_w": 150.0,
        "output_tokens_per_s": 204.8,
        "total_tokens_per_s": 614.4,
        "requests_per_s": 3.2,
        "tokens_per_j": 2.0,
        "ttft_s": latency,
        "tpot_s": latency,
        "itl_s": latency,
        "e2e_s": latency,
        "memory_peak_bytes": 512 * 2**20,
        "memory_model_bytes": 256 * 2**20,
        "memory_inference_bytes": 256 * 2**20,
        "memory_reserved_bytes": None,
        "memory_device_bytes": None,
        "metering_cpu_s": 0.1,
        "gpus": [],
        "throttle": None,
        "warmup": {"iterations": 1, "durations_s": [0.5]},
        "marks": [{"phase": "window", "start_s": 5.0, "end_s": 15.0}],
        "checks": [{"name": "window_long_enough", "passed": True, "severity": "critical", "observed": "10 s"}],
        "warnings": [],
        "environment": _ENVIRONMENT,
        "effective_config": {"threads": 4},
        "files": {},
    }
    return RunResult.model_validate_json(json.dumps({**fields, **changes}, default=str))


_ENVIRONMENT = {
    "environment_id": "0123456789abcdef",
    "hostname": "host",
    "os": "Linux",
    "container": False,
    "image_digest": None,
    "git_commit": None,
    "python": "3.11.9",
    "cpu": "a CPU",
    "cpu_count": 8,
    "cpu_governor": None,
    "memory_bytes": 2**34,
    "driver": None,
    "cuda": None,
    "gpus": [],
    "libraries": {"torch": "2.13.0"},
    "variables": {},
}


def finished_attempt(
    folder: CampaignFolder, name: AttemptName, content: bytes = b"data", *, order_index: int = 0
) -> Path:
    """An attempt that wrote its files and its result, ready to be verified."""
    path = folder.attempt_folder(name)
    path.mkdir(parents=True)
    (path / "requests.parquet").write_bytes(content)
    record = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    result = run_result(
        cycle=name.cycle,
        attempt=name.attempt,
        order_index=order_index,
        experiment_id=name.experiment_id,
        run_id=run_id(name.experiment_id, name.cycle),
        files={"requests.parquet": record},
    )
    (path / RESULT).write_text(result.model_dump_json())
    return path


def begun(results: Path, name: str) -> None:
    """Let a campaign of that name have been begun: its file frozen among its results."""
    (results / name).mkdir(parents=True, exist_ok=True)
    freeze(results / name / CAMPAIGN, campaign(name=name), 2, "", Dispatching("local", None))


def published_run(results: Path, result: RunResult) -> Path:
    """A complete run in a project's results."""
    folder = CampaignFolder(results / result.campaign).run_folder(result.experiment_id, result.cycle)
    folder.mkdir(parents=True)
    (folder / RESULT).write_text(result.model_dump_json())
    return folder
