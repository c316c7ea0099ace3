"""Which of a machine's GPUs are ours, by CUDA_VISIBLE_DEVICES or by what Slurm says. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runners.contract.paths import ENV_SLURM_GPUS, ENV_VISIBLE_GPUS
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


def visible_gpus(variables: Mapping[str, str], present: int) -> str | None:
    """What says which GPUs are ours, as CUDA_VISIBLE_DEVICES would; None: nothing does, and all are.

    Slurm sets that variable for a job, and a job may unset it. What it tells besides counts a node's GPUs, also where
    the others are shut out (``ConstrainDevices``); but then no more are seen than it names, and all of them are ours.

    Args:
        variables: of the environment.
        present: how many GPUs are seen.
    """
    if ENV_VISIBLE_GPUS in variables:
        return variables[ENV_VISIBLE_GPUS]
    of_slurm = next((variables[name] for name in ENV_SLURM_GPUS if variables.get(name)), None)
    return of_slurm if of_slurm and len(of_slurm.split(",")) < present else None


def allocated(present: Sequence[Gpu], visible: str | None) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order, as CUDA reads it; Slurm gives a job its GPUs so.

    An entry is an index, here by NVML's order, or a UUID or the beginning of one. The list ends at the first entry
    that is no GPU; one that names a GPU twice leaves none.

    Args:
        present: the machine's GPUs.
        visible: what :func:`visible_gpus` found.

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
