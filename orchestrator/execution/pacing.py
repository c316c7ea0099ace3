"""Pauses before runs, in which the machine comes to rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.campaign.settings import Gaps
from orchestrator.errors import MachineError
from orchestrator.system.gpu_state import GpuSession
from runners.contract.request import Gap, Gpu

TOLERANCE_K = 2
"""NVML tells whole degrees, which at rest go up and down by one."""
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause to be made before a run."""

    between: Literal["experiments", "cycles"]
    duration_s: float
    begun_s: float
    """When what the run needs came free, on the monotonic clock."""

    @property
    def end_s(self) -> float:
        """When it is over, on the monotonic clock."""
        return self.begun_s + self.duration_s


class Pacing:
    """Which pause comes before which run; never one before the first run of all.

    Args:
        gaps: how long they are.
        by_cycles: whether the campaign goes cycle by cycle, so that there are changes of cycle.
    """

    def __init__(self, gaps: Gaps, *, by_cycles: bool) -> None:
        self._gaps = gaps
        self._by_cycles = by_cycles
        self._cycle = 0
        self._of_cycle: Pause | None = None
        """The pause before this cycle; each run makes it that is the first on what it needs."""
        self._ended_s: dict[str, float] = {}

    def ended(self, resources: Collection[str], now_s: float) -> None:
        """A run on these resources is over."""
        self._ended_s |= dict.fromkeys(resources, now_s)

    def before(self, resources: Collection[str], cycle: int, *, waited: bool) -> Pause | None:
        """The pause before a run; None: none is made.

        Where a cycle begins, ``cycle_s`` holds in place of ``experiment_s`` if it is set, from the end of all runs on.

        Args:
            resources: what the run works on.
            cycle: of the run.
            waited: whether it was held back already, by a back-off or the breaker; that is a pause as well.
        """
        if self._by_cycles and cycle > self._cycle:
            self._cycle, self._of_cycle = cycle, None
            if self._gaps.cycle_s and self._ended_s:
                self._of_cycle = Pause("cycles", self._gaps.cycle_s, max(self._ended_s.values()))
        ends_s = [self._ended_s[one] for one in resources if one in self._ended_s]
        if self._of_cycle and all(end_s <= self._of_cycle.begun_s for end_s in ends_s):
            return self._of_cycle
        if not ends_s or not (self._gaps.experiment_s or waited):
            return None
        return Pause("experiments", self._gaps.experiment_s, max(ends_s))


class Coolness:
    """How warm GPUs are at rest, and whether they are so again.

    Args:
        gpus: as they stand before the first run; the temperatures that can be read are kept.
    """

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        found = temperatures_c(gpus)
        self._at_rest_c = {gpu.uuid: found[gpu.uuid] for gpu in gpus if gpu.uuid in found}

    def known(self, gpus: Sequence[Gpu]) -> bool:
        """Whether it is known of all of these, and there is one."""
        return bool(gpus) and all(gpu.uuid in self._at_rest_c for gpu in gpus)

    def back(self, gpus: Sequence[Gpu]) -> bool:
        """Whether all of these are back where they were, within :data:`TOLERANCE_K`."""
        now_c = temperatures_c(gpus)
        return all(gpu.uuid in now_c and now_c[gpu.uuid] <= self._at_rest_c[gpu.uuid] + TOLERANCE_K for gpu in gpus)


def rest(pause: Pause, cooling: tuple[Coolness, Sequence[Gpu]] | None, stop: threading.Event) -> Gap:
    """Make a pause: wait until it is over, these GPUs are cool again, or it was asked to stop.

    Args:
        pause: what is left of it is waited for.
        cooling: the GPUs that end it early once they are as they were; None: only time ends it.
        stop: ends it at once.
    """
    ended_by: Literal["time", "cool"] = "time"
    while (left_s := pause.end_s - time.monotonic()) > 0:
        if cooling and cooling[0].back(cooling[1]):
            ended_by = "cool"
            break
        if stop.wait(min(left_s, _LOOK_EVERY_S) if cooling else left_s):
            break
    return Gap(between=pause.between, duration_s=time.monotonic() - pause.begun_s, ended_by=ended_by)


def temperatures_c(gpus: Sequence[Gpu]) -> dict[str, int]:
    """The temperature of each GPU that tells it, by UUID."""
    try:
        with GpuSession(gpus) as session:
            return session.temperatures_c()
    except MachineError:
        return {}
