"""What is told of a campaign that has ended. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

MOST_FAILED_RUNS = 20
MOST_CHARACTERS = 500
TEST = "test"


@dataclass(frozen=True, slots=True)
class FailedRun:
    """One run that gave no result."""

    run_id: str
    kind: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the runs of a campaign stand."""

    total: int
    completed: int
    failed: int
    pending: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice; what is not known is None."""

    event: str
    """``campaign.completed``, ``campaign.failed``, ``campaign.stopped`` or ``test``."""
    delivery: str
    """Identifies the notice; the same at each try."""
    campaign: str | None
    host: str
    version: str
    """Of orchestrate."""
    started_at: datetime
    ended_at: datetime
    duration_s: float
    runs: Counts | None = None
    failed_runs: tuple[FailedRun, ...] = ()
    error: str | None = None
    """What stopped it."""
    hint: str | None = None
    results: str | None = None
    """Its folder on that host."""

    def body(self) -> bytes:
        """As JSON, of bounded size."""
        fields = asdict(self)
        fields |= {"started_at": self.started_at.isoformat(), "ended_at": self.ended_at.isoformat()}
        fields["failed_runs"] = [
            {**asdict(run), "message": _short(run.message)} for run in self.failed_runs[:MOST_FAILED_RUNS]
        ]
        fields["failed_runs_left_out"] = max(0, len(self.failed_runs) - MOST_FAILED_RUNS)
        fields |= {"error": _short(self.error), "hint": _short(self.hint)}
        return json.dumps(fields).encode()


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
