"""Where one process of the engine works."""

from __future__ import annotations

from typing import NamedTuple

import torch

from runners.backends.devices import gpus_to_use, require_same_gpus
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest
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
    metered = gpus_to_use(request)
    if not metered:
        if options.device == "cuda":
            raise _without_gpu(request)
        return Place(rank, (torch.device("cpu"),))
    require_same_gpus(metered)
    devices = tuple(torch.device("cuda", index) for index in range(len(metered)))
    own = devices if options.device_map else (devices[rank],)
    for device in own:
        _require_able(device, options)
    return Place(rank, own)


def _without_gpu(request: RunRequest) -> BadRequestError:
    if request.gpus:
        return BadRequestError("device is cuda, and the run's GPU is simulated", "set device: auto, or use a real GPU")
    return BadRequestError("device is cuda, but the run was given no GPU", "set gpus in the campaign, or device: cpu")


def _require_able(device: torch.device, options: PytorchOptions) -> None:
    capability = torch.cuda.get_device_capability(device)
    if options.dtype == "bfloat16" and capability < _HALF_SINCE:
        raise UnsupportedError(
            f"{torch.cuda.get_device_name(device)}, of compute capability {capability[0]}.{capability[1]}, does not"
            " compute in bfloat16",
            "set dtype: float16 or float32, or use a GPU of compute capability 8.0 or newer",
        )
