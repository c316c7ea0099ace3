"""Experiments that are known well enough are spared further runs."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.execution.events import ExperimentKnown, ExperimentReopened, Notice, Observer
from orchestrator.execution.pending import Pending
from orchestrator.execution.precision import Precision
from orchestrator.manifest.store import Manifest
from runners.contract.result import RunResult


class Sparing:
    """Holds what is left to run of one campaign against how exactly its experiments are known.

    Args:
        precision: what is known so far.
        manifest: where runs are set down that are not needed.
        pending: where they are taken from.
        observer: told of both.
    """

    def __init__(self, precision: Precision, manifest: Manifest, pending: Pending, observer: Observer) -> None:
        self._precision = precision
        self._manifest = manifest
        self._pending = pending
        self._observe = observer
        self._warned = False

    def needs(self, experiment_id: str) -> bool:
        """Whether an experiment is to be run further."""
        return not self._precision.of(experiment_id).enough

    def learn(self, result: RunResult, at_hand: Collection[int]) -> None:
        """A run is complete.

        Args:
            result: of the run.
            at_hand: order indexes of runs that were taken from the pending ones, and not started so far.
        """
        was_enough = not self.needs(result.experiment_id)
        self._precision.add(result)
        if not self._precision.tells(result) and not self._warned:
            self._warned = True
            metric = self._precision.until.metric
            self._observe(Notice(f"until: {result.run_id} did not measure {metric}, so it does not tell when to stop"))
        if was_enough and self.needs(result.experiment_id):
            self._reopen(result.experiment_id, at_hand)

    def spare(self, experiment_id: str) -> None:
        """Let no pending run of an experiment be started, if it is known well enough."""
        known = self._precision.of(experiment_id)
        if not known.enough:
            return
        spared = self._manifest.spare(experiment_id)
        if spared:
            self._pending.drop(spared)
            self._observe(
                ExperimentKnown(experiment_id, known.runs, known.relative_half_width, len(spared), known.method)
            )

    def unsure(self) -> list[str]:
        """The experiments that are not known well enough."""
        return [experiment_id for experiment_id in self._manifest.experiment_ids() if self.needs(experiment_id)]

    def _reopen(self, experiment_id: str, at_hand: Collection[int]) -> None:
        """A run that was at work beside the one after which it seemed known well enough shows that it is not."""
        known = self._precision.of(experiment_id)
        needed = self._manifest.need_again(experiment_id)
        self._pending.add(run for run in needed if run not in at_hand)
        if needed:
            self._observe(
                ExperimentReopened(experiment_id, known.runs, known.relative_half_width, len(needed), known.method)
            )
