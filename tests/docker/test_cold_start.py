"""Cold starts in containers: private caches for the user that it runs as, on a root that nobody writes to."""

from __future__ import annotations

import json

import pytest

from orchestrator import load_results
from tests.docker.conftest import USER, Clone
from tests.docker.projects import ContainerProject

pytestmark = [pytest.mark.docker, pytest.mark.engine]

COLD = """
name: cold
model: demo:smollm2-135m
workload: {prompts: 2, output_tokens: 4}
force_cold_start: true
backends:
  pytorch: {batch_size: 2}
measurement: {warmup: {iterations: 1}, meter: estimate}
cycles: 2
"""
PLACES = """
import json, os
from pathlib import Path
from runners.cold import CACHE_VARIABLES, cold_start
from runners.contract.request import RunRequest

request = RunRequest.model_validate_json(Path("/results/request.json").read_text())
attempt = Path("/results/attempt")
attempt.mkdir()
with cold_start(request, attempt):
    for name in CACHE_VARIABLES["vllm"]:
        (Path(os.environ[name]) / "kernel.so").write_bytes(b"x")
    import vllm.envs
    print(json.dumps([vllm.envs.VLLM_CACHE_ROOT, os.getuid(), sorted(os.listdir(attempt / "caches"))]))
print(os.listdir(attempt))
"""


@pytest.mark.parametrize("strategy", ["ephemeral", "persistent"])
def test_every_run_is_started_cold_whether_the_container_is_new_or_not(
    container_project: ContainerProject, strategy: str
) -> None:
    container_project.write("cold.yaml", COLD)
    flags = ("--dispatch", "compose", "--container-strategy", strategy, "--yes")
    done = container_project.run("campaign", "cold.yaml", *flags, timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 runs were started cold" in done.stdout
    results = load_results(container_project.results / "cold")
    assert len(results) == 2
    for result in results:
        assert result.cold_start is True, result.cold_start_steps
        assert result.cold_start_steps is not None
        assert "TORCHINDUCTOR_CACHE_DIR" in result.cold_start_steps.private_caches
        folder = container_project.results / "cold" / "runs" / result.experiment_id / f"c{result.cycle:03d}"
        assert not (folder / "caches").exists()
        log = (folder / "runner.log").read_text()
        assert log.splitlines()[0].endswith(f"Part of campaign cold (cycle {result.cycle} of 2)")
        assert "INFO transformers" in log


@pytest.mark.usefixtures("image_names")
def test_vllm_takes_the_private_folders_as_the_user_that_it_runs_as(clone: Clone) -> None:
    fields = {"campaign": "c", "experiment_id": "e-1", "cycle": 1, "cycles": 1, "attempt": 1, "order_index": 0}
    options = {"backend": "vllm"}
    experiment = {"model": "demo:smollm2-135m", "options": options}
    request = {**fields, "force_cold_start": True, "experiment": experiment}
    (clone.results / "request.json").write_text(json.dumps(request))
    done = clone.run("vllm", "python", "-c", PLACES)
    assert done.returncode == 0, done.stderr
    told, left = done.stdout.splitlines()[-2:]
    root, uid, made = json.loads(told)
    assert (root, uid) == ("/results/attempt/caches/vllm_cache_root", USER[0])
    assert "torchinductor_cache_dir" in made
    assert left == "[]"
