"""What engines warned of, told apart into what is known and what is not. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.report.counting import counted, some_of
from orchestrator.report.tables import Column, Table
from orchestrator.results.known_issues import KnownIssue, issue_of
from runners.contract.result import EngineMessage, RunResult

_UNKNOWN = "unknown"
_MOST_SHOWN = 3
_MOST_CHARACTERS = 100


def message_tables(result: RunResult, issues: Sequence[KnownIssue]) -> list[Table]:
    """The messages of a run, those that nobody knows first; no table where there are none."""
    matched = [(message, issue_of(message, issues)) for message in result.engine_messages]
    if not matched:
        return []
    rows = [
        [message.source, message.level, str(message.count), _named(issue), message.text]
        for message, issue in sorted(matched, key=lambda pair: pair[1] is not None)
    ]
    columns = [Column("source"), Column("level"), Column("times", True), Column("known as"), Column("text", prose=True)]
    notes = [_explained(issue) for issue in _distinct(issue for _, issue in matched)]
    return [Table("Messages of the engine", columns, rows, notes)]


def message_notes(results: Sequence[RunResult], issues: Sequence[KnownIssue]) -> list[str]:
    """What to know of the messages of a campaign's runs: which are unknown, and which known issues were met."""
    unknown: Counter[tuple[str, str, str]] = Counter()
    known: Counter[str] = Counter()
    for result in results:
        matched = [(message, issue_of(message, issues)) for message in result.engine_messages]
        unknown.update(list(dict.fromkeys(_key(message) for message, issue in matched if issue is None)))
        known.update(list(dict.fromkeys(_named(issue) for _, issue in matched if issue is not None)))
    notes = [
        f"{level} of {source} that no known issue explains, in {some_of(count, len(results), 'run')}: {_cut(text)}"
        for (source, level, text), count in unknown.most_common(_MOST_SHOWN)
    ]
    if len(unknown) > _MOST_SHOWN:
        notes.append(f"{len(unknown) - _MOST_SHOWN} more such messages: `orchestrate results show RUN` has them")
    if known:
        met = ", ".join(f"{name} in {count}" for name, count in sorted(known.items()))
        notes.append(f"known issues met: {met} of {counted(len(results), 'run')}")
    return notes


def with_known_issues(result: RunResult, issues: Sequence[KnownIssue]) -> dict[str, Any]:
    """A result as JSON, each message of the engine with the issue that it is ``known`` as, or null."""
    document = result.model_dump(mode="json")
    for written, message in zip(document["engine_messages"], result.engine_messages, strict=True):
        issue = issue_of(message, issues)
        written["known"] = issue and issue.model_dump(include={"id", "status", "note", "url"})
    return document


def issue_notes(found: Sequence[KnownIssue | None]) -> list[str]:
    """For each issue that failures are known as once: how often, and what is to be thought of it."""
    counts = Counter(issue.id for issue in found if issue)
    return [
        f"{_explained(issue)}; in {some_of(counts[issue.id], len(found), 'failed run')}" for issue in _distinct(found)
    ]


def _distinct(found: Iterable[KnownIssue | None]) -> list[KnownIssue]:
    return list({issue.id: issue for issue in found if issue}.values())


def _key(message: EngineMessage) -> tuple[str, str, str]:
    return message.source, message.level, message.text


def _named(issue: KnownIssue | None) -> str:
    return f"{issue.id} ({issue.status})" if issue else _UNKNOWN


def _explained(issue: KnownIssue) -> str:
    return f"{_named(issue)}: {issue.note}" + (f" ({issue.url})" if issue.url else "")


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
