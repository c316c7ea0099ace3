"""How a GPU stands: who is on it, how much of its memory is taken, and whether it is fit for use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from orchestrator.errors import MachineError
from orchestrator.system.gpu import nvml_session
from runners.contract.request import Gpu

_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode that Linux gives the PID namespace of the machine itself."""
_MILLI = 1e-3


class GpuLostError(MachineError):
    """A GPU does not answer any more."""


class Tenant(NamedTuple):
    """A process with a context on a GPU."""

    pid: int
    graphics: bool
    """Whether it only draws, as a desktop does."""
    memory_bytes: int | None
    """None where the driver does not say."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """A GPU at a moment; None where it does not know."""

    gpu: Gpu
    lost: str | None = None
    """Why it does not answer; then nothing else is known of it."""
    tenants: tuple[Tenant, ...] | None = None
    """Who is on it, by process id."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    """Without what the driver keeps for itself, where it tells that apart."""
    remap_pending: bool | None = None
    """Whether a broken row of memory is in use until the GPU is reset."""
    remap_failed: bool | None = None
    ecc_uncorrected: int | None = None
    """Errors since the driver was loaded."""
    mig: bool | None = None
    persistence: bool | None = None
    power_limit_w: float | None = None


class GpuSession:
    """NVML held open, to look at some GPUs again and again.

    Args:
        gpus: the GPUs, by UUID.
    """

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self._gpus = gpus
        self._opened = ExitStack()
        self._nvml: Any = None

    def __enter__(self) -> GpuSession:
        self._nvml = self._opened.enter_context(nvml_session())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._opened.__exit__(kind, error, trace)

    def states(self) -> list[GpuState]:
        """Each GPU in full.

        Raises:
            MachineError: NVML does not answer, or does not know a GPU.
        """
        found = []
        for gpu in self._gpus:
            try:
                found.append(_state(self._nvml, gpu, self._handle(gpu)))
            except GpuLostError as error:
                found.append(GpuState(gpu, lost=str(error)))
        return found

    def tenants(self) -> dict[str, tuple[Tenant, ...]]:
        """Who is on each GPU, by its UUID; cheap enough for once a second.

        Raises:
            GpuLostError: a GPU does not answer any more.
            MachineError: NVML does not answer, or does not tell.
        """
        found = {}
        for gpu in self._gpus:
            tenants = _tenants(self._nvml, gpu, self._handle(gpu))
            if tenants is None:
                raise MachineError(f"the driver does not tell which processes are on GPU {gpu.index}")
            found[gpu.uuid] = tenants
        return found

    def temperatures_c(self) -> dict[str, int]:
        """The temperature of each GPU that tells it, by its UUID.

        Raises:
            GpuLostError: a GPU does not answer any more.
            MachineError: NVML does not answer.
        """
        found = {}
        for gpu in self._gpus:
            handle, sensor = self._handle(gpu), self._nvml.NVML_TEMPERATURE_GPU
            told = optional(self._nvml, gpu, self._nvml.nvmlDeviceGetTemperature, handle, sensor)
            if told is not None:
                found[gpu.uuid] = int(told)
        return found

    def _handle(self, gpu: Gpu) -> Any:
        return call(self._nvml, gpu, self._nvml.nvmlDeviceGetHandleByUUID, gpu.uuid)


def gpu_states(gpus: Sequence[Gpu]) -> list[GpuState]:
    """How GPUs stand now.

    Raises:
        MachineError: NVML does not answer, or does not know a GPU.
    """
    with GpuSession(gpus) as session:
        return session.states()


def process_name(pid: int) -> str | None:
    """What a process is called; None if it is dead, or not visible here."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.name())
    except psutil.Error:
        return None


def told_by_pid(gpus: Sequence[Gpu], namespace: Path = Path("/proc/self/ns/pid")) -> bool:
    """Whether the process ids that NVML tells are those that we know processes by.

    NVML tells those of the machine. In a container processes have others, unless a simulated NVML invents them.
    """
    if all(gpu.simulated for gpu in gpus):
        return True
    try:
        return namespace.stat().st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _state(nvml: Any, gpu: Gpu, handle: Any) -> GpuState:
    def ask(function: str, *arguments: Any) -> Any:
        return optional(nvml, gpu, getattr(nvml, function, None), handle, *arguments)

    memory = ask("nvmlDeviceGetMemoryInfo", nvml.nvmlMemory_v2) or ask("nvmlDeviceGetMemoryInfo")
    rows = ask("nvmlDeviceGetRemappedRows")
    mig = ask("nvmlDeviceGetMigMode")
    persistence = ask("nvmlDeviceGetPersistenceMode")
    limit_mw = ask("nvmlDeviceGetPowerManagementLimit")
    return GpuState(
        gpu,
        tenants=_tenants(nvml, gpu, handle),
        memory_total_bytes=int(memory.total) if memory else None,
        memory_used_bytes=int(memory.used) if memory else None,
        remap_pending=bool(rows[2]) if rows else None,
        remap_failed=bool(rows[3]) if rows else None,
        ecc_uncorrected=ask(
            "nvmlDeviceGetTotalEccErrors", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        ),
        mig=bool(mig[0]) if mig else None,
        persistence=None if persistence is None else bool(persistence),
        power_limit_w=None if limit_mw is None else limit_mw * _MILLI,
    )


def _tenants(nvml: Any, gpu: Gpu, handle: Any) -> tuple[Tenant, ...] | None:
    """Who is on a GPU; None if that is not told. A process that both computes and draws is one that computes."""
    computing = _processes(nvml, gpu, handle, "Compute")
    if computing is None:
        return None
    drawing = _processes(nvml, gpu, handle, "Graphics") or []
    found = {process.pid: Tenant(process.pid, True, process.usedGpuMemory) for process in drawing}
    found |= {process.pid: Tenant(process.pid, False, process.usedGpuMemory) for process in computing}
    return tuple(found[pid] for pid in sorted(found))


def _processes(nvml: Any, gpu: Gpu, handle: Any, kind: str) -> list[Any] | None:
    for version in ("v3", "v2"):  # drivers before 510 have no v3
        function = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses_{version}")
        found: list[Any] | None = optional(nvml, gpu, function, handle)
        if found is not None:
            return found
    return None


def optional(nvml: Any, gpu: Gpu, function: Callable[..., Any] | None, *arguments: Any) -> Any | None:
    """What a function answers; None where the GPU, its driver or our pynvml does not know, or we may not ask."""
    unknown = (
        nvml.NVML_ERROR_NOT_SUPPORTED,
        nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        nvml.NVML_ERROR_NO_DATA,
        nvml.NVML_ERROR_NO_PERMISSION,
        nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
    )
    try:
        return call(nvml, gpu, function, *arguments) if function else None
    except nvml.NVMLError as error:
        if error.value in unknown:
            return None
        raise


def call(nvml: Any, gpu: Gpu, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function answers.

    Raises:
        GpuLostError: the GPU does not answer any more.
    """
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
            raise GpuLostError(
                f"GPU {gpu.index} ({gpu.uuid}) is lost: it fell off the bus",
                hint="look at `dmesg` for an Xid, then restart the machine",
            ) from None
        if error.value == nvml.NVML_ERROR_RESET_REQUIRED:
            raise GpuLostError(
                f"GPU {gpu.index} ({gpu.uuid}) has to be reset before it can be used",
                hint="`sudo nvidia-smi --gpu-reset`, with nothing on it; else restart the machine",
            ) from None
        raise
