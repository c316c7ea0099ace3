"""kill -9 of orchestrator, container or Docker engine at random moments, then resume: 0 lost, 0 twice, 0 left."""

from __future__ import annotations

import os
import random
import subprocess
import time

import pytest

from tests.docker.projects import ContainerProject, until
from tests.e2e.commands import kill
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.docker

ENGINE = "ORCHESTRATE_TEST_ENGINE"
"""The command that starts the Docker engine, and with ``kill`` after it kills it."""
KILLS = int(os.environ.get("ORCHESTRATE_CONTAINER_KILLS", "9"))
SEED = int(os.environ.get("ORCHESTRATE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
RUNS = 3 * 6
CAMPAIGN = """
name: killed
model: any/model
workload: {prompts: 4, output_tokens: 50}
measurement: {sample_hz: 50}
backends:
  simulated: {batch_size: [1, 2, 4], tokens_per_s: 200}
cycles: 6
order: shuffled
"""


class Engine:
    """The engine that these tests may kill."""

    def __init__(self, command: str) -> None:
        self._command = command

    def kill(self) -> None:
        subprocess.run([self._command, "kill"], check=True)
        until(lambda: subprocess.run(["docker", "version"], capture_output=True, check=False).returncode or None)

    def start(self) -> None:
        subprocess.run([self._command], check=True, capture_output=True, env={**os.environ})


@pytest.fixture
def engine() -> Engine:
    command = os.environ.get(ENGINE)
    if not command:
        pytest.skip(f"the Docker engine is not ours to kill; {ENGINE} names the command that starts one which is")
    return Engine(command)


def resumed(project: ContainerProject, ledger: Ledger) -> None:
    """Resume until all is complete; a run whose container was killed has failed, and is tried again."""
    for _ in range(3):
        done = project.run("resume", "killed", timeout_s=600)
        ledger.look()
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    status = project.json("status", "killed")
    assert status["completed"] == status["runs"] == RUNS
    assert ledger.done_twice() == []
    assert project.containers() == []
    assert project.processes() == []


def start(project: ContainerProject) -> subprocess.Popen[str]:
    begun = (project.results / "killed" / "campaign.json").exists()
    arguments = ("resume", "killed") if begun else ("campaign", "killed.yaml", "--dispatch", "compose")
    return project.start(*arguments, "--quiet")


def test_orchestrator_and_container_killed_at_random_moments(container_project: ContainerProject) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    container_project.write("killed.yaml", CAMPAIGN)
    ledger = Ledger(container_project.results, "killed")
    kills = {"orchestrator": 0, "container": 0}
    while sum(kills.values()) < KILLS:
        host = start(container_project)
        if kills["container"] == 0 or chance.random() < 0.3:
            name = container_project.wait_for_container()
            time.sleep(chance.uniform(0.0, 1.0))
            killed = subprocess.run(["docker", "kill", name], capture_output=True, check=False)
            kills["container"] += killed.returncode == 0
            time.sleep(chance.uniform(0.0, 1.0))
        else:
            # From the middle of the client's start, when there is no container yet, to the middle of a run.
            time.sleep(chance.uniform(0.3, 4.0))
        assert host.poll() is None, host.communicate()
        kill(host)
        kills["orchestrator"] += 1
        ledger.look()
    print(f"killed {kills}, {len(container_project.result_files('killed'))} of {RUNS} runs complete by then")
    resumed(container_project, ledger)


def test_engine_killed(container_project: ContainerProject, engine: Engine) -> None:
    container_project.write("killed.yaml", CAMPAIGN)
    ledger = Ledger(container_project.results, "killed")
    for _ in range(2):
        host = start(container_project)
        container_project.wait_for_phase("killed", "window")
        engine.kill()
        try:
            said, _ = host.communicate(timeout=120)
        finally:
            engine.start()
        assert host.returncode == 3, said
        assert "Docker" in said
        ledger.look()
    resumed(container_project, ledger)


def test_engine_killed_with_the_orchestrator(container_project: ContainerProject, engine: Engine) -> None:
    container_project.write("killed.yaml", CAMPAIGN)
    ledger = Ledger(container_project.results, "killed")
    host = start(container_project)
    container_project.wait_for_phase("killed", "window")
    kill(host)
    engine.kill()
    try:
        refused = container_project.run("resume", "killed")
        assert refused.returncode == 3
        assert "engine" in refused.stderr
    finally:
        engine.start()
    resumed(container_project, ledger)
