"""Which NVIDIA GPUs the machine has. NVML is loaded here only, and only when asked."""

from __future__ import annotations

from orchestrator.errors import MachineError
from runners.contract.request import Gpu


def list_gpus() -> list[Gpu]:
    """The machine's GPUs by index; none where there is no driver.

    Raises:
        MachineError: there is a driver, and it does not answer.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
            return []
        raise MachineError(
            f"NVML does not start: {error}", hint="check `nvidia-smi`; the driver may be broken"
        ) from None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [
            Gpu(index=index, uuid=pynvml.nvmlDeviceGetUUID(handle), name=pynvml.nvmlDeviceGetName(handle))
            for index, handle in enumerate(handles)
        ]
    except pynvml.NVMLError as error:
        raise MachineError(
            f"NVML cannot describe this machine's GPUs: {error}", hint="check `nvidia-smi`; a GPU may be lost"
        ) from None
    finally:
        pynvml.nvmlShutdown()


def choose_gpus(wanted: list[int] | None, present: list[Gpu]) -> list[Gpu]:
    """The GPUs a campaign runs on: those it names; else the first there is; else none, which is the CPU.

    Raises:
        MachineError: a GPU it names is not there.
    """
    if wanted is None:
        return present[:1]
    by_index = {gpu.index: gpu for gpu in present}
    missing = [index for index in wanted if index not in by_index]
    if missing:
        have = f"this machine has GPUs {', '.join(map(str, by_index))}" if by_index else "this machine has no GPU"
        raise MachineError(
            f"gpus: {', '.join(map(str, missing))} not found: {have}",
            hint="leave gpus: out to run on the first GPU, or the CPU where there is none",
        )
    return [by_index[index] for index in wanted]
