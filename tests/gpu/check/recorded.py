"""One recording of the meter, and of NVML beside it, over idle, steady and bursty load."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runners.contract.energy import PowerReading
from runners.contract.series import Series
from runners.harness.recording import Recording
from runners.harness.sampling import Sampler
from runners.meters.choose import Spec
from tests.gpu.check.children import Child, PartError
from tests.gpu.check.machine import Machine
from tests.gpu.check.plan import Plan
from tests.gpu.check.watch import Answer, Watcher

_SETTLE_S = 1.5
_PAUSE_S = 0.5
_START_S = 120.0
_SLACK_S = 30.0
IDLE = "idle"
STEADY = "steady"


class Stretch(NamedTuple):
    """A load of the recording, in seconds of CLOCK_MONOTONIC."""

    name: str
    start_s: float
    end_s: float

    def within(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers in it."""
        return [answer for answer in answers if self.start_s <= answer.t_s <= self.end_s]


class Recorded(NamedTuple):
    """What was recorded."""

    recording: Recording
    series: Series
    answers: list[Answer]
    stretches: list[Stretch]
    torch_cuda: str | None
    failure: str | None
    """Why a load is missing."""

    def bursty(self) -> list[Stretch]:
        """The stretches in which power goes up and down."""
        return [one for one in self.stretches if one.name not in (IDLE, STEADY)]

    def powers(self, kind: str) -> list[PowerReading]:
        """One kind of power as NVML told it directly: a field of :class:`Answer`."""
        pairs = [(answer.t_s, getattr(answer, kind)) for answer in self.answers]
        return [PowerReading(t_s, watts) for t_s, watts in pairs if watts is not None]


def record(machine: Machine, plan: Plan, folder: Path) -> Recorded:
    """Idles, then carries the loads out.

    Raises:
        MeterError: the meter fails.
        PartError: NVML stopped answering.
    """
    spec = Spec(
        samples=str(folder / "recording.jsonl"),
        sample_hz=10.0,
        runner_pid=os.getpid(),
        gpu_uuids=[machine.gpu.uuid],
        cpu_tdp_w=None,
        simulated_power_w=None,
        meter="nvml",
    )
    with Sampler(spec) as sampler, Watcher(machine.gpu.uuid) as watcher:
        sampler.follow(time.monotonic())
        time.sleep(_SETTLE_S)
        start_s = time.monotonic()
        time.sleep(plan.idle_s)
        stretches = [Stretch(IDLE, start_s, time.monotonic())]
        try:
            torch_cuda, loads = _loads(machine, plan, folder)
            stretches += loads
            failure = None
        except PartError as error:
            torch_cuda, failure = None, str(error)
        sampler.check()
        time.sleep(_PAUSE_S)
        sampler.follow(stretches[-1].end_s)
        recording = sampler.recording()
    if watcher.error:
        raise PartError(f"NVML stopped answering: {watcher.error}")
    series = recording.series()[f"gpu:{machine.gpu.uuid}"]
    return Recorded(recording, series, watcher.answers, stretches, torch_cuda, failure)


def _loads(machine: Machine, plan: Plan, folder: Path) -> tuple[str | None, list[Stretch]]:
    loads = plan.loads()
    asked = {"device": machine.device, "uuid": machine.gpu.uuid, "loads": loads, "pause_s": _PAUSE_S}
    with Child("tests.gpu.check.loads", [json.dumps(asked)], folder, machine.variables) as child:
        ready = child.first(_START_S)
        _, *said = child.finish(sum(length_s + _PAUSE_S for *_, length_s in loads) + _SLACK_S)
    return ready["cuda"], [Stretch(one["load"], one["start_s"], one["end_s"]) for one in said]
