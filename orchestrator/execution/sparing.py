"""Experiments that are known well enough, or of which no run tells anything, are spared further runs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from orchestrator.execution.events import ExperimentGivenUp, ExperimentKnown, ExperimentReopened, Notice, Observer
from orchestrator.execution.pending import Pending
from orchestrator.execution.precision import Precision
from orchestrator.manifest.store import Manifest, Status
from runners.contract.result import RunResult


class Sparing:
    """Holds what is left to run of one campaign against how exactly its experiments are known.

    Args:
        precision: what is known so far.
        manifest: where runs are set down that are not needed.
        pending: where they are taken from.
        observer: told of both.
        resting: tells which runs were taken from there, and are to be started once their pauses are over.
    """

    def __init__(
        self,
        precision: Precision,
        manifest: Manifest,
        pending: Pending,
        observer: Observer,
        resting: Callable[[], Collection[int]],
    ) -> None:
        self._precision = precision
        self._manifest = manifest
        self._pending = pending
        self._observe = observer
        self._resting = resting
        self._warned = False
        self._given_up = set[str]()

    def needs(self, experiment_id: str) -> bool:
        """Whether an experiment is to be run further."""
        return not self._precision.of(experiment_id).over and experiment_id not in self._given_up

    def learn(self, result: RunResult) -> None:
        """A run is complete."""
        was_spared = not self.needs(result.experiment_id)
        self._precision.add(result)
        if self._precision.of(result.experiment_id).runs:
            self._given_up.discard(result.experiment_id)
        if not self._precision.tells(result) and not self._warned:
            self._warned = True
            metric = self._precision.until.metric
            self._observe(Notice(f"until: {result.run_id} did not measure {metric}, so it does not tell when to stop"))
        if was_spared and self.needs(result.experiment_id):
            self._reopen(result.experiment_id)

    def spare(self, experiment_id: str) -> None:
        """Let no further run of an experiment be started, if it is known well enough or no run of it tells anything.

        A run that failed at an earlier start, and was to be tried again now, is not needed where the complete runs
        decide; one that failed at this start has failed.
        """
        runs = self._manifest.statuses_of(experiment_id)
        failed = {run for run, status in runs if status is Status.FAILED}
        complete = sum(status is Status.COMPLETED for _, status in runs)
        known = self._precision.of(experiment_id)
        if failed and not known.runs and complete + len(failed) >= self._precision.until.min_cycles:
            self._given_up.add(experiment_id)
        if self.needs(experiment_id):
            return
        pending = {run for run, status in runs if status is Status.PENDING}
        dropped = self._pending.drop(pending | failed) | {*self._resting()}
        spared = pending | (failed & dropped if known.over else set())
        if not spared:
            return
        self._manifest.reset([(run, Status.UNNEEDED, None) for run in sorted(spared)])
        if known.enough:
            width = known.relative_half_width
            self._observe(ExperimentKnown(experiment_id, known.runs, width, len(spared), known.method))
        else:
            why = known.hopeless or self._why(experiment_id, len(failed))
            self._observe(ExperimentGivenUp(experiment_id, len(failed), len(spared), why))

    def unsure(self) -> list[str]:
        """The experiments that are not known well enough."""
        ids = self._manifest.experiment_ids()
        return [experiment_id for experiment_id in ids if not self._precision.of(experiment_id).enough]

    def _why(self, experiment_id: str, failed: int) -> str:
        """Why an experiment is given up for this start: most of its runs failed, or all."""
        counted = "its first run" if failed == 1 else f"its first {failed} runs"
        silent = self._precision.silent(experiment_id)
        if not silent:
            return f"{counted} failed"
        return f"no run tells its {self._precision.until.metric} ({failed} failed, {silent})"

    def _reopen(self, experiment_id: str) -> None:
        """A run that was at work beside the one after which it seemed known well enough shows that it is not."""
        known = self._precision.of(experiment_id)
        runs = self._manifest.statuses_of(experiment_id)
        needed = {run for run, status in runs if status is Status.UNNEEDED}
        if needed:
            self._manifest.reset([(run, Status.PENDING, None) for run in sorted(needed)])
            self._pending.add(needed - {*self._resting()})
            width = known.relative_half_width
            self._observe(ExperimentReopened(experiment_id, known.runs, width, len(needed), known.method))
