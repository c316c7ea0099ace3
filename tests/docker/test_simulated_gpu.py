"""Runs in containers on simulated GPUs, whose energy the host knows exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.results.reading import load_result
from orchestrator.system.simulated_gpu.curves import square
from orchestrator.system.simulated_gpu.settings import uuid_of
from tests.docker.projects import ContainerProject, docker, inspect
from tests.e2e.commands import ORCHESTRATE, kill

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("nvml_library")]

SLOW = """
name: slow
model: any/model
workload: {prompts: 1, output_tokens: 3000}
measurement: {warmup: {iterations: 0}}
gpus: [1]
backends:
  simulated: {tokens_per_s: 100}
"""
SIMULATE = ("simulate-gpu", "--gpus", "2", "--curve", "square", "--counter-period-s", "0.02", "--", ORCHESTRATE)
LOOK = """
import json, time
import pynvml as n
n.nvmlInit()
gpus = [n.nvmlDeviceGetHandleByIndex(index) for index in range(n.nvmlDeviceGetCount())]
found = [[n.nvmlDeviceGetName(gpu), n.nvmlDeviceGetUUID(gpu)] for gpu in gpus]
readings = []
for _ in range(200):
    before = time.monotonic()
    value = n.nvmlDeviceGetTotalEnergyConsumption(gpus[0])
    readings.append([before, value, time.monotonic()])
    time.sleep(0.001)
print(json.dumps([found, readings]))
"""


def looked(container: str) -> tuple[list[list[str]], list[list[float]]]:
    found, readings = json.loads(docker("exec", container, "python", "-c", LOOK))
    return found, readings


@pytest.mark.parametrize("strategy", ["ephemeral", "persistent"])
def test_a_container_sees_the_gpu_of_its_run_on_the_hosts_timeline(
    container_project: ContainerProject, strategy: str
) -> None:
    container_project.write("slow.yaml", SLOW)
    host = container_project.start(
        *SIMULATE, "campaign", "slow.yaml", "--dispatch", "compose", "--container-strategy", strategy, "--yes"
    )
    container_project.wait_for_phase("slow", "window")
    container = container_project.wait_for_container()
    seen: dict[str, Any] = inspect(container)
    found, readings = looked(container)
    host.terminate()
    said, _ = host.communicate(timeout=60)

    assert found == [["Simulated H100", uuid_of(1)]], said
    for before_s, value_mj, after_s in readings:
        # The origin is the machine's start. An update shows what was drawn by then, and is at most a period old.
        lowest_j, highest_j = (square().energy_j(0.0, t_s) for t_s in (before_s - 0.02, after_s))
        assert lowest_j - 0.01 <= value_mj / 1000 - 1000 <= highest_j + 0.01
    assert len({value for _, value, _ in readings}) > 5
    (mount,) = (mount for mount in seen["Mounts"] if mount["Destination"] == "/opt/simulated-gpu")
    assert mount["RW"] is False
    assert seen["HostConfig"]["Runtime"] == "runc"


def test_a_campaign_ends_well_on_it_and_a_container_without_it_is_told_from_one_with_it(
    container_project: ContainerProject,
) -> None:
    container_project.write("quick.yaml", SLOW.replace("slow", "quick").replace("3000", "20"))
    done = container_project.run(*SIMULATE, "campaign", "quick.yaml", "--dispatch", "compose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what it draws is made up" in done.stderr
    assert "Simulated H100" in done.stdout
    (result,) = container_project.result_files("quick")
    request = json.loads((result.parent / "request.json").read_text())
    assert request["gpus"] == [{"index": 1, "uuid": uuid_of(1), "name": "Simulated H100"}]


def test_init_does_not_choose_the_gpu_file_for_it(container_project: ContainerProject) -> None:
    done = container_project.run(*SIMULATE, "init")
    assert done.returncode == 0, done.stderr
    assert "COMPOSE_FILE=compose.yaml\n" in (container_project.folder / ".env").read_text()


def test_the_folder_must_be_whole(container_project: ContainerProject) -> None:
    """The library that this process sees, without the folder that a container could be given."""
    container_project.write("quick.yaml", SLOW)
    exported = container_project.run(*SIMULATE[:7]).stdout
    library = next(
        line.partition("=")[2] for line in exported.splitlines() if line.startswith("export LD_LIBRARY_PATH=")
    )
    elsewhere = container_project.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "gpus.conf").write_bytes(
        (container_project.folder / ".state" / "simulated-gpu" / library.rpartition("/")[2] / "gpus.conf").read_bytes()
    )
    environment = {"LD_LIBRARY_PATH": library, "ORCHESTRATE_SIMULATED_GPU": str(elsewhere)}
    done = container_project.run("campaign", "quick.yaml", "--dispatch", "compose", environment=environment)
    assert done.returncode == 3, done.stdout
    assert "there is no libnvidia-ml.so.1 in it" in done.stderr
    assert "orchestrate simulate-gpu" in done.stderr


MEASURED = """
name: measured
model: any/model
workload: {prompts: 8, output_tokens: 40}
measurement: {warmup: {iterations: 3}, baseline_s: 1.5, loaded_idle_s: 0.5, min_window_s: 3}
gpus: [1]
backends:
  simulated: {tokens_per_s: 200, batch_size: [2, 8]}
