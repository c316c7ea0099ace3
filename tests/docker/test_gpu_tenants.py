"""Processes on a GPU told apart from outside, where the run is in a container: NVML is simulated, the rest is real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.dispatch import containers
from orchestrator.results.reading import load_result, read_host_report
from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.settings import Process, SimulatedGpu, Simulation
from tests.docker.projects import ContainerProject, docker, inspect
from tests.e2e.commands import kill

pytestmark = pytest.mark.docker

GIB = 2**30
CAMPAIGN = """
name: shared
model: any/model
gpus: [0]
workload: {prompts: 1, output_tokens: 1000}
measurement: {warmup: {iterations: 0}, baseline_s: 0}
backends:
  simulated: {tokens_per_s: 100}
"""


def simulated(folder: Path, *pids: int) -> dict[str, str]:
    build(folder, Simulation((SimulatedGpu(processes=tuple(Process(pid, GIB) for pid in pids)),)))
    return environment(folder, os.environ)


def test_the_containers_processes_are_the_runs_and_no_others(container_project: ContainerProject) -> None:
    """The process ids are known only once the container runs; the second orchestrator finds them on the GPU."""
    gpu = container_project.folder / "gpu"
    container_project.write("c.yaml", CAMPAIGN)
    host = container_project.start("campaign", "c.yaml", "--dispatch", "compose", environment=simulated(gpu))
    container_project.wait_for_phase("shared", "window")
    kill(host)
    runner = inspect(container_project.wait_for_container())["State"]["Pid"]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        done = container_project.run("resume", "shared", environment=simulated(gpu, runner, stranger.pid))
        stranger.communicate()
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = container_project.result_files("shared")
    report = read_host_report(file.parent)
    assert report is not None
    assert [other.pid for other in report.others] == [stranger.pid]
    assert load_result(file).verdict == "suspect"


def test_what_is_executed_in_a_container_is_in_it_and_what_is_beside_it_is_not(
    container_project: ContainerProject, image_names: dict[str, str]
) -> None:
    """So it is with persistent containers, in which a run is no child of the container's first process."""
    names = [f"orchestrate-test-{os.getpid()}-{number}" for number in range(2)]
    started = []
    try:
        for name in names:
            docker("run", "--detach", "--name", name, "--entrypoint", "sleep", image_names["simulated"], "60")
            docker("exec", "--detach", name, "sleep", "50")
            started.append([int(pid) for pid in docker("top", name, "-eo", "pid").split()[1:]])
        own, other = started
        assert len(own) == 2
        container_id = containers.id_of(names[0])
        assert container_id
        assert containers.within(container_id, [*own, *other, os.getpid()]) == set(own)
    finally:
        docker("rm", "--force", *names)
    assert containers.id_of(names[0]) is None
    assert containers.within(container_id, own) == set()
