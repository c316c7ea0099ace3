"""Failed runs as a table: which, of which kind, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.manifest.store import RunRow
from orchestrator.report.engine_messages import issue_notes
from orchestrator.report.tables import Column, Table
from orchestrator.results.known_issues import KnownIssue, issue_of_failure
from runners.contract.failures import FAILURES
from runners.contract.paths import FailureKind, short_run_id

_MOST_ROWS = 20


def failed_runs(name: str, rows: Sequence[RunRow], issues: Sequence[KnownIssue] = ()) -> Table:
    """A row a failed run of a campaign; below, once for each kind, what it means and what to do.

    Args:
        name: the campaign's.
        rows: of the runs that failed.
        issues: known ones; those that failures are known as are named below.
    """
    shown = [
        [
            short_run_id(row.experiment_id, row.cycle),
            row.backend,
            row.failure_kind or "",
            " ".join((row.message or "").split()),
        ]
        for row in rows[:_MOST_ROWS]
    ]
    notes = hints(row.failure_kind for row in rows)
    notes += issue_notes([issue_of_failure(row.message, issues) for row in rows])
    if len(rows) > len(shown):
        notes.append(f"{len(rows) - len(shown)} more failed: `orchestrate status {name}` lists them")
    columns = [Column("run"), Column("backend"), Column("kind"), Column("message", prose=True)]
    return Table("Failed", columns, shown, notes)


def hints(kinds: Iterable[str | None]) -> list[str]:
    """For each kind of failure once: what it means, and what to do."""
    found = dict.fromkeys(FailureKind(kind) for kind in kinds if kind)
    return [f"{kind.value}: {FAILURES[kind].meaning}; {FAILURES[kind].hint}" for kind in found]
