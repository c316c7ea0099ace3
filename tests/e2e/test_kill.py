"""kill -9 of host or runner at random moments, then resume: nothing lost, nothing done twice, nothing left."""

from __future__ import annotations

import os
import random
import time

from tests.e2e.commands import Project, kill
from tests.e2e.ledger import Ledger

KILLS = int(os.environ.get("ORCHESTRATE_KILLS", "10"))
SEED = int(os.environ.get("ORCHESTRATE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
CYCLES = KILLS

CAMPAIGN = f"""
name: killed
model: any/model
workload: {{prompts: 4, output_tokens: 4}}
measurement: {{sample_hz: 50}}
backends:
  simulated: {{batch_size: [1, 2, 4], tokens_per_s: 100}}
cycles: {CYCLES}
order: shuffled
"""
RUNS = 3 * CYCLES


def test_kill_at_random_moments(project: Project) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    file = project.write("killed.yaml", CAMPAIGN)
    ledger = Ledger(project.results, "killed")
    kills = {"host": 0, "runner": 0}
    while sum(kills.values()) < KILLS or not kills["runner"]:
        # Often the host dies before the campaign exists, so starting is by the file until it does.
        begun = (project.results / "killed" / "campaign.json").exists()
        host = project.start("resume", "killed", "-q") if begun else project.start("campaign", str(file), "-q")
        time.sleep(chance.uniform(0.0, 2.0))
        runner = project.runner()
        if runner and (kills["runner"] == 0 or chance.random() < 0.5):
            kill(runner)
            kills["runner"] += 1
            time.sleep(chance.uniform(0.0, 0.5))
        assert host.poll() is None, host.communicate()
        kill(host)
        kills["host"] += 1
        ledger.look()
    print(f"killed {kills}, {len(list(project.results.glob('killed/runs/*/c*')))} of {RUNS} runs complete by then")
    for _ in range(3):
        # A runner that was killed leaves a failed run: resume tries it again.
        done = project.run("resume", "killed", timeout_s=RUNS * 10)
        ledger.look()
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    status = project.json("status", "killed")
    assert status["completed"] == status["runs"] == RUNS
    assert ledger.done_twice() == []
    assert project.processes() == []

    # Nothing that is complete is run again, and the manifest can be lost as well.
    (project.folder / ".state" / "killed" / "manifest.db").unlink()
    again = project.run("resume", "killed")
    assert again.returncode == 0
    assert "rebuilt" in again.stdout
    assert f"{RUNS} complete, 0 to run" in again.stdout
    ledger.look()
    rebuilt = project.json("status", "killed")
    assert {run["run_id"]: run["status"] for run in rebuilt["run_list"]} == {
        run["run_id"]: run["status"] for run in status["run_list"]
    }
