"""A campaign run to its end: next run -> dispatch -> verify -> record."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.dispatch.base import LiveAttempt
from orchestrator.errors import InterruptedCampaignError, MachineError
from orchestrator.execution.attempts import Bench, Published, follow, prepare
from orchestrator.execution.events import (
    CampaignEnded,
    CycleStarted,
    Observer,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunStarted,
)
from orchestrator.execution.supervise import in_charge_of
from orchestrator.execution.vacant import await_vacant
from orchestrator.files import has_room
from orchestrator.manifest.store import Manifest, RunRow, Status
from orchestrator.reconcile import Standing
from runners.contract.identity import experiment_from
from runners.contract.paths import AttemptName, FailureKind
from runners.contract.request import Experiment
from runners.contract.result import RunFailure

_ROOM_FOR_A_RUN_BYTES = 2**20


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
    ) -> None:
        self._bench = bench
        self._manifest = manifest
        self._standing = standing
        self._observe = observer
        self._should_stop = should_stop
        self._until = until
        self._cycle = 0

    def run(self) -> CampaignEnded:
        """Watch what is alive to its end, then run what is pending, in order.

        Raises:
            InterruptedCampaignError: it was asked to stop; the run in flight is pending again.
            MachineError: the disk is full, a GPU is in use by others or unfit, or nothing can be started; likewise.
        """
        for order_index, live in self._standing.alive:
            self._one(self._manifest.run(order_index), live)
        # Not before: it would disturb what is still being measured.
        if self._standing.pending and not self._should_stop():
            self._bench.dispatcher.open()
        for order_index in self._standing.pending:
            if self._until():
                break
            self._one(self._manifest.run(order_index), None)
        counts = self._manifest.counts()
        ended = CampaignEnded(
            self._bench.campaign.name, counts[Status.COMPLETED], counts[Status.FAILED], counts[Status.PENDING]
        )
        self._observe(ended)
        return ended

    def _one(self, row: RunRow, live: LiveAttempt | None) -> None:
        if live is None and self._should_stop():
            raise self._interrupted()
        cycles = self._bench.campaign.file.cycles
        if self._bench.campaign.file.order != "grouped" and cycles > 1 and row.cycle != self._cycle:
            self._cycle = row.cycle
            self._observe(CycleStarted(row.cycle, cycles))
        experiment = experiment_from(self._manifest.config(row.experiment_id))
        started = live or self._start(row, experiment)
        name = started.name
        place = row.order_index + 1
        with in_charge_of(started):
            self._observe(
                RunStarted(row.experiment_id, row.cycle, name.attempt, place, self._standing.runs, live is not None)
            )
            try:
                outcome = follow(
                    self._bench,
                    started,
                    experiment,
                    lambda event: self._observe(RunProgress(row.experiment_id, row.cycle, event)),
                    self._should_stop,
                )
            except MachineError as error:
                self._manifest.requeue(row.order_index, name.attempt, FailureKind.CRASHED, str(error))
                raise
        if isinstance(outcome, Published):
            path = self._bench.folder.relative(outcome.folder)
            self._manifest.complete(row.order_index, name.attempt, path)
            self._observe(RunCompleted(row.experiment_id, row.cycle, outcome.folder, outcome.result))
        else:
            self._failed(row, name.attempt, outcome)

    def _start(self, row: RunRow, experiment: Experiment) -> LiveAttempt:
        try:
            await_vacant(self._bench.gpus_of(experiment), self._observe, self._should_stop)
        except MachineError as error:
            raise MachineError(
                str(error), hint=f"{error.hint}; then `orchestrate resume {self._bench.campaign.name}`"
            ) from None
        if self._should_stop():
            raise self._interrupted()
        folder = self._bench.folder
        name = folder.make_attempt(row.experiment_id, row.cycle, row.attempts + 1)
        attempt = prepare(self._bench, name, experiment, row.order_index)
        self._manifest.begin_attempt(row.order_index, name.attempt)
        try:
            return self._bench.dispatcher.start(attempt)
        except MachineError as error:
            self._manifest.requeue(row.order_index, name.attempt, FailureKind.CRASHED, str(error))
            raise

    def _failed(self, row: RunRow, attempt: int, failure: RunFailure) -> None:
        if failure.kind is FailureKind.INTERRUPTED and self._should_stop():
            self._manifest.requeue(row.order_index, attempt, failure.kind, failure.message)
            raise self._interrupted()
        # A disk that is too small for a model stands in no other run's way; one that holds no results does.
        if failure.kind is FailureKind.DISK_FULL and not has_room(self._bench.folder.path, _ROOM_FOR_A_RUN_BYTES):
            self._manifest.requeue(row.order_index, attempt, failure.kind, failure.message)
            raise MachineError(
                failure.message, hint=f"make room, then `orchestrate resume {self._bench.campaign.name}`"
            )
        self._manifest.fail(row.order_index, attempt, failure.kind, failure.message)
        folder = self._bench.folder.attempt_folder(AttemptName(row.experiment_id, row.cycle, attempt))
        self._observe(
            RunFailed(row.experiment_id, row.cycle, attempt, failure.kind, failure.message, failure.hint, folder)
        )

    def _interrupted(self) -> InterruptedCampaignError:
        counts = self._manifest.counts()
        name = self._bench.campaign.name
        return InterruptedCampaignError(
            f"campaign {name!r} stopped with {counts[Status.COMPLETED]} of {self._standing.runs} runs complete",
            hint=f"`orchestrate resume {name}` goes on from here",
        )
