"""The main job on the real engine and a real model: measured, killed, resumed, looked at."""

from __future__ import annotations

import pytest

from orchestrator import load_results
from tests.e2e.commands import Project, kill

pytestmark = pytest.mark.engine

CAMPAIGN = """
name: real
model: demo:smollm2-135m
workload: {prompts: 4, input_tokens: 16, output_tokens: 8}
failures: {retries: 0}
backends:
  pytorch: {dtype: [float32, bfloat16], batch_size: 2}
"""


def test_a_real_model_is_measured_though_its_runner_is_killed(project: Project) -> None:
    host = project.start("campaign", str(project.write("real.yaml", CAMPAIGN)))
    kill(project.wait_for_runner(host, phase="load", timeout_s=300))
    output, _ = host.communicate(timeout=300)
    assert host.returncode == 1, output
    assert "crashed: the runner was killed by SIGKILL" in output
    resumed = project.run("resume", "real", timeout_s=300)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "J/token" in resumed.stdout
    assert project.processes() == []

    results = load_results(project.results / "real")
    assert {result.effective_config["dtype"] for result in results} == {"float32", "bfloat16"}
    for result in results:
        assert (result.requests, result.input_tokens, result.output_tokens) == (4, 64, 32)
        assert result.energy_j is not None
        assert result.energy_j > 0
        assert result.energy_method in ("nvml", "rapl", "estimated")
        assert result.ttft_s is not None
        assert result.e2e_s is not None
        assert 0 < result.ttft_s.p50 < result.e2e_s.p50
        measured = {check.name: check.passed for check in result.checks}
        assert measured["output_length"]
        assert measured["energy_measured"] == (result.energy_method != "estimated")


def test_one_run_from_flags(project: Project) -> None:
    flags = ["--prompts", "4", "--input-tokens", "16", "--output-tokens", "8"]
    done = project.run(
        "run", "--model", "demo:smollm2-135m", "--backend", "pytorch", "--batch-size", "4", *flags, timeout_s=300
    )
    assert done.returncode == 0, done.stderr
    assert "pytorch.batch_size" in done.stdout
    (result,) = load_results(project.results / "adhoc")
    assert result.experiment.options.batch_size == 4


def test_a_model_that_is_not_there_is_a_failure_with_its_reason(project: Project) -> None:
    file = project.write("absent.yaml", CAMPAIGN.replace("demo:smollm2-135m", "nobody/no-such-model"))
    done = project.run("campaign", str(file), environment={"HF_HUB_OFFLINE": "1"}, timeout_s=300)
    assert done.returncode == 1
    assert done.stdout.count(": model_not_found: ") == 2  # of each run
    assert "2 runs · model_not_found: the model is not there" in done.stdout
    assert "HF_TOKEN" in done.stdout
