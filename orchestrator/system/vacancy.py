"""Whether a GPU can be measured on: fit for use, nobody else on it, its memory given back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestrator.system.gpu_state import GpuState, Tenant

LEFTOVER_BYTES = 2**30
LEFTOVER_SHARE = 0.05
"""Memory in use that no process explains is a leftover above the lesser of these two."""
DISPLAY_BYTES = 2**30
"""Processes that only draw, with no more memory than this between them, are a desktop."""
_GIB = 2**30

Names = Callable[[int], str | None]
"""The name of a process by its id; None if it is gone."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing can be measured on a GPU, and what to do."""

    what: str
    hint: str
    passing: bool = False
    """Whether it may go by itself, as what a process leaves behind does."""


def obstacle(state: GpuState, name_of: Names) -> Obstacle | None:
    """What stands in the way of a measurement; None if nothing does.

    Args:
        state: of the GPU, before a run begins.
        name_of: tells which processes there are.
    """
    gpu = f"GPU {state.gpu.index}"
    if state.lost:
        return Obstacle(state.lost, "look at `dmesg` for an Xid, then reset the GPU or restart the machine")
    if state.remap_failed:
        return Obstacle(f"{gpu} has broken memory that it could not replace", "have it replaced; use another: gpus:")
    if state.remap_pending:
        return Obstacle(
            f"{gpu} has broken memory in use until it is reset",
            "`sudo nvidia-smi --gpu-reset`, with nothing on it; else restart the machine",
        )
    strangers = others(state.tenants or ())
    if strangers:
        who = ", ".join(describe(tenant, name_of(tenant.pid)) for tenant in strangers)
        gone = not any(name_of(tenant.pid) for tenant in strangers)
        return Obstacle(
            f"{gpu} is in use by {who}: its energy would be counted as the run's",
            f"wait for it to end, or stop it (`ps -p {strangers[0].pid}` says what it is); or use another GPU: gpus:",
            passing=gone,
        )
    leftover = leftover_bytes(state)
    if leftover:
        return Obstacle(
            f"{leftover / _GIB:.1f} GiB of the memory of {gpu} are in use, and no process explains them",
            "something may have died badly, or hides in another container: `nvidia-smi`, `fuser -v /dev/nvidia*`;"
            " a reset gives it back",
            passing=True,
        )
    return None


def others(tenants: Iterable[Tenant]) -> list[Tenant]:
    """Those that disturb a measurement: all but the processes of a desktop."""
    tenants = list(tenants)
    desktop = displays(tenants)
    return [tenant for tenant in tenants if tenant not in desktop]


def displays(tenants: Iterable[Tenant]) -> list[Tenant]:
    """The processes of a desktop: they only draw, and hold little memory. They cost some power; they do no work."""
    drawing = [tenant for tenant in tenants if tenant.graphics]
    return drawing if sum(tenant.memory_bytes or 0 for tenant in drawing) <= DISPLAY_BYTES else []


def leftover_bytes(state: GpuState) -> int | None:
    """Memory in use that no process explains; None if it is too little to matter, or cannot be told."""
    used, total = state.memory_used_bytes, state.memory_total_bytes
    if used is None or total is None or state.tenants is None:
        return None
    if any(tenant.memory_bytes is None for tenant in state.tenants):
        return None
    unexplained = used - sum(tenant.memory_bytes or 0 for tenant in state.tenants)
    return unexplained if unexplained > min(LEFTOVER_BYTES, LEFTOVER_SHARE * total) else None


def describe(tenant: Tenant, name: str | None) -> str:
    """A process as a message names it: ``process 4711 (python3, 2.0 GiB)``."""
    memory = None if tenant.memory_bytes is None else f"{tenant.memory_bytes / _GIB:.1f} GiB"
    known = ", ".join(part for part in (name, memory) if part)
    return f"process {tenant.pid}" + (f" ({known})" if known else "")
