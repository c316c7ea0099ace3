"""What engines warned of, told apart into what is known and what is not. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.report.counting import counted, some_of
from orchestrator.report.tables import Column, Table
from orchestrator.results.known_issues import KnownIssue, issue_of
from runners.contract.result import EngineMessage, RunResult

Level = Literal["warning", "error"]

_UNKNOWN = "unknown"
_MOST_SHOWN = 3
_MOST_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Said:
    """Something that engines said in a campaign."""

    source: str
    """The package that said it."""
    level: Level
    text: str
    runs: int
    """In how many runs it was said."""
    issue: KnownIssue | None
    """What it is known as."""


def messages_of(told: Sequence[str], issues: Sequence[KnownIssue]) -> list[Said]:
    """What engines said: what nobody knows first, of these errors before warnings, and then the commonest.

    Args:
        told: of each run, as a table's column ``engine_messages`` has it.
        issues: known ones.
    """
    runs: Counter[tuple[str, Level, str]] = Counter()
    for text, count in Counter(told).items():
        runs.update(dict.fromkeys(_read(text), count))
    found = [
        Said(source, level, text, count, issue_of(EngineMessage(source=source, level=level, text=text), issues))
        for (source, level, text), count in runs.items()
    ]
    return sorted(found, key=lambda one: (one.issue is not None, one.level != "error", -one.runs, one.text))


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
    notes = [explained(issue) for issue in _distinct(issue for _, issue in matched)]
    return [Table("Messages of the engine", columns, rows, notes)]


def message_notes(told: Sequence[str], issues: Sequence[KnownIssue]) -> list[str]:
    """What to know of the messages of a campaign's runs: which are unknown, and which known issues were met.

    Args:
        told: of each run, as a table's column ``engine_messages`` has it.
        issues: known ones.
    """
    found = messages_of(told, issues)
    unknown = [one for one in found if one.issue is None]
    notes = [
        f"{one.level} of {one.source} that no known issue explains, in {some_of(one.runs, len(told), 'run')}: "
        f"{_cut(one.text)}"
        for one in unknown[:_MOST_SHOWN]
    ]
    if len(unknown) > _MOST_SHOWN:
        notes.append(f"{len(unknown) - _MOST_SHOWN} more such messages: `orchestrate results show RUN` has them")
    if known := _met(told, found):
        met = ", ".join(f"{name} in {count}" for name, count in sorted(known.items()))
        notes.append(f"known issues met: {met} of {counted(len(told), 'run')}")
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
        f"{explained(issue)}; in {some_of(counts[issue.id], len(found), 'failed run')}" for issue in _distinct(found)
    ]


def _distinct(found: Iterable[KnownIssue | None]) -> list[KnownIssue]:
    return list({issue.id: issue for issue in found if issue}.values())


def _read(text: str) -> list[tuple[str, Level, str]]:
    """Source, level and text of what a run's engine said."""
    return [(source, level, said) for source, level, said in (json.loads(text) if text else ())]


def _met(told: Sequence[str], found: Iterable[Said]) -> Counter[str]:
    """Each known issue with the number of runs in which engines said something that it is."""
    known = {(one.source, one.level, one.text): _named(one.issue) for one in found if one.issue}
    met: Counter[str] = Counter()
    for text, count in Counter(told).items():
        said = map(tuple, json.loads(text) if text else ())
        met.update(dict.fromkeys({known[one] for one in said if one in known}, count))
    return met


def _named(issue: KnownIssue | None) -> str:
    return f"{issue.id} ({issue.status})" if issue else _UNKNOWN


def explained(issue: KnownIssue) -> str:
    """What a message is known as, and what is to be thought of it."""
    return f"{_named(issue)}: {issue.note}" + (f" ({issue.url})" if issue.url else "")


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
