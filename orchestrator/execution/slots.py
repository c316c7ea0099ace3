"""One run at work, in a thread of its own: rested for, started by the coordinator, watched, settled.

A thread writes into its attempt's folder and publishes it; all else (manifest, events, starting) is the coordinator's,
which it tells by a queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from orchestrator.dispatch.base import LiveAttempt
from orchestrator.execution.attempts import Bench, Published, follow
from orchestrator.execution.events import CampaignEvent, GapEnded, RunProgress
from orchestrator.execution.pacing import Coolness, Pause, rest
from orchestrator.execution.supervise import in_charge_of
from orchestrator.execution.vacant import await_vacant
from orchestrator.files import disk_errors
from orchestrator.manifest.store import RunRow
from runners.contract.host import Neighbour
from runners.contract.request import Experiment, Gap, Gpu
from runners.contract.result import RunFailure


@dataclass(frozen=True, slots=True)
class Said:
    """Something happened that whoever shows the campaign should know."""

    event: CampaignEvent


@dataclass(frozen=True, slots=True)
class Ready:
    """The run may be started now. It is to be answered."""

    slot: Slot
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The slot is free."""

    slot: Slot
    outcome: Published | RunFailure | BaseException | None
    """None: nothing was started."""


Word = Said | Ready | Ended


@dataclass(eq=False)
class Slot:
    """A run, and what it has of the machine until it has ended.

    Args:
        bench: of the campaign.
        row: the run.
        experiment: of the run.
        gpus: that it gets.
        resources: what it keeps others from.
        words: where the thread tells how it goes.
        hold: set, it starts nothing any more.
        stop: set, it ends as soon as it can.
        pause: made before it is started.
        coolness: what ends the pause early, with the GPUs that are to be cool.
    """

    bench: Bench
    row: RunRow
    experiment: Experiment
    gpus: tuple[Gpu, ...]
    resources: frozenset[str]
    words: SimpleQueue[Word]
    hold: threading.Event
    stop: threading.Event
    pause: Pause | None = None
    coolness: tuple[Coolness, Sequence[Gpu]] | None = None
    live: LiveAttempt | None = field(default=None, init=False)
    """The attempt, once it is started."""
    neighbours: list[Neighbour] = field(default_factory=list, init=False)
    """Runs that were at work at the same time; the coordinator adds to it."""
    _answer: SimpleQueue[LiveAttempt | None] = field(default_factory=SimpleQueue, init=False)

    def open(self, live: LiveAttempt | None = None) -> None:
        """Begin; :class:`Ended` is the last word.

        Args:
            live: the attempt, where it was found alive.
        """
        self.live = live
        threading.Thread(target=self._work, name=f"run-{self.row.order_index}").start()

    def answer(self, live: LiveAttempt | None) -> None:
        """What became of :class:`Ready`: the attempt, which is in the thread's charge from now on; None: no attempt."""
        self.live = live
        self._answer.put(live)

    def _work(self) -> None:
        outcome: Published | RunFailure | BaseException | None
        try:
            live = self.live or self._get_started()
            outcome = self._follow(live) if live else None
        except BaseException as error:  # noqa: BLE001 (it is raised again by the coordinator)
            outcome = error
        self.words.put(Ended(self, outcome))

    def _get_started(self) -> LiveAttempt | None:
        gap = self._rest()
        if not self.hold.is_set():
            await_vacant(self.gpus, lambda event: self.words.put(Said(event)), self.hold.is_set)
        if self.hold.is_set():
            return None
        self.words.put(Ready(self, gap))
        return self._answer.get()

    def _rest(self) -> Gap | None:
        if self.pause is None:
            return None
        announced = self.pause.end_s > time.monotonic()
        gap = rest(self.pause, self.coolness, self.hold)
        if announced and not self.hold.is_set():
            self.words.put(Said(GapEnded(gap, tuple(gpu.index for gpu in self.gpus))))
        return gap

    def _follow(self, live: LiveAttempt) -> Published | RunFailure:
        row = self.row
        with disk_errors(f"orchestrate resume {self.bench.campaign.name}"), in_charge_of(live):
            return follow(
                self.bench,
                live,
                self.experiment,
                lambda event: self.words.put(Said(RunProgress(row.experiment_id, row.cycle, event))),
                self.stop.is_set,
                self.gpus,
                lambda: list(self.neighbours),
            )
