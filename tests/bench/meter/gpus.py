"""The simulated GPUs that are measured, each machine of them in a folder of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.curves import inference, square
from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation, uuid_of
from tests.bench.meter.truth import Truth

CURVES = {"square wave": square(), "prefill and decode": inference()}


@dataclass(frozen=True)
class Machine:
    """Alike GPUs, and what each really spends."""

    folder: Path
    gpu: SimulatedGpu
    truth: Truth

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to see them."""
        return environment(self.folder, {})

    @property
    def an_update_s(self) -> float:
        """The moment of one of the counter's updates, jitter left aside."""
        return self.truth.origin_s + self.gpu.counter_phase_s


def machine(
    folder: Path, gpu: SimulatedGpu, count: int = 1, call_s: float = 0.0, origin_s: float | None = None
) -> Machine:
    """Make one: the GPU so many times, from now on or from the origin."""
    begins_s = time.monotonic() if origin_s is None else origin_s
    gpus = tuple(replace(gpu, uuid=uuid_of(index)) for index in range(count))
    build(folder, Simulation(gpus, call_s), begins_s)
    return Machine(folder, gpu, Truth(gpu.curve, begins_s))
