"""Which GPUs there are, what they are, and what they may draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pynvml

from runners.contract.request import Gpu
from runners.meters.nvml_session import call, optional, session

_MILLI = 1e-3


def describe(gpus: Sequence[Gpu]) -> tuple[str, str | None, list[dict[str, Any]]]:
    """Version of the driver and of the CUDA it knows, and a description of each GPU.

    Raises:
        MeterError: NVML does not answer, or does not know a GPU.
    """
    with session():
        driver = str(call(pynvml.nvmlSystemGetDriverVersion))
        number = optional(pynvml.nvmlSystemGetCudaDriverVersion_v2)
        cuda = None if number is None else f"{number // 1000}.{number % 1000 // 10}"
        return driver, cuda, [_describe(gpu) for gpu in gpus]


def present() -> list[Gpu]:
    """The GPUs that are visible here, by index.

    Raises:
        MeterError: NVML does not answer.
    """
    with session():
        handles = [call(pynvml.nvmlDeviceGetHandleByIndex, index) for index in range(call(pynvml.nvmlDeviceGetCount))]
        return [
            Gpu(index=index, uuid=call(pynvml.nvmlDeviceGetUUID, handle), name=call(pynvml.nvmlDeviceGetName, handle))
            for index, handle in enumerate(handles)
        ]


def _describe(gpu: Gpu) -> dict[str, Any]:
    handle = call(pynvml.nvmlDeviceGetHandleByUUID, gpu.uuid)
    memory = optional(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "memory_bytes": None if memory is None else int(memory.total),
        "power_limit_w": _watts(optional(pynvml.nvmlDeviceGetPowerManagementLimit, handle)),
        "enforced_power_limit_w": _watts(optional(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)),
        "max_sm_clock_mhz": optional(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "max_memory_clock_mhz": optional(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_MEM),
    }


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts * _MILLI
