"""Experiments that are known well enough, or of which no run comes through, are spared further runs."""

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
        return not self._precision.of(experiment_id).enough and experiment_id not in self._given_up

    def learn(self, result: RunResult) -> None:
        """A run is complete."""
        was_spared = not self.needs(result.experiment_id)
        self._precision.add(result)
        self._given_up.discard(result.experiment_id)
        if not self._precision.tells(result) and not self._warned:
            self._warned = True
            metric = self._precision.until.metric
            self._observe(Notice(f"until: {result.run_id} did not measure {metric}, so it does not tell when to stop"))
        if was_spared and self.needs(result.experiment_id):
            self._reopen(result.experiment_id)

    def spare(self, experiment_id: str) -> None:
        """Let no further run of an experiment be started, if it is known well enough or no run of it comes through.

        A run that failed at an earlier start, and was to be tried again now, is not needed where the experiment is
        known; one that failed at this start has failed.
        """
        runs = self._manifest.statuses_of(experiment_id)
        failed = {run for run, status in runs if status is Status.FAILED}
        come_through = any(status is Status.COMPLETED for _, status in runs)
        if not come_through and len(failed) >= self._precision.until.min_cycles:
            self._given_up.add(experiment_id)
        if self.needs(experiment_id):
            return
        pending = {run for run, status in runs if status is Status.PENDING}
        dropped = self._pending.drop(pending | failed) | {*self._resting()}
        known = self._precision.of(experiment_id)
        spared = pending | (failed & dropped if known.enough else set())
        if not spared:
            return
        self._manifest.reset([(run, Status.UNNEEDED, None) for run in sorted(spared)])
        if known.enough:
            width = known.relative_half_width
            self._observe(ExperimentKnown(experiment_id, known.runs, width, len(spared), known.method))
        else:
            self._observe(ExperimentGivenUp(experiment_id, len(failed), len(spared)))

    def unsure(self) -> list[str]:
        """The experiments that are not known well enough."""
        ids = self._manifest.experiment_ids()
        return [experiment_id for experiment_id in ids if not self._precision.of(experiment_id).enough]

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
