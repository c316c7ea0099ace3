"""Processes that carry an attempt's mark: whatever was started for it, by whichever orchestrator."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from orchestrator.errors import MachineError
from runners.contract.paths import ENV_ATTEMPT

KILL_DEADLINE_S = 30.0


def marked(attempts: Path) -> dict[Path, list[psutil.Process]]:
    """Live processes by the attempt folder they carry in their environment, oldest first."""
    found: dict[Path, list[psutil.Process]] = {}
    for process, mark in marks():
        folder = Path(mark)
        if folder.parent == attempts:
            found.setdefault(folder, []).append(process)
    return {folder: sorted(processes, key=lambda process: process.create_time()) for folder, processes in found.items()}


def marks() -> Iterator[tuple[psutil.Process, str]]:
    """Every live process that carries a mark, and the mark."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(ENV_ATTEMPT)
            if mark and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                process.create_time()
                yield process, mark


def end(folder: Path, processes: Sequence[psutil.Process]) -> None:
    """Kill processes of an attempt until none is left.

    Raises:
        MachineError: one survives SIGKILL, as a process stuck in a driver does.
    """
    deadline = time.monotonic() + KILL_DEADLINE_S
    left = list(processes)
    while left:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=0.2)
        left = marked(folder.parent).get(folder, [])
        if left and time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise MachineError(
                f"processes of attempt {folder.name} do not die: {pids}",
                hint="they are probably stuck in a driver; check `dmesg`, then resume",
            )
