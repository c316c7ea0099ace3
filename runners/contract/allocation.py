"""Which of a machine's GPUs CUDA_VISIBLE_DEVICES leaves. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runners.contract.paths import ENV_VISIBLE_GPUS
from runners.contract.request import Gpu


class AllocationError(ValueError):
    """What is left is no whole GPU.

    Args:
        message: what is wrong.
        hint: what to do next.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def allocated(present: Sequence[Gpu], visible: str | None) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order, as CUDA reads it; Slurm gives a job its GPUs so.

    An entry is an index, here by NVML's order, or a UUID or the beginning of one. The list ends at the first entry
    that is no GPU; one that names a GPU twice leaves none.

    Args:
        present: the machine's GPUs.
        visible: the variable's value; None: it is not set, and all are ours.

    Raises:
        AllocationError: it names a slice of a GPU (MIG), which cannot be measured alone.
    """
    if visible is None:
        return list(present)
    found: list[Gpu] = []
    for entry in visible.split(","):
        gpu = _named(entry.strip(), present)
        if gpu is None:
            break
        if gpu in found:
            return []
        found.append(gpu)
    return found


def _named(entry: str, present: Sequence[Gpu]) -> Gpu | None:
    if entry.startswith("MIG-"):
        raise AllocationError(
            f"{ENV_VISIBLE_GPUS} names {entry}, a slice of a GPU, which is not supported yet",
            f"run on a whole GPU, or set {ENV_VISIBLE_GPUS}= to run on the CPU",
        )
    if entry.startswith("GPU-"):
        matches = [gpu for gpu in present if gpu.uuid.startswith(entry)]
        return matches[0] if len(matches) == 1 else None
    number = re.match(r"\d+", entry)
    return next((gpu for gpu in present if number and gpu.index == int(number[0])), None)
