"""Energy, power and state of NVIDIA GPUs, found by UUID."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pynvml

from runners.errors import MeterError
from runners.meters.nvml_session import call, optional, session
from runners.meters.reading import Reading, Source

_MILLI = 1e-3
_PERCENT = 1e-2


class NvmlMeter:
    """What NVML says of each GPU.

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
            MeterError: there is no driver, a GPU is not visible, or a MIG slice has no meter of its own.
        """
        self._opened.enter_context(session())
        self._gpus = [_Gpu(uuid) for uuid in self._uuids]
        return [Source(gpu.source, "gpu", "nvml", "gpu", uuid=gpu.uuid) for gpu in self._gpus]

    def sample(self) -> list[Reading]:
        """The state of all GPUs."""
        return [gpu.read() for gpu in self._gpus]

    def close(self) -> None:
        """Shuts NVML down."""
        self._opened.close()


class _Gpu:
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.source = f"gpu:{uuid}"
        self._handle = call(pynvml.nvmlDeviceGetHandleByUUID, uuid)
        has_counter = self._ask(pynvml.nvmlDeviceGetTotalEnergyConsumption) is not None
        if uuid.startswith("MIG-") and not has_counter:
            raise MeterError(
                f"{uuid} is a MIG slice, and this driver counts the energy of whole GPUs only",
                "measure on a whole GPU with MIG switched off: a slice's share of the GPU cannot be told apart",
            )
        if not has_counter and self._ask(pynvml.nvmlDeviceGetPowerUsage) is None:
            raise MeterError(
                f"{uuid} reports neither energy nor power through NVML",
                "use a GPU that does (data-centre GPUs, and GeForce from Maxwell on), or the CPU",
            )

    def read(self) -> Reading:
        """Everything that the GPU says of itself; None for what it does not know."""
        energy_mj = self._ask(pynvml.nvmlDeviceGetTotalEnergyConsumption)
        now_s = time.monotonic()
        power_mw = self._ask(pynvml.nvmlDeviceGetPowerUsage)
        memory = self._ask(pynvml.nvmlDeviceGetMemoryInfo)
        utilisation = self._ask(pynvml.nvmlDeviceGetUtilizationRates)
        return Reading(
            t_s=now_s,
            source=self.source,
            energy_j=None if energy_mj is None else energy_mj * _MILLI,
            power_w=None if power_mw is None else power_mw * _MILLI,
            memory_bytes=None if memory is None else int(memory.used),
            utilisation=None if utilisation is None else utilisation.gpu * _PERCENT,
            temperature_c=self._ask(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU),
            sm_clock_mhz=self._ask(pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask(pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_MEM),
            throttle_reasons=self._ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons),
        )

    def _ask(self, function: Any, *arguments: Any) -> Any | None:
        return optional(function, self._handle, *arguments)
