"""The processes of one engine as torch.distributed and accelerate know them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from runners.backends.base import TokenIds
from runners.backends.pytorch_place import Place

_HERE = "127.0.0.1"
_MEET_WITHIN = timedelta(minutes=5)
_TIMEOUT = timedelta(hours=1)
"""Of one exchange between processes. Loading waits for the slowest; a hang is told by the runner's signs of life."""


def environment_of(rank: int, world: int, threads: int) -> dict[str, str]:
    """The variables by which torch, transformers and accelerate know a process of several on one machine."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    # Else accelerate would choose the threads itself.
    return {**{name: str(value) for name, value in own.items()}, "OMP_NUM_THREADS": str(threads)}


def open_store(world: int) -> Any:
    """What the processes find each other by, on a port of this machine that was free.

    It lives on with the group, which forms further ones by it.
    """
    return dist.TCPStore(_HERE, 0, world, is_master=True, wait_for_workers=False, timeout=_MEET_WITHIN)


def join(place: Place, world: int, store: Any) -> None:
    """Joins the group of processes; returns once all have.

    Args:
        place: of this process.
        world: how many there are.
        store: of :func:`open_store`, or the port of the one that rank 0 opened.
    """
    if isinstance(store, int):
        store = dist.TCPStore(_HERE, store, world, is_master=False, timeout=_MEET_WITHIN)
    if place.on_gpu:
        torch.cuda.set_device(place.device)
    dist.init_process_group(
        backend="nccl" if place.on_gpu else "gloo",
        store=store,
        rank=place.rank,
        world_size=world,
        timeout=_TIMEOUT,
        device_id=place.device if place.on_gpu else None,
    )


def share_of(place: Place, prompts: Sequence[TokenIds]) -> list[TokenIds]:
    """The part of a batch that is this process's: consecutive prompts, as equal in number as can be."""
    if place.rank >= len(prompts):
        return []  # accelerate before 1.14 would give it the last prompt, which is another's
    from accelerate import PartialState

    state = PartialState(cpu=not place.on_gpu)
    with state.split_between_processes(list(range(len(prompts)))) as own:
        return [prompts[index] for index in own]


def read_group() -> dict[str, Any]:
    """What torch says of the group."""
    return {"backend": dist.get_backend(), "world_size": dist.get_world_size()}


def abort() -> None:
    """Frees whoever waits in an exchange that will never end; the process is of no more use afterwards."""
    if dist.is_initialized() and dist.get_backend() == "nccl":
        dist.group.WORLD.abort()


def leave() -> None:
    """Leaves the group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        os.environ.pop(name, None)
