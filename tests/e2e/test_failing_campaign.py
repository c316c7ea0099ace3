"""A campaign whose runs fail each in a way of its own goes on to its end, and says what became of each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.contract.failures import FAILURES
from runners.contract.paths import FailureKind
from tests.e2e.commands import Project
from tests.e2e.hub import Repository, serving

pytestmark = pytest.mark.engine

CAMPAIGN = """
name: failing
model: org/gated
workload: {prompts: 2, output_tokens: 4}
silence_timeout_s: 6
measurement: {warmup: {iterations: 0}}
experiments:
  - {backend: simulated, fail: crash}
  - {backend: simulated, fail: hang}
  - {backend: simulated, fail: hang_at_start}
  - {backend: simulated, fail: out_of_memory}
  - {backend: simulated, fail: gpu_out_of_memory}
  - {backend: simulated, fail: unsupported}
  - {backend: pytorch, dtype: float32}
  - {backend: pytorch, dtype: float32, model: org/none}
  - {backend: pytorch, dtype: float32, model: org/large}
  - {backend: simulated, fail: null}
"""
EXPECTED = [
    ("crashed", "the runner was killed by SIGKILL"),
    ("silent", "no sign of life for silence_timeout_s = 6 s, in the phase window"),
    ("silent", "no sign of life for silence_timeout_s = 6 s, in the phase load"),
    ("out_of_memory", "MemoryError"),
    ("gpu_out_of_memory", "CUDA out of memory"),
    ("unsupported", "dtype unsupported"),
    ("model_gated", "the Hugging Face hub refuses org/gated"),
    ("model_not_found", "org/none cannot be had"),
    ("disk_full", "org/large needs 3 MiB more"),
]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB for models; the results lie elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder = tmp_path / "cache"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_each_failure_is_told_and_the_campaign_goes_on(project: Project, tmp_path: Path, cache: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(bytes(3 * 2**20))
    file = project.write("failing.yaml", CAMPAIGN)
    with serving(Repository("org/gated", model, token="hf_x"), Repository("org/large", model)) as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), "HF_TOKEN": ""}
        refused = project.run("campaign", str(file), environment=environment)
        done = project.run("campaign", str(file), "--force", environment=environment, timeout_s=300)
    assert refused.returncode == 2
    for told in ("does not let us have org/gated", "has no model org/none", "are to be downloaded into"):
        assert told in refused.stderr
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr

    runs = project.json("status", "failing")["run_list"]
    assert [run["status"] for run in runs] == ["failed"] * len(EXPECTED) + ["completed"]
    for run, (kind, message) in zip(runs, EXPECTED, strict=False):
        assert run["failure_kind"] == kind, run
        assert message in run["message"]
        # What may pass by itself was tried once more.
        assert run["attempts"] == (2 if FAILURES[FailureKind(kind)].passing else 1)
        attempt = project.results / "failing" / "attempts" / f"{run['run_id']}.a{run['attempts']}"
        failure = json.loads((attempt / "failure.json").read_text())
        assert (failure["kind"], failure["message"]) == (kind, run["message"])
        assert failure["hint"]
        assert message in done.stdout

    # A newcomer finds, at the end and later, what each kind means and what to do.
    looked_at = project.run("status", "failing").stdout
    for kind in {kind for kind, _ in EXPECTED}:
        explained = f"{kind}: {FAILURES[FailureKind(kind)].meaning}; {FAILURES[FailureKind(kind)].hint}"
        assert explained in done.stdout
        assert explained in looked_at
    assert "9 of 10 runs failed; `orchestrate resume failing` tries them again." in done.stdout
