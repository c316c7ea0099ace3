"""Zeus and CodeCarbon as meters, each as it is installed, on simulated GPUs whose true energy is known."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.curves import Curve, Step, square
from orchestrator.system.simulated_gpu.settings import Fault, FaultKind, SimulatedGpu, Simulation, uuid_of
from runners.contract.energy import Counter, CounterEdge
from runners.contract.result import MeterSource

pytestmark = pytest.mark.meters

EDGES = 15

METERS = {"zeus": "ZeusMeter", "codecarbon": "CodeCarbonMeter"}

SAMPLE = """
import json, sys, time
from runners.errors import MeterError
from runners.meters.reading import Polled
from runners.meters.{module} import {meter} as Meter

uuids, edges_wanted = json.loads(sys.argv[1])
sources, edges, errors, failed = [], [], [], None
meter = Meter(uuids)
try:
    sources = meter.open()
    due_s = time.monotonic()
    while len([edge for edge in edges if edge.source == sources[0].name]) < edges_wanted:
        if isinstance(meter, Polled) and meter.due_s <= time.monotonic():
            meter.poll()
        if due_s <= time.monotonic():
            sampled = meter.sample()
            edges += sampled.edges
            errors += sampled.errors
            due_s += 0.1
        time.sleep(0.0005)
    meter.close()
except MeterError as error:
    failed = [str(error), error.hint]
print(json.dumps([[source._asdict() for source in sources], edges, errors, failed]))
"""


class Sampling:
    """What a meter said in a process of its own.

    Args:
        package: whose meter.
        gpus: what is simulated, and metered.
        folder: a place for the library.
        edges: how many updates of the first source are waited for.
        with_nvidia_smi: CodeCarbon takes a machine for one with a GPU by this program alone.
    """

    def __init__(
        self,
        package: str,
        gpus: tuple[SimulatedGpu, ...],
        folder: Path,
        edges: float = EDGES,
        with_nvidia_smi: bool = True,
    ) -> None:
        self.origin_s = time.monotonic()
        build(folder / "nvml", Simulation(gpus), self.origin_s)
        programs = folder / "bin"
        programs.mkdir()
        if with_nvidia_smi:
            (programs / "nvidia-smi").write_text("#!/bin/sh\n")
            (programs / "nvidia-smi").chmod(0o755)
        inherited = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": gpus[0].uuid}
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                SAMPLE.format(module=package, meter=METERS[package]),
                json.dumps([[gpu.uuid for gpu in gpus], edges]),
            ],
            env={**inherited, **environment(folder / "nvml", inherited)},
            capture_output=True,
            text=True,
            check=True,
        )
        sources, edges_said, self.errors, self.failed = json.loads(done.stdout)
        self.sources = [MeterSource(**source) for source in sources]
        self._edges: list[list[Any]] = edges_said

    def counter(self, source: MeterSource) -> Counter:
        """The updates of one source."""
        edges = [CounterEdge(*edge[1:]) for edge in self._edges if edge[0] == source.name]
        return Counter(edges, source.resolution_j, source.power_limit_w)


def _installed(package: str) -> None:
    """Skips the test where a package is missing, without loading it into this process."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make test-meters")


@pytest.mark.parametrize("package", METERS)
def test_the_true_energy_lies_within_the_bounds(package: str, tmp_path: Path) -> None:
    _installed(package)
    gpu = SimulatedGpu(uuid=uuid_of(3), curve=square(80, 600, 0.047))

    sampling = Sampling(package, (gpu,), tmp_path)

    assert sampling.failed is None
    assert sampling.errors == []
    source = sampling.sources[0]
    assert (source.kind, source.method, source.scope, source.uuid) == ("gpu", "simulated", "gpu", gpu.uuid)
    assert source.assumption is not None
    assert "nothing was measured" in source.assumption
    counter = sampling.counter(source)
    for first in range(1, 6):
        start_s, end_s = counter.edges[first].latest_s + 0.01, counter.edges[-2].earliest_s
        energy = counter.energy(start_s, end_s)
        true_j = gpu.curve.energy_j(start_s, end_s, sampling.origin_s)
        assert energy.low is not None
        assert energy.high is not None
        assert energy.low <= true_j <= energy.high


def test_zeus_tells_each_gpu_by_its_uuid(tmp_path: Path) -> None:
    _installed("zeus")
    gpus = tuple(
        SimulatedGpu(uuid=uuid_of(number), curve=Curve((Step(1.0, power_w),)), counter_period_s=0.02)
        for number, power_w in ((7, 500.0), (2, 100.0))
    )

    sampling = Sampling("zeus", gpus, tmp_path)

    for source, gpu in zip(sampling.sources, gpus, strict=True):
        counter = sampling.counter(source)
        assert source.uuid == gpu.uuid
        assert source.power_limit_w == pytest.approx(1.25 * 700)
        start_s, end_s = counter.edges[0].latest_s, counter.edges[-1].earliest_s
        energy = counter.energy(start_s, end_s)
        true_j = gpu.curve.energy_j(start_s, end_s, sampling.origin_s)
        assert energy.low is not None
        assert energy.high is not None
        assert energy.low <= true_j <= energy.high
        assert energy.high < 2 * true_j + 10


def test_codecarbon_tells_cpu_and_memory_as_the_models_that_they_are(tmp_path: Path) -> None:
    _installed("codecarbon")

    sampling = Sampling("codecarbon", (SimulatedGpu(),), tmp_path)

    _, cpu, memory = sampling.sources
    assert [(source.kind, source.method) for source in (cpu, memory)] == [("cpu", "codecarbon"), ("dram", "codecarbon")]
    assert cpu.assumption
    assert memory.assumption
    for source in (cpu, memory):
        values = [edge.energy_j for edge in sampling.counter(source).edges]
        assert values == sorted(values)
        assert values[-1] > 0


@pytest.mark.parametrize("kind", ["lost", "error"])
@pytest.mark.parametrize("package", METERS)
def test_a_gpu_that_does_not_answer_ends_the_run(package: str, kind: FaultKind, tmp_path: Path) -> None:
    _installed(package)

    sampling = Sampling(package, (SimulatedGpu(faults=(Fault(kind, 4.0),)),), tmp_path, edges=1e9)

    assert sampling.failed is not None
    message, hint = sampling.failed
    # On a machine too slow to open the meter in time, NVML says so itself.
    assert message.startswith(("Zeus: ZeusGPU", "CodeCarbon: ", "NVML: "))
    assert hint


def test_codecarbon_without_its_way_to_the_gpu_is_refused(tmp_path: Path) -> None:
    _installed("codecarbon")

    sampling = Sampling("codecarbon", (SimulatedGpu(),), tmp_path, with_nvidia_smi=False)

    assert sampling.sources == []
    assert sampling.failed is not None
    assert "CodeCarbon looks for nvidia-smi" in sampling.failed[1]
