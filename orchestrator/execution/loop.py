"""A campaign run to its end: next run -> dispatch -> verify -> record.

The coordinator, in the thread that calls it, decides what is next, starts it, and alone writes the manifest and tells
of events. Each run at work has a slot, whose thread rests for it, watches it and settles its folder. One run at a time
is the case in which each needs the whole machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from orchestrator.dispatch.base import LiveAttempt
from orchestrator.errors import InterruptedCampaignError, MachineError, OrchestratorError
from orchestrator.execution.attempts import Bench, Published, prepare
from orchestrator.execution.breaker import Breaker
from orchestrator.execution.events import CampaignEnded, CycleStarted, GapStarted, Notice, Observer, RunStarted
from orchestrator.execution.pacing import Coolness, Pacing
from orchestrator.execution.pending import Need, Pending
from orchestrator.execution.placing import Placing
from orchestrator.execution.precision import Precision
from orchestrator.execution.settling import Settling
from orchestrator.execution.slots import Ended, Ready, Said, Slot, Word
from orchestrator.execution.sparing import Sparing
from orchestrator.execution.supervise import in_charge_of
from orchestrator.files import disk_errors
from orchestrator.manifest.store import Manifest, Status
from orchestrator.reconcile import Standing
from runners.contract.host import Neighbour
from runners.contract.paths import FailureKind, run_id
from runners.contract.request import Gap
from runners.contract.result import RunFailure

_TICK_S = 0.25


class Loop:
    """Carries out what a standing says is left to do."""

    def __init__(
        self,
        bench: Bench,
        manifest: Manifest,
        standing: Standing,
        observer: Observer,
        should_stop: Callable[[], bool],
        until: Callable[[], bool],
        precision: Precision | None = None,
    ) -> None:
        self._bench = bench
        self._manifest = manifest
        self._standing = standing
        self._observe = observer
        self._should_stop = should_stop
        self._until = until
        file, gaps = bench.campaign.file, bench.settings.gaps
        self._several = bench.slots > 1
        self._placing = Placing(bench, manifest)
        self._by_cycles = file.order != "grouped" and file.most_cycles > 1
        self._cycle = 0
        apart = self._by_cycles and gaps.cycle_s > 0
        self._pending = Pending(standing.pending, self._placing.need, self._placing.everything, cycles_apart=apart)
        self._pacing = Pacing(gaps, by_cycles=self._by_cycles)
        self._coolness: Coolness | None = None
        self._breaker = Breaker(bench.settings.failures)
        self._settling = Settling(bench, manifest, self._pending, self._breaker, observer)
        self._sparing = Sparing(precision, manifest, self._pending, observer, self._resting) if precision else None
        self._declined = set[int]()
        """Runs whose slots are told not to start them, since they are not needed any more."""
        self._idle = frozenset[str]()
        """What nothing could be started on when it was looked for last."""
        self._slots: list[Slot] = []
        self._words: SimpleQueue[Word] = SimpleQueue()
        self._hold = threading.Event()
        self._stop = threading.Event()
        self._trouble: OrchestratorError | None = None

    def run(self) -> CampaignEnded:
        """Watch what is alive to its end, then run what is pending, in order.

        Raises:
            InterruptedCampaignError: it was asked to stop; the runs in flight are pending again.
            MachineError: the disk is full, a GPU is in use by others or unfit, nothing can be started, or too many
                runs failed in a row; what is left is pending. What is at work is watched to its end first.
        """
        try:
            for order_index, live in self._standing.alive:
                self._adopt(order_index, live)
            while self._slots:
                self._heed()
            self._look_up()
            if self._pending and not self._hold.is_set():
                # Not before: it would disturb what is still being measured.
                self._bench.dispatcher.open()
                self._feel()
            while self._slots or (self._pending and not self._hold.is_set()):
                self._start_what_can_be()
                self._heed()
        except BaseException:
            self._abandon()
            raise
        if self._trouble:
            raise self._trouble
        counts = self._manifest.counts()
        name = self._bench.campaign.name
        if self._stop.is_set() and counts[Status.PENDING]:
            runs = "1 run" if self._standing.runs == 1 else f"{self._standing.runs} runs"
            raise InterruptedCampaignError(
                f"campaign {name!r} stopped with {counts[Status.COMPLETED]} of {runs} complete",
                hint=f"`orchestrate resume {name}` goes on from here",
            )
        left, unneeded = counts[Status.PENDING], counts[Status.UNNEEDED]
        unsure = tuple(self._sparing.unsure()) if self._sparing and not left else ()
        ended = CampaignEnded(name, counts[Status.COMPLETED], counts[Status.FAILED], left, unneeded, unsure)
        self._observe(ended)
        return ended

    def _start_what_can_be(self) -> None:
        while not self._hold.is_set() and self._breaker.may_start(time.monotonic(), len(self._slots)):
            found = self._pending.take(self._busy(), time.monotonic())
            if found is None:
                break
            self._launch(*found)
        # What is free now is so because of a back-off, the breaker, or a run that waits for more.
        self._idle = self._placing.everything - self._busy()

    def _busy(self) -> frozenset[str]:
        return frozenset[str]().union(*(slot.resources for slot in self._slots))

    def _launch(self, order_index: int, need: Need) -> None:
        row, experiment, gpus = self._placing.of(order_index)
        slot = Slot(self._bench, row, experiment, gpus, need.resources, self._words, self._hold, self._stop)
        slot.pause = self._pacing.before(need.resources, need.cycle, waited=need.resources <= self._idle)
        if slot.pause and (left_s := slot.pause.end_s - time.monotonic()) > 0:
            resting = gpus if self._several and slot.pause.between == "experiments" else self._bench.gpus
            if self._coolness and self._coolness.known(resting):
                slot.coolness = (self._coolness, resting)
            indices = tuple(gpu.index for gpu in gpus)
            self._observe(GapStarted(slot.pause.between, left_s, slot.coolness is not None, indices))
        self._breaker.started(order_index)
        slot.open()
        self._slots.append(slot)
        self._declined.discard(order_index)

    def _adopt(self, order_index: int, live: LiveAttempt) -> None:
        row, experiment, gpus = self._placing.as_started(order_index, live.name)
        resources = self._placing.resources(gpus)
        slot = Slot(self._bench, row, experiment, gpus, resources, self._words, self._hold, self._stop)
        with in_charge_of(live):
            self._at_work(slot, live, adopted=True)
            slot.open(live)
        self._slots.append(slot)

    def _feel(self) -> None:
        """Feel how warm the GPUs are at rest, for gaps that end once they are so again."""
        if not self._bench.settings.gaps.until_cool:
            return
        if self._standing.alive:
            why = "a run was at work already"
        else:
            self._coolness = Coolness(self._bench.gpus)
            why = "" if self._coolness.known(self._bench.gpus) else "the temperature of a GPU cannot be read"
        if why:
            self._observe(Notice(f"until_cool: {why}, so gaps are made in full"))

    def _heed(self) -> None:
        """Act on what slots have to say, until one is free or a moment has passed."""
        until_s = time.monotonic() + _TICK_S
        word: Word | None = None
        while not isinstance(word, Ended) and (left_s := until_s - time.monotonic()) > 0:
            self._look_up()
            try:
                word = self._words.get(timeout=left_s)
            except Empty:
                return
            match word:
                case Said():
                    self._observe(word.event)
                case Ready():
                    self._start(word.slot, word.gap)
                case Ended():
                    self._slots.remove(word.slot)
                    self._settle(word.slot, word.outcome)

    def _look_up(self) -> None:
        if self._should_stop():
            self._hold.set()
            self._stop.set()
        elif self._until():
            self._hold.set()

    def _start(self, slot: Slot, gap: Gap | None) -> None:
        live = None
        run = slot.row.order_index
        try:
            if self._sparing and not self._sparing.needs(slot.row.experiment_id):
                self._declined.add(run)
            elif not self._hold.is_set() and self._breaker.admits(run):
                live = self._begin(slot, gap)
            elif not self._hold.is_set():
                self._pending.again(run, time.monotonic())
        except OrchestratorError as error:
            self._wind_down(error)
        finally:
            slot.answer(live)

    def _begin(self, slot: Slot, gap: Gap | None) -> LiveAttempt:
        row = slot.row
        with disk_errors(f"orchestrate resume {self._bench.campaign.name}"):
            name = self._bench.folder.make_attempt(row.experiment_id, row.cycle, row.attempts + 1)
            attempt = prepare(self._bench, name, slot.experiment, row.order_index, slot.gpus, gap)
        self._manifest.begin_attempt(row.order_index, name.attempt)
        try:
            live = self._bench.dispatcher.start(attempt)
        except MachineError as error:
            self._settling.cut_short(row, name.attempt, FailureKind.CRASHED, str(error))
            raise
        with in_charge_of(live):
            self._at_work(slot, live, adopted=False)
        return live

    def _at_work(self, slot: Slot, live: LiveAttempt, *, adopted: bool) -> None:
        row = slot.row
        for other in self._slots:
            if other.live and other is not slot:
                other.neighbours.append(_neighbour(slot))
                slot.neighbours.append(_neighbour(other))
        if self._by_cycles and row.cycle > self._cycle:
            self._cycle = row.cycle
            self._observe(CycleStarted(row.cycle, self._bench.campaign.file.most_cycles))
        indices = tuple(gpu.index for gpu in slot.gpus)
        place, runs = self._manifest.place(row.order_index), self._standing.runs
        self._observe(RunStarted(row.experiment_id, row.cycle, live.name.attempt, place, runs, adopted, indices))

    def _settle(self, slot: Slot, outcome: Published | RunFailure | BaseException | None) -> None:
        row, live = slot.row, slot.live
        if live:
            self._pacing.ended(slot.resources, time.monotonic())
        try:
            if isinstance(outcome, OrchestratorError):
                self._wind_down(outcome if live else self._to_be_resumed(outcome))
                if live:
                    self._settling.cut_short(row, live.name.attempt, FailureKind.CRASHED, str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            elif live and isinstance(outcome, Published):
                self._settling.published(row, live.name.attempt, outcome)
            elif live and isinstance(outcome, RunFailure):
                if outcome.kind is FailureKind.INTERRUPTED and self._stop.is_set():
                    self._settling.cut_short(row, live.name.attempt, outcome.kind, outcome.message)
                else:
                    self._settling.failed(row, live.name.attempt, outcome)
            if live and self._sparing:
                if isinstance(outcome, Published):
                    self._sparing.learn(outcome.result)
                self._sparing.spare(row.experiment_id)
        except OrchestratorError as error:
            self._wind_down(error)

    def _resting(self) -> list[int]:
        """Runs that have a slot, and will be started once their pauses are over."""
        taken = [slot.row.order_index for slot in self._slots if slot.live is None]
        return [order_index for order_index in taken if order_index not in self._declined]

    def _to_be_resumed(self, error: OrchestratorError) -> OrchestratorError:
        if not isinstance(error, MachineError):
            return error
        resume = f"`orchestrate resume {self._bench.campaign.name}`"
        return MachineError(str(error), hint=f"{error.hint}; then {resume}" if error.hint else resume)

    def _wind_down(self, error: OrchestratorError) -> None:
        """Start nothing more; what is at work goes on, for it is measured as well as ever."""
        if self._trouble is None:
            self._trouble = error
            at_work = sum(slot.live is not None for slot in self._slots)
            if at_work:
                counted = "1 run" if at_work == 1 else f"{at_work} runs"
                self._observe(Notice(f"nothing more is started: {error}; {counted} at work will be watched to the end"))
        self._hold.set()

    def _abandon(self) -> None:
        """See every slot closed, whatever happened: nothing outlives its watcher."""
        self._hold.set()
        self._stop.set()
        while self._slots:
            word = self._words.get()
            if isinstance(word, Ready):
                word.slot.answer(None)
            elif isinstance(word, Ended):
                self._slots.remove(word.slot)


def _neighbour(slot: Slot) -> Neighbour:
    return Neighbour(run_id=run_id(slot.row.experiment_id, slot.row.cycle), gpus=[gpu.uuid for gpu in slot.gpus])
