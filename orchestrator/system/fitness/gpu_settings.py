"""How GPUs are set: what of it bears on power and clocks, as far as each tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.system.gpu import nvml_session
from orchestrator.system.gpu_state import GpuLostError, call, optional
from runners.contract.request import Gpu

_MILLI = 1e-3


@dataclass(frozen=True, slots=True)
class GpuSettings:
    """The settings of a GPU; None where it does not tell."""

    gpu: Gpu
    lost: str | None = None
    """Why it does not answer; then nothing else is known of it."""
    power_limit_w: float | None = None
    power_default_w: float | None = None
    power_enforced_w: float | None = None
    """The least of all limits that hold, the board's and the machine's among them."""
    clock_mhz: int | None = None
    """Of the SMs, now."""
    clock_highest_mhz: int | None = None
    clock_application_mhz: int | None = None
    """What is set for applications."""
    clock_application_default_mhz: int | None = None
    reasons: int | None = None
    """Why its clocks are held back now, as a mask of NVML's."""
    in_use: bool | None = None
    """Whether a process computes on it."""
    ecc: tuple[bool, bool] | None = None
    """Now, and after the next reboot."""
    mig: tuple[bool, bool] | None = None
    persistence: bool | None = None


def gpu_settings(gpus: Sequence[Gpu]) -> list[GpuSettings]:
    """How GPUs are set now.

    Raises:
        MachineError: NVML does not answer, or does not know a GPU.
    """
    found = []
    with nvml_session() as nvml:
        for gpu in gpus:
            try:
                found.append(_settings(nvml, gpu))
            except GpuLostError as error:
                found.append(GpuSettings(gpu, lost=str(error)))
    return found


def _settings(nvml: Any, gpu: Gpu) -> GpuSettings:
    handle = call(nvml, gpu, nvml.nvmlDeviceGetHandleByUUID, gpu.uuid)

    def ask(function: str, *arguments: Any) -> Any:
        return optional(nvml, gpu, getattr(nvml, function, None), handle, *arguments)

    def watts(function: str) -> float | None:
        milliwatts = ask(function)
        return None if milliwatts is None else milliwatts * _MILLI

    def modes(function: str) -> tuple[bool, bool] | None:
        found = ask(function)
        return (bool(found[0]), bool(found[1])) if found else None

    computing = ask("nvmlDeviceGetComputeRunningProcesses")
    persistence = ask("nvmlDeviceGetPersistenceMode")
    reasons = ask("nvmlDeviceGetCurrentClocksEventReasons")
    if reasons is None:  # older drivers and pynvml know it by this name
        reasons = ask("nvmlDeviceGetCurrentClocksThrottleReasons")
    return GpuSettings(
        gpu,
        power_limit_w=watts("nvmlDeviceGetPowerManagementLimit"),
        power_default_w=watts("nvmlDeviceGetPowerManagementDefaultLimit"),
        power_enforced_w=watts("nvmlDeviceGetEnforcedPowerLimit"),
        clock_mhz=ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
        clock_highest_mhz=ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
        clock_application_mhz=ask("nvmlDeviceGetApplicationsClock", nvml.NVML_CLOCK_SM),
        clock_application_default_mhz=ask("nvmlDeviceGetDefaultApplicationsClock", nvml.NVML_CLOCK_SM),
        reasons=reasons,
        in_use=None if computing is None else bool(computing),
        ecc=modes("nvmlDeviceGetEccMode"),
        mig=modes("nvmlDeviceGetMigMode"),
        persistence=None if persistence is None else bool(persistence),
    )
