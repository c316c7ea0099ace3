"""Which NVIDIA GPUs the machine has, and which of them are ours. NVML is loaded here only, and only when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from orchestrator.errors import MachineError
from runners.contract.allocation import AllocationError, allocated
from runners.contract.request import Gpu

_T = TypeVar("_T")


class NoDriverError(MachineError):
    """There is no NVIDIA driver here."""


class Driver(NamedTuple):
    """NVIDIA's driver."""

    version: str
    cuda: str
    """The newest CUDA that it knows."""


def list_gpus() -> list[Gpu]:
    """The machine's GPUs by index; none where there is no driver.

    Raises:
        MachineError: there is a driver, and it does not answer.
    """
    return _ask(_list) or []


def find_driver() -> Driver | None:
    """The driver; None where there is none.

    Raises:
        MachineError: there is a driver, and it does not answer.
    """
    return _ask(_driver)


@contextmanager
def nvml_session() -> Iterator[Any]:
    """pynvml, with NVML started for as long as the context lasts.

    Raises:
        NoDriverError: there is no driver here.
        MachineError: there is one, and NVML does not start; or what is asked of it fails.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
            raise NoDriverError("there is no NVIDIA driver here") from None
        raise MachineError(
            f"NVML does not start: {error}", hint="check `nvidia-smi`; the driver may be broken"
        ) from None
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise MachineError(
            f"NVML cannot describe this machine's GPUs: {error}", hint="check `nvidia-smi`; a GPU may be lost"
        ) from None
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _ask(question: Callable[[Any], _T]) -> _T | None:
    """What NVML answers; None where there is no driver."""
    try:
        with nvml_session() as nvml:
            return question(nvml)
    except NoDriverError:
        return None


def _list(nvml: Any) -> list[Gpu]:
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return [
        Gpu(index=index, uuid=nvml.nvmlDeviceGetUUID(handle), name=nvml.nvmlDeviceGetName(handle))
        for index, handle in enumerate(handles)
    ]


def _driver(nvml: Any) -> Driver:
    number = nvml.nvmlSystemGetCudaDriverVersion_v2()
    return Driver(nvml.nvmlSystemGetDriverVersion(), f"{number // 1000}.{number % 1000 // 10}")


def allocated_gpus(present: list[Gpu], visible: str | None) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, as :func:`allocated` says.

    Raises:
        MachineError: it names a slice of a GPU.
    """
    try:
        return allocated(present, visible)
    except AllocationError as error:
        raise MachineError(str(error), hint=error.hint) from None


def choose_gpus(wanted: list[int] | None, present: list[Gpu], visible: str | None = None) -> list[Gpu]:
    """The GPUs a campaign runs on: those it names; else the first that is ours; else none, which is the CPU.

    Args:
        wanted: the indices that the campaign names, by NVML's order.
        present: the machine's GPUs.
        visible: the value of CUDA_VISIBLE_DEVICES, or of what Slurm says in its place; None: all are ours.

    Raises:
        MachineError: a GPU it names is not there, or not ours.
    """
    allocated = allocated_gpus(present, visible)
    if wanted is None:
        return allocated[:1]
    by_index = {gpu.index: gpu for gpu in present}
    missing = [index for index in wanted if index not in by_index]
    if missing:
        raise MachineError(
            f"gpus: {_indices(missing)} not found: this machine has {_these(present)}",
            hint="leave gpus: out to run on the first GPU, or the CPU where there is none",
        )
    chosen = [by_index[index] for index in wanted]
    outside = [gpu.index for gpu in chosen if gpu not in allocated]
    if outside:
        raise MachineError(
            f"gpus: {_indices(outside)} not allocated: CUDA_VISIBLE_DEVICES={visible} leaves {_these(allocated)}",
            hint="name GPUs of the allocation, or leave gpus: out to run on its first",
        )
    return chosen


def _indices(indices: list[int]) -> str:
    return ", ".join(map(str, indices))


def _these(gpus: list[Gpu]) -> str:
    return f"GPUs {_indices([gpu.index for gpu in gpus])}" if gpus else "no GPU"
