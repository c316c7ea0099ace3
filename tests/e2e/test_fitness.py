"""Simulated GPUs set badly, each in one way, and what the doctor and a dry run say of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.system.simulated_gpu.settings import (
    Change,
    Fault,
    Process,
    SimulatedGpu,
    Simulation,
    Throttle,
    uuid_of,
)
from tests.e2e.commands import Project

Simulate = Callable[[Simulation, float], dict[str, str]]

WELL: dict[str, Any] = {}
BADLY: dict[str, dict[str, Any]] = {
    "power limit": {"changes": (Change("power_limit_w", 650.0, -1.0),)},
    "clocks": {"sm_clock_mhz": 345.0},
    "throttling": {"throttles": (Throttle(0x40),)},
    "ECC": {"ecc_pending": False},
    "MIG": {"mig": True},
    "persistence": {"persistence": False},
}


def gpus() -> tuple[SimulatedGpu, ...]:
    """One that is set well, and one for each thing that may be amiss."""
    settings = [WELL, *BADLY.values()]
    return tuple(SimulatedGpu(uuid=uuid_of(index), **each) for index, each in enumerate(settings))


def measuring(project: Project, environment: dict[str, str]) -> dict[str, dict[str, str]]:
    done = project.run("doctor", "--json", timeout_s=300, environment={**environment, "DOCKER_HOST": "unix:///nowhere"})
    assert done.stderr == ""
    return {row["name"]: row for row in json.loads(done.stdout) if row["section"] == "measuring"}


def test_the_doctor_tells_each_bad_setting_of_each_gpu(project: Project, simulate: Simulate) -> None:
    found = measuring(project, simulate(Simulation(gpus()), time.monotonic()))
    of_gpus = {name: row for name, row in found.items() if name.startswith("GPU")}
    wrong = {name for name, row in of_gpus.items() if row["status"] == "warning"}
    assert wrong == {f"GPU {index} {name}" for index, name in enumerate(BADLY, 1)}
    assert {row["status"] for name, row in of_gpus.items() if name not in wrong} == {"ok"}
    assert of_gpus["GPU 1 power limit"]["advice"].endswith("`sudo nvidia-smi -i 1 --power-limit=700`")


def test_a_gpu_that_tells_nothing_is_unknown(project: Project, simulate: Simulate) -> None:
    silent = SimulatedGpu(faults=(Fault("settings_missing"),))
    found = measuring(project, simulate(Simulation((silent,)), time.monotonic()))
    assert found["GPU 0 power limit"]["status"] == found["GPU 0 persistence"]["status"] == "unknown"
    assert found["GPU 0 ECC"]["status"] == found["GPU 0 MIG"]["status"] == "not needed"


def test_a_lost_gpu_hides_nothing_else(project: Project, simulate: Simulate) -> None:
    lost = SimulatedGpu(faults=(Fault("lost"),))
    found = measuring(project, simulate(Simulation((lost,)), time.monotonic()))
    assert "load" in found


def test_a_campaign_is_warned_before_it_starts(project: Project, simulate: Simulate) -> None:
    other = Process(4_000_000, 2**30)
    bad = SimulatedGpu(persistence=False, sm_clock_mhz=345.0, processes=(other,))
    environment = simulate(Simulation((bad,)), time.monotonic())
    text = "name: c\nmodel: any\nbackends: {simulated: {}}\ngpus: [0]\n"
    done = project.run("campaign", str(project.write("c.yaml", text)), "--dry-run", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "warning: GPU 0 persistence: off" in done.stdout
    assert "warning: GPU 0 is in use by" in done.stdout
    assert "nvidia-smi -i 0 --persistence-mode=1" in done.stdout


@pytest.mark.parametrize("gpu", [False, True])
def test_only_what_is_measured_on_is_judged(project: Project, simulate: Simulate, gpu: bool) -> None:
    environment = simulate(Simulation((SimulatedGpu(persistence=False),)), time.monotonic()) if gpu else {}
    text = "name: c\nmodel: any\nbackends: {simulated: {}}\n"
    file = str(project.write("c.yaml", text))
    done = project.run("campaign", file, "--dry-run", "--json", environment=environment)
    names = [row["name"] for row in json.loads(done.stdout)["ahead"]["machine"]]
    assert ("GPU 0 persistence" in names) == gpu
    assert bool(names) == gpu
