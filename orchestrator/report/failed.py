"""What failed in a campaign and why, grouped by the kind of failure: bounded, however many runs failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.manifest.store import RunRow
from orchestrator.report.counting import counted, some_of
from orchestrator.report.engine_messages import issue_notes
from orchestrator.results.known_issues import KnownIssue, issue_of_failure
from runners.contract.failures import FAILURES
from runners.contract.paths import ATTEMPTS, LOG, AttemptName, FailureKind, short_run_id

_MOST_RUNS = 5
"""Of each kind, with their logs."""
_MOST_CHARACTERS = 300
"""Of a message: an engine's may hold a page."""


def failure_summary(
    name: str,
    runs: int,
    rows: Sequence[RunRow],
    recovered: Mapping[str, int],
    results: Path,
    issues: Sequence[KnownIssue] = (),
) -> list[str]:
    """What failed, as lines: each kind with its number, what was said first, what to do, and where the logs are.

    Args:
        name: of the campaign.
        runs: how many it has.
        rows: its failed runs.
        recovered: complete runs that had failed before, by kind.
        results: the campaign's folder, as it is to be shown.
        issues: known ones; those that failures are known as are named.
    """
    lines = [f"Failed: {some_of(len(rows), runs, 'run')}"] if rows else []
    for kind, of_kind in _by_kind(rows).items():
        lines += _of_kind(name, kind, of_kind, results)
    lines += issue_notes([issue_of_failure(row.message, issues) for row in rows])
    if recovered:
        kinds = ", ".join(f"{count:,} after {kind}" for kind, count in sorted(recovered.items()))
        lines.append(f"Tried again and complete: {kinds}")
    return lines


def _by_kind(rows: Iterable[RunRow]) -> dict[str, list[RunRow]]:
    """The commonest kind first."""
    groups: dict[str, list[RunRow]] = {}
    for row in rows:
        groups.setdefault(row.failure_kind or "unknown", []).append(row)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _of_kind(name: str, kind: str, rows: Sequence[RunRow], results: Path) -> list[str]:
    messages = list(dict.fromkeys(_one_line(row.message) for row in rows))
    explained = next(iter(hints([kind])), kind)
    lines = [f"  {counted(len(rows), 'run')} · {explained}", f"    {messages[0]}"]
    if len(messages) > 1:
        lines[-1] += f" (and {counted(len(messages) - 1, 'other message')})"
    for row in rows[:_MOST_RUNS]:
        attempt = AttemptName(row.experiment_id, row.cycle, row.attempts)
        lines.append(f"    {short_run_id(row.experiment_id, row.cycle)}: {results / ATTEMPTS / str(attempt) / LOG}")
    if len(rows) > _MOST_RUNS:
        lines.append(f"    … and {len(rows) - _MOST_RUNS:,} more: `orchestrate status {name}`")
    return lines


def _one_line(message: str | None) -> str:
    text = " ".join((message or "no message").split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def hints(kinds: Iterable[str | None]) -> list[str]:
    """For each kind of failure once: what it means, and what to do."""
    wanted = dict.fromkeys(kinds)
    found = [kind for name in wanted for kind in FailureKind if kind.value == name]
    return [f"{kind.value}: {FAILURES[kind].meaning}; {FAILURES[kind].hint}" for kind in found]
