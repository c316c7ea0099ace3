"""Signs of life of what says nothing of itself, such as loading a model: the process computes, or uses the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

_LOOK_EVERY_S = 5.0
_LEAST_CPU_SHARE = 0.005


class Usage(NamedTuple):
    """What this process had used by a moment."""

    t_s: float
    cpu_s: float
    """CPU time of all threads but the one that asks."""
    disk_bytes: int
    """Bytes that came from the disk or went to it; 0 where the kernel does not tell."""


def usage() -> Usage:
    """What this process has used so far."""
    return Usage(time.monotonic(), time.process_time() - time.thread_time(), _disk_bytes())


def worked(before: Usage, after: Usage) -> bool:
    """Whether more was done between two moments than idle threads do by merely waiting."""
    cpu_share = (after.cpu_s - before.cpu_s) / (after.t_s - before.t_s)
    return cpu_share >= _LEAST_CPU_SHARE or after.disk_bytes > before.disk_bytes


@contextmanager
def told_while_working(alive: Callable[[], None], every_s: float = _LOOK_EVERY_S) -> Iterator[None]:
    """Looks from a thread whether the process works, and tells so; one that stands still stays silent.

    Args:
        alive: called after every look that saw work.
        every_s: time between two looks.
    """
    ended = threading.Event()

    def look() -> None:
        before = usage()
        while not ended.wait(every_s):
            after = usage()
            if worked(before, after):
                alive()
            before = after

    thread = threading.Thread(target=look, name="signs-of-work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _disk_bytes() -> int:
    try:
        with open("/proc/self/io", encoding="ascii") as file:  # noqa: PTH123 - one file of the kernel
            fields = dict(line.split(": ") for line in file.read().splitlines())
        return int(fields["read_bytes"]) + int(fields["write_bytes"])
    except (OSError, ValueError, KeyError):
        return 0
