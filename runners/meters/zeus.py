"""Energy of NVIDIA GPUs as Zeus reads it: the driver's counter, through Zeus's own layer over NVML."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import pynvml

from runners.errors import MeterError
from runners.meters.edges import EdgeTracker
from runners.meters.nvml import POWER_HEADROOM
from runners.meters.nvml_session import call, session
from runners.meters.reading import Edge, Power, Reading, Sampled, Source

_MILLI = 1e-3
_HINT = "look at nvidia-smi and dmesg; with measurement.meter: nvml the GPU is read without Zeus"

Answer = TypeVar("Answer")


class ZeusMeter:
    """What Zeus says of each GPU: energy, power and temperature. Any error of Zeus ends the run.

    Args:
        uuids: the GPUs, as in ``GPU-8c3a...``.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = uuids
        self._gpus: list[_Gpu] = []
        self._opened = ExitStack()

    def open(self) -> list[Source]:
        """Finds the GPUs.

        Raises:
            MeterError: Zeus is not installed, there is no driver, or a GPU is not visible or is a MIG slice.
        """
        try:
            from zeus.device.gpu.nvidia import NVIDIAGPU
        except ImportError as error:
            raise MeterError(
                f"measurement.meter is zeus, and Zeus cannot be loaded here: {error}",
                "pip install 'llm-orchestrate[zeus]', for a container in its image; or set meter: nvml",
            ) from error
        self._opened.enter_context(session())
        self._gpus = [_Gpu(uuid, NVIDIAGPU) for uuid in self._uuids]
        return [gpu.source for gpu in self._gpus]

    @property
    def due_s(self) -> float:
        """When the first of the counters is to be polled."""
        return min(gpu.due_s for gpu in self._gpus)

    def poll(self) -> None:
        """Polls the counters that are due."""
        for gpu in self._gpus:
            if gpu.due_s <= time.monotonic():
                gpu.poll()

    def sample(self) -> Sampled:
        """The state of all GPUs, and the updates of their counters."""
        sampled = Sampled([], [], [], [])
        for gpu in self._gpus:
            gpu.sample(sampled)
        return sampled

    def close(self) -> None:
        """Shuts NVML down."""
        self._opened.close()


class _Gpu:
    def __init__(self, uuid: str, zeus_gpu: Callable[[int], Any]) -> None:
        if uuid.startswith("MIG-"):
            raise MeterError(f"{uuid} is a MIG slice, which Zeus cannot meter", "measure on a whole GPU")
        # Zeus goes by index, and NVML's indices are those of this process.
        index = call(pynvml.nvmlDeviceGetIndex, call(pynvml.nvmlDeviceGetHandleByUUID, uuid))
        self._gpu = _ask(lambda: zeus_gpu(index))
        self._name = f"gpu:{uuid}"
        self._power = _supported(self._gpu.get_instant_power_usage)
        self._temperature = _supported(self._gpu.get_gpu_temperature)
        self._edges: list[Edge] = []
        self._powers: list[Power] = []
        has_counter = _supported(self._gpu.get_total_energy_consumption) is not None
        if not has_counter and self._power is None:
            raise MeterError(f"Zeus reads neither energy nor power of {uuid}", _HINT)
        self._tracker = EdgeTracker(time.monotonic()) if has_counter else None
        simulated = _ask(self._gpu.get_name).startswith("Simulated ")
        limit = _supported(self._gpu.get_power_management_limit)
        self.source = Source(
            self._name,
            "gpu",
            "simulated" if simulated else "zeus",
            "gpu",
            assumption="a simulated NVML plays this GPU, read through Zeus; nothing was measured"
            if simulated
            else None,
            uuid=uuid,
            has_counter=has_counter,
            resolution_j=_MILLI,
            power_limit_w=None if limit is None else _ask(limit) * _MILLI * POWER_HEADROOM,
        )

    @property
    def due_s(self) -> float:
        """When the counter is to be polled next."""
        return self._tracker.due_s if self._tracker else float("inf")

    def poll(self) -> None:
        """Reads the counter, and then the power."""
        assert self._tracker
        before_s = time.monotonic()
        energy_j = _ask(self._gpu.get_total_energy_consumption) * _MILLI
        after_s = time.monotonic()
        edge = self._tracker.saw(before_s, after_s, energy_j)
        if edge:
            self._edges.append(Edge(self._name, *edge))
        if self._power is not None:
            self._powers.append(Power(self._name, time.monotonic(), _ask(self._power) * _MILLI))

    def sample(self, sampled: Sampled) -> None:
        """Adds the state of the GPU, and what the polls saw since the last call."""
        power_w = _ask(self._power) * _MILLI if self._power and not self._tracker else None
        temperature_c = _ask(self._temperature) if self._temperature else None
        sampled.readings.append(Reading(time.monotonic(), self._name, power_w=power_w, temperature_c=temperature_c))
        sampled.edges.extend(self._edges)
        sampled.powers.extend(self._powers)
        self._edges, self._powers = [], []


def _ask(question: Callable[[], Answer]) -> Answer:
    """Asks Zeus.

    Raises:
        MeterError: Zeus could not answer.
    """
    from zeus.device.exception import ZeusBaseGPUError

    try:
        return question()
    except ZeusBaseGPUError as error:
        raise MeterError(f"Zeus: {type(error).__name__}: {error}", _HINT) from error


def _supported(question: Callable[[], int]) -> Callable[[], int] | None:
    """The question itself if the GPU knows an answer to it, else None."""
    from zeus.device.gpu import ZeusGPUNotSupportedError

    try:
        _ask(question)
    except MeterError as error:
        if isinstance(error.__cause__, ZeusGPUNotSupportedError):
            return None
        raise
    return question
