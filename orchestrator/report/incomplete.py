"""What a campaign has no results of: runs that failed, and those that are still to come. By the folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.execution.changes import no_longer_planned
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign
from runners.contract.failures import FAILURES
from runners.contract.paths import AttemptName, FailureKind, run_id


@dataclass(frozen=True, slots=True)
class FailedKind:
    """Runs that failed in one way, at their last attempt."""

    kind: str
    meaning: str
    hint: str
    runs: Sequence[str]
    """experiment_id and cycle of each, as in ``sim-1.c002``."""
    messages: Sequence[str]
    """What was said, each once."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Runs without a result; those that are no longer planned are neither complete nor failed."""

    planned: int | None
    """How many runs the campaign has at most; None where that is not known."""
    complete: int
    failed: Sequence[FailedKind]
    until: str | None = None
    """Until when experiments are repeated, where no number of cycles says so: then not all runs are needed."""

    @property
    def failed_runs(self) -> int:
        """How many runs failed."""
        return sum(len(kind.runs) for kind in self.failed)


def incomplete_of(folder: Path, frozen: FrozenCampaign | None) -> Incomplete:
    """What is missing of a campaign.

    Args:
        folder: of its results.
        frozen: the campaign as it was begun.
    """
    campaign = CampaignFolder(folder)
    published = campaign.published()
    last: dict[tuple[str, int], AttemptName] = {}
    for name in campaign.attempt_names():
        run = name.experiment_id, name.cycle
        if run not in published and (run not in last or name.attempt > last[run].attempt):
            last[run] = name
    kinds: dict[FailureKind, tuple[list[str], dict[str, None]]] = {}
    gone = no_longer_planned({*published, *last}, frozen) if frozen else set()
    for name in sorted(name for run, name in last.items() if run not in gone):
        if failure := campaign.failure(name):
            runs, messages = kinds.setdefault(failure.kind, ([], {}))
            runs.append(run_id(name.experiment_id, name.cycle))
            messages[" ".join(failure.message.split())] = None
    failed = [
        FailedKind(kind.value, FAILURES[kind].meaning, FAILURES[kind].hint, runs, list(messages))
        for kind, (runs, messages) in sorted(kinds.items(), key=lambda one: -len(one[1][0]))
    ]
    planned = frozen.experiments * frozen.campaign.file.most_cycles if frozen else None
    until = frozen.campaign.file.until if frozen else None
    return Incomplete(planned, len(published - gone), failed, str(until) if until else None)
