"""A sampler of ours as a process on simulated GPUs, and what it wrote down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.system.simulated_gpu.settings import uuid_of
from runners.harness.recording import Recording, parse_header, parse_tick
from runners.meters.choose import Spec
from tests.bench.meter.gpus import Machine
from tests.bench.meter.processes import environment

STOP_S = 10.0


def spec(samples: Path, gpus: int = 1) -> Spec:
    """What a run on so many of the simulated GPUs tells its sampler."""
    return Spec(
        samples=str(samples),
        sample_hz=10.0,
        runner_pid=os.getpid(),
        gpu_uuids=[uuid_of(index) for index in range(gpus)],
        cpu_tdp_w=None,
        simulated_power_w=None,
        meter="nvml",
    )


@dataclass(frozen=True)
class Recorder:
    """A sampler at work."""

    pid: int
    samples: Path

    def cpu_s(self) -> float:
        """The CPU time that the kernel has counted for it so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def recording(self) -> Recording:
        """Everything that it has written; asked for when it has ended."""
        header, *ticks = self.samples.read_bytes().splitlines(keepends=True)
        return Recording(*parse_header(header), [parse_tick(line, number) for number, line in enumerate(ticks, 2)])


@contextmanager
def recorder(machine: Machine, scratch: Path, gpus: int = 1) -> Iterator[Recorder]:
    """Sample the GPUs until the block is left."""
    scratch.mkdir(parents=True)
    samples = scratch / "samples.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "runners.meters"],
        cwd=scratch,
        env=environment(machine, scratch),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(spec(samples, gpus)._asdict()).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "ready" not in answer:
            raise RuntimeError(f"the sampler does not begin: {answer}")
        yield Recorder(process.pid, samples)
        process.stdin.close()
        process.wait(STOP_S)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
