"""kill -9 of the coordinator of a paced, parallel, retrying campaign at random moments, then resume.

Nothing is lost, nothing done twice, nothing left at work, and no GPU was ever given to two runs at a time.
"""

from __future__ import annotations

import json
import os
import random
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation, uuid_of
from tests.e2e.commands import Project, kill, marked_processes
from tests.e2e.ledger import Ledger

KILLS = int(os.environ.get("ORCHESTRATE_KILLS", "10"))
SEED = int(os.environ.get("ORCHESTRATE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
GPUS = 4
CYCLES = 2 * KILLS

CAMPAIGN = f"""
name: killed
model: any/model
workload: {{prompts: 1, output_tokens: 4}}
measurement: {{sample_hz: 50, baseline_s: 0, loaded_idle_s: 0, warmup: {{iterations: 0}}}}
backends:
  simulated: {{tokens_per_s: [40, 50, 60]}}
experiments:
  - {{backend: simulated, tokens_per_s: 70, fail: crash, fail_attempts: 1}}
cycles: {CYCLES}
order: shuffled
gaps: {{experiment_s: 0.2, cycle_s: 0.3}}
failures: {{retries: 1, backoff_s: 0.2, breaker: null}}
parallel: per-gpu
"""
RUNS = 4 * CYCLES


def test_the_coordinator_killed_at_random_moments(project: Project, nvml_library: Path, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    folder = tmp_path / "gpu"
    build(folder, Simulation(tuple(SimulatedGpu(uuid=uuid_of(index)) for index in range(GPUS))))
    gpus = environment(folder, os.environ)
    file = project.write("killed.yaml", CAMPAIGN)
    ledger = Ledger(project.results, "killed")
    left_alive = []
    for _ in range(KILLS):
        begun = (project.results / "killed" / "campaign.json").exists()
        arguments = ("resume", "killed", "-q") if begun else ("campaign", str(file), "-q")
        host = project.start(*arguments, environment=gpus)
        time.sleep(chance.uniform(0.0, 4.0))
        assert host.poll() is None, host.communicate()
        kill(host)
        left_alive.append(len({mark for _, mark in marked_processes() if Path(mark).is_relative_to(project.folder)}))
        ledger.look()
    complete = len(list(project.results.glob("killed/runs/*/c*")))
    print(f"{KILLS} kills left {left_alive} attempts alive; {complete} of {RUNS} runs complete by then")
    done = project.run("resume", "killed", environment=gpus, timeout_s=RUNS * 10)
    ledger.look()
    # What was cut short in its first attempt crashes never; what crashed before a kill is tried again by resume.
    assert done.returncode == 0, done.stdout + done.stderr
    status = project.json("status", "killed")
    assert status["completed"] == status["runs"] == RUNS
    assert ledger.done_twice() == []
    assert project.processes() == []
    for gpu in range(GPUS):
        spans = sorted(
            (result["started_at"], result["ended_at"])
            for result in _results(project)
            if result["gpus"][0]["uuid"] == uuid_of(gpu)
        )
        assert len(spans) == RUNS // GPUS, "each experiment met each GPU as often"
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def _results(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in project.results.glob("killed/runs/*/c*/result.json")]
