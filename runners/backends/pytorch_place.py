"""Where one process of the engine works, and whether the GPUs it sees are those that are metered."""

from __future__ import annotations

from typing import NamedTuple

import torch

from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import Gpu, RunRequest
from runners.errors import BadRequestError, UnsupportedError

_HALF_SINCE = (8, 0)
"""Compute capability from which a GPU computes in bfloat16."""


class Place(NamedTuple):
    """One process of the engine among those of a run."""

    rank: int
    devices: tuple[torch.device, ...]
    """Where its model lies: one device, or several with a device map."""

    @property
    def device(self) -> torch.device:
        """Where prompts are put."""
        return self.devices[0]

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on GPUs."""
        return bool(self.device.type == "cuda")

    @property
    def name(self) -> str:
        """``cpu``, or each GPU with its name."""
        if not self.on_gpu:
            return "cpu"
        return ", ".join(f"{device} ({torch.cuda.get_device_name(device)})" for device in self.devices)


def place_of(rank: int, request: RunRequest, options: PytorchOptions) -> Place:
    """The place of one process; beside simulated GPUs, which compute nothing, that is the CPU.

    Raises:
        BadRequestError: GPUs were asked for and are not there, or are not those that are metered.
        UnsupportedError: a GPU cannot compute in the type that was asked for.
    """
    simulated = any(gpu.simulated for gpu in request.gpus)
    wanted = options.device if options.device != "auto" else ("cuda" if request.gpus and not simulated else "cpu")
    if wanted == "cpu":
        return Place(rank, (torch.device("cpu"),))
    if simulated:
        raise BadRequestError("device is cuda, and the run's GPU is simulated", "set device: auto, or use a real GPU")
    metered = _metered(request, options)
    devices = [torch.device("cuda", index) for index in range(len(metered))]
    for device, gpu in zip(devices, metered, strict=True):
        _require_same(device, gpu)
    own = tuple(devices) if options.device_map else (devices[rank],)
    for device in own:
        _require_able(device, options)
    return Place(rank, own)


def _metered(request: RunRequest, options: PytorchOptions) -> list[Gpu]:
    if not request.gpus:
        raise BadRequestError(
            "device is cuda, but the run was given no GPU", "set gpus in the campaign, or device: cpu"
        )
    needed = options.gpus_needed
    if needed is not None and len(request.gpus) < needed:
        raise BadRequestError(
            f"{needed} processes need a GPU each, and the run was given {len(request.gpus)}",
            "name as many GPUs in the campaign's gpus, or lower tensor_parallel_size or data_parallel_size",
        )
    if not torch.cuda.is_available():
        raise BadRequestError(
            f"device is cuda, but torch {torch.__version__} sees no GPU",
            "install a CUDA build of torch and see that nvidia-smi works here, or set device: cpu",
        )
    metered = request.experiment.gpus_of(request.gpus)
    if torch.cuda.device_count() < len(metered):
        raise BadRequestError(
            f"the run was given {len(metered)} GPUs, and torch sees {torch.cuda.device_count()} of them", _show(metered)
        )
    return metered


def _require_same(device: torch.device, gpu: Gpu) -> None:
    seen = str(torch.cuda.get_device_properties(device).uuid)
    if not gpu.uuid.startswith("MIG-") and seen not in gpu.uuid:
        raise BadRequestError(f"the engine sees the GPU {seen}, but {gpu.uuid} is metered", _show([gpu]))


def _show(gpus: list[Gpu]) -> str:
    return f"set CUDA_VISIBLE_DEVICES={','.join(gpu.uuid for gpu in gpus)}"


def _require_able(device: torch.device, options: PytorchOptions) -> None:
    capability = torch.cuda.get_device_capability(device)
    if options.dtype == "bfloat16" and capability < _HALF_SINCE:
        raise UnsupportedError(
            f"{torch.cuda.get_device_name(device)}, of compute capability {capability[0]}.{capability[1]}, does not"
            " compute in bfloat16",
            "set dtype: float16 or float32, or use a GPU of compute capability 8.0 or newer",
        )