cycles: 2
"""


def test_a_killed_and_resumed_campaign_in_containers_ends_with_joules_that_hold(
    container_project: ContainerProject,
) -> None:
    container_project.write("measured.yaml", MEASURED)
    host = container_project.start(*SIMULATE, "campaign", "measured.yaml", "--dispatch", "compose")
    container_project.wait_for_phase("measured", "window")
    kill(host)
    done = container_project.run(*SIMULATE, "resume", "measured", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "J/token (simulated)" in done.stdout
    results = [load_result(file) for file in container_project.result_files("measured")]
    assert len(results) == 4
    for result in results:
        (window,) = (mark for mark in result.marks if mark.phase == "window")
        true_j = square().energy_j(0.0, window.end_s) - square().energy_j(0.0, window.start_s)
        assert result.energy_j is not None
        assert result.energy_low_j is not None
        assert result.energy_high_j is not None
        assert result.energy_low_j <= true_j <= result.energy_high_j
        assert abs(result.energy_j - true_j) < 0.02 * true_j
        assert result.duration_s > 3
        assert (result.energy_method, result.energy_scope, result.energy_basis) == ("simulated", "gpu", "counter")
        assert [gpu.uuid for gpu in result.gpus] == [uuid_of(1)]
        assert result.baseline is not None
        assert {check.name for check in result.checks} >= {"no_other_process", "counter_agrees", "energy_measured"}
        assert not [check for check in result.checks if not check.passed and check.severity == "critical"]
        again = container_project.run("results", "recompute", result.run_id)
        assert again.returncode == 0, again.stdout
        assert "All figures agree." in again.stdout


@pytest.mark.parametrize(("strategy", "inside"), [("ephemeral", "0"), ("persistent", "1")])
def test_each_run_gets_its_own_gpus_whoever_shares_its_container(
    container_project: ContainerProject, strategy: str, inside: str
) -> None:
    """Of the two that are named pytorch works on the first, the second of the bus; the simulated backend plays on both.

    A shared container sees all that the campaign names, so there the same GPU counts as another.
    """
    both = SLOW.replace("3000", "4").replace("gpus: [1]", "gpus: [1, 0]").replace("any/model", "demo:smollm2-135m")
    both = both.replace("warmup: {iterations: 0}", "warmup: {iterations: 0}, baseline_s: 0, loaded_idle_s: 0")
    container_project.write("slow.yaml", f"{both}  pytorch: {{}}\n")
    done = container_project.run(
        *SIMULATE, "campaign", "slow.yaml", "--dispatch", "compose", "--container-strategy", strategy, "--yes"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for file in container_project.result_files("slow"):
        result = json.loads(file.read_text())
        variables = result["environment"]["variables"]
        found[result["backend"]] = ([gpu["uuid"] for gpu in result["gpus"]], variables["CUDA_VISIBLE_DEVICES"])
    assert found == {"pytorch": ([uuid_of(1)], inside), "simulated": ([uuid_of(1), uuid_of(0)], "1,0")}
