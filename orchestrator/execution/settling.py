"""What became of runs, set down in the manifest, and what follows: another try, a pause for the machine, the end."""

from __future__ import annotations

import time

from orchestrator.errors import MachineError
from orchestrator.execution.attempts import Bench, Published
from orchestrator.execution.breaker import Breaker
from orchestrator.execution.events import BreakerClosed, BreakerOpened, Observer, RunCompleted, RunFailed, RunRetried
from orchestrator.execution.pending import Pending
from orchestrator.execution.retries import Retries
from orchestrator.files import has_room
from orchestrator.manifest.store import Manifest, RunRow
from runners.contract.failures import FAILURES
from runners.contract.paths import LOG, AttemptName, FailureKind
from runners.contract.result import RunFailure

_ROOM_FOR_A_RUN_BYTES = 2**20


class Settling:
    """Settles the attempts of one campaign.

    Args:
        bench: of the campaign.
        manifest: where it is set down.
        pending: where runs go that are tried again.
        breaker: told of each outcome.
        observer: told of what follows.
    """

    def __init__(
        self, bench: Bench, manifest: Manifest, pending: Pending, breaker: Breaker, observer: Observer
    ) -> None:
        self._bench = bench
        self._manifest = manifest
        self._pending = pending
        self._breaker = breaker
        self._observe = observer
        self._retries = Retries(bench.settings.failures)

    def cut_short(self, row: RunRow, attempt: int, kind: FailureKind, message: str) -> None:
        """An attempt ended through no fault of the run's, which is pending again."""
        self._manifest.requeue(row.order_index, attempt, kind, message)

    def published(self, row: RunRow, attempt: int, outcome: Published) -> None:
        """A run is complete."""
        self._manifest.complete(row.order_index, attempt, self._bench.folder.relative(outcome.folder))
        self._observe(RunCompleted(row.experiment_id, row.cycle, outcome.folder, outcome.result))
        if self._breaker.passed():
            self._observe(BreakerClosed())

    def failed(self, row: RunRow, attempt: int, failure: RunFailure) -> None:
        """An attempt gave no result.

        Raises:
            MachineError: the campaign cannot go on.
        """
        name = self._bench.campaign.name
        # A disk that is too small for a model stands in no other run's way; one that holds no results does.
        if failure.kind is FailureKind.DISK_FULL and not has_room(self._bench.folder.path, _ROOM_FOR_A_RUN_BYTES):
            self.cut_short(row, attempt, failure.kind, failure.message)
            raise MachineError(failure.message, hint=f"make room, then `orchestrate resume {name}`")
        folder = self._bench.folder.attempt_folder(AttemptName(row.experiment_id, row.cycle, attempt))
        told = RunFailed(row.experiment_id, row.cycle, attempt, failure.kind, failure.message, failure.hint, folder)
        now_s = time.monotonic()
        retry = self._retries.after(row.order_index, failure.kind)
        if retry:
            self._manifest.requeue(row.order_index, attempt, failure.kind, failure.message)
            self._pending.again(row.order_index, now_s + retry.wait_s)
            self._observe(RunRetried(told, retry.wait_s, retry.left))
        else:
            self._manifest.fail(row.order_index, attempt, failure.kind, failure.message)
            self._observe(told)
        breaker = self._breaker
        if breaker.failed(row.order_index, ailing=FAILURES[failure.kind].ailing, now_s=now_s):
            self._observe(BreakerOpened(breaker.in_a_row, told, breaker.pause_s, breaker.probes_left))
        if breaker.state == "broken":
            raise MachineError(
                f"{breaker.in_a_row} runs in a row failed of what ails the machine, {breaker.failed_probes} of them"
                f" as probes after pauses; the last: {failure.kind.value}: {failure.message}",
                hint=f"`orchestrate doctor` looks at the machine; {folder / LOG} may tell more; then"
                f" `orchestrate resume {name}`. If it is the experiments that fail: failures.breaker: null",
            )
