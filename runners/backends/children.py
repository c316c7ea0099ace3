"""Signs of life of processes that an engine starts: what loads a model or builds an engine may not be this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_EVERY_S = 5.0
_LEAST_CPU_SHARE = 0.005
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def descendants_cpu_s() -> dict[int, float]:
    """CPU time that each process below this one has used, with its children that ended, by its id."""
    parents: dict[int, int] = {}
    used_s: dict[int, float] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        number = int(folder.name)
        parents[number] = int(fields[1])
        used_s[number] = sum(map(int, fields[11:15])) / _TICKS_PER_S
    own = os.getpid()
    return {number: used for number, used in used_s.items() if _is_below(number, own, parents)}


@contextmanager
def told_while_children_work(alive: Callable[[], None], every_s: float = _LOOK_EVERY_S) -> Iterator[None]:
    """Looks from a thread whether processes that were started meanwhile compute, and tells so.

    Args:
        alive: called after every look that saw work.
        every_s: time between two looks.
    """
    earlier = descendants_cpu_s().keys()  # such as a sampler, which always works a little
    ended = threading.Event()

    def look() -> None:
        before: dict[int, float] = {}
        while not ended.wait(every_s):
            after = {number: used for number, used in descendants_cpu_s().items() if number not in earlier}
            if sum(used - before.get(number, 0.0) for number, used in after.items()) >= _LEAST_CPU_SHARE * every_s:
                alive()
            before = after

    thread = threading.Thread(target=look, name="signs-of-children", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_below(number: int, above: int, parents: dict[int, int]) -> bool:
    while (parent := parents.get(number)) is not None:
        if parent == above:
            return True
        number = parent
    return False
