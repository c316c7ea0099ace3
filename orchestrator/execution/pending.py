"""The runs that are left to start, and which of them is next. Pure; the clock is handed in."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import NamedTuple


class Need(NamedTuple):
    """What a run needs of the machine."""

    cycle: int
    resources: frozenset[str]
    """UUIDs of GPUs; or what stands for the whole machine."""


class Pending:
    """Runs in the campaign's order; those that failed and are tried again join them once they may.

    Args:
        runs: order indexes, ascending.
        need: tells what one needs; asked once a run, when it may be next.
        everything: all that there is to need.
        cycles_apart: whether a cycle begins only when the one before has nothing at work any more.
    """

    def __init__(
        self, runs: Iterable[int], need: Callable[[int], Need], everything: frozenset[str], *, cycles_apart: bool
    ) -> None:
        self._runs = deque(runs)
        self._again: list[int] = []
        self._waiting: list[tuple[float, int]] = []
        self._need = need
        self._known: dict[int, Need] = {}
        self._everything = everything
        self._cycles_apart = cycles_apart
        self._cycle = 0
        self._in_vain: frozenset[str] | None = None
        """What was taken when nothing could be started; beside as much or more nothing can be, either."""

    def __bool__(self) -> bool:
        return bool(self._runs or self._again or self._waiting)

    def again(self, run: int, at_s: float) -> None:
        """A run is to be tried again, but not before this moment."""
        heapq.heappush(self._waiting, (at_s, run))

    def add(self, runs: Iterable[int]) -> None:
        """Further runs, each in its place of the order."""
        self._runs = deque(sorted({*self._runs, *runs}))
        self._in_vain = None

    def drop(self, runs: Collection[int]) -> set[int]:
        """Runs that are not to be started any more; those of them that were to be."""
        gone = {*runs} & {*self._runs, *self._again, *(run for _, run in self._waiting)}
        self._runs = deque(run for run in self._runs if run not in gone)
        self._again = [run for run in self._again if run not in gone]
        self._waiting = [waiting for waiting in self._waiting if waiting[1] not in gone]
        heapq.heapify(self._waiting)
        for run in gone:
            self._known.pop(run, None)
        self._in_vain = None
        return gone

    def take(self, busy: Collection[str], now_s: float) -> tuple[int, Need] | None:
        """The first run in order that what it needs is free for, and nobody before it waits for; None: there is none.

        What a run before it waits for counts as taken, or those that need more would be passed over for ever.

        Args:
            busy: what is taken by runs at work.
            now_s: the present.
        """
        while self._waiting and self._waiting[0][0] <= now_s:
            insort(self._again, heapq.heappop(self._waiting)[1])
            self._in_vain = None
        if self._in_vain is not None and self._in_vain <= frozenset(busy):
            return None
        taken = set(busy)
        for place, run in enumerate(chain(self._again, self._runs)):
            if taken >= self._everything:
                return None
            need = self._known.get(run) or self._known.setdefault(run, self._need(run))
            if self._cycles_apart and taken and need.cycle > self._cycle:
                return None
            if taken.isdisjoint(need.resources):
                self._remove(place)
                del self._known[run]
                self._cycle = max(self._cycle, need.cycle)
                self._in_vain = None
                return run, need
            taken |= need.resources
        self._in_vain = frozenset(busy)
        return None

    def _remove(self, place: int) -> None:
        if place < len(self._again):
            del self._again[place]
        else:
            del self._runs[place - len(self._again)]
