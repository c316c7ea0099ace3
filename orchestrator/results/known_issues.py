"""What engines are known to say: the list of this package, and the project's own ``issues.yaml``.

Messages are matched when they are shown, so that an issue that is written down later explains earlier runs too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from orchestrator.campaign.document import Document, field_name, read_document
from orchestrator.errors import FileError, Issue
from runners.contract.messages import nearest, validation_messages
from runners.contract.model import ContractModel
from runners.contract.result import EngineMessage

FILE: Final = "issues.yaml"
SHIPPED: Final = Path(__file__).parents[1] / "known_issues.yaml"

_MOST_CHARACTERS = 500
_MOST_PATTERN = 500
_MOST_REPEATS = 2
_MOST_WAYS = 64
_MOST_WAYS_OF_REPEATS = 4
"""Each way goes through all that two repeated parts can share out between them."""
_SINGLE = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def bounded_pattern(pattern: str) -> str:
    """A regular expression whose search takes a moment at most, whatever the text: Python's cannot be stopped.

    Raises:
        ValueError: it is none, or may take much longer.
    """
    try:
        re.compile(pattern)
        effort = _effort(_parsed(pattern))
    except (re.error, OverflowError) as error:
        raise ValueError(f"no regular expression: {error}") from None
    except RecursionError:
        raise ValueError("no regular expression that can be read: nested too deep") from None
    if effort.repeats > _MOST_REPEATS:
        raise ValueError(
            f"{effort.repeats} parts are repeated, which may take very long; at most {_MOST_REPEATS}, such as two .*"
        )
    most = _MOST_WAYS if effort.repeats < _MOST_REPEATS else _MOST_WAYS_OF_REPEATS
    if effort.ways > most:
        beside = f" beside {effort.repeats} repeated parts" if most < _MOST_WAYS else ""
        raise ValueError(f"{effort.ways:,} ways through alternatives{beside} may take very long; at most {most}")
    return pattern


class KnownIssue(ContractModel):
    """Something that engines say, and what is to be thought of it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80, description="short name of the issue")
    source: str | None = Field(None, min_length=1, description="package that says it, such as vllm; null: any")
    pattern: Annotated[str, AfterValidator(bounded_pattern)] = Field(
        min_length=1, max_length=_MOST_PATTERN, description="regular expression that is searched for in the message"
    )
    status: Literal["wip", "wontfix", "external"] = Field(
        description="is worked on; stays so; others' to mend, or the machine's"
    )
    note: str = Field(min_length=1, max_length=1000, description="what is to be thought of it")
    url: str | None = Field(None, pattern=r"^https?://\S+$", description="where more is said")
    since: str | None = Field(None, description="versions or date since when it is known")

    def says(self, text: str, source: str | None = None) -> bool:
        """Whether it is what a message says.

        Args:
            text: of the message; only so much of its beginning and its end is looked at as takes no time.
            source: the package that said it; None: unknown, which no issue is ruled out by.
        """
        if source is not None and self.source not in (None, source):
            return False
        return _found(self.pattern, text[:_MOST_CHARACTERS]) or _found(self.pattern, text[-_MOST_CHARACTERS:])


_ISSUES = TypeAdapter(list[KnownIssue])


def known_issues(project: Path) -> list[KnownIssue]:
    """All known issues: the project's own first, and one of the same id instead of ours.

    Args:
        project: the project's folder.

    Raises:
        FileError: its ``issues.yaml`` is wrong; with line and field.
        InputError: it cannot be read.
    """
    path = project / FILE
    own = read_issues(path) if path.exists() else []
    replaced = {issue.id for issue in own}
    return [*own, *(issue for issue in read_issues(SHIPPED) if issue.id not in replaced)]


def read_issues(path: Path) -> list[KnownIssue]:
    """The issues of one file.

    Raises:
        FileError: it is wrong; with line and field.
        InputError: it cannot be read.
    """
    document = read_document(path)
    data = [] if document.data is None else document.data
    if not isinstance(data, list):
        hint = "begin each with: - id:"
        raise FileError([Issue("known issues are a list", line=document.line(()), hint=hint)], path)
    faults = [*_unknown_keys(data, document), *_twice(data, document)]
    known = [
        {key: value for key, value in entry.items() if key in KnownIssue.model_fields}
        if isinstance(entry, dict)
        else entry
        for entry in data
    ]
    issues: list[KnownIssue] = []
    try:
        issues = _ISSUES.validate_python(known)
    except ValidationError as error:
        faults += [Issue(text, field_name(where), document.line(where)) for where, text in validation_messages(error)]
    if faults:
        raise FileError(sorted(faults, key=lambda fault: fault.line or 0), path)
    return issues


def issue_of(message: EngineMessage, issues: Sequence[KnownIssue]) -> KnownIssue | None:
    """The first issue that a message is known as; None where it is unknown."""
    return next((issue for issue in issues if issue.says(message.text, message.source)), None)


def issue_of_failure(message: str | None, issues: Sequence[KnownIssue]) -> KnownIssue | None:
    """The first issue that a failure is known as; None where it is unknown."""
    text = " ".join((message or "").split())
    return next((issue for issue in issues if issue.says(text)), None)


def _unknown_keys(data: Sequence[object], document: Document) -> Iterator[Issue]:
    for index, entry in enumerate(data):
        for key in entry if isinstance(entry, dict) else ():
            if key not in KnownIssue.model_fields:
                path = (index, key)
                hint = nearest(key, KnownIssue.model_fields)
                yield Issue("unknown key", field_name(path), document.line(path), hint)


def _twice(data: Sequence[object], document: Document) -> Iterator[Issue]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(data):
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            path = (index, "id")
            first = document.line((seen[name], "id"))
            yield Issue(f"{name} stands twice (first on line {first})", field_name(path), document.line(path))


@lru_cache(maxsize=4096)
def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def _parsed(pattern: str) -> Any:
    from re import _parser  # type: ignore[attr-defined]  # nothing public tells what a pattern is made of

    return _parser.parse(pattern)


class _Effort(NamedTuple):
    """What a search has to try out."""

    repeats: int
    """Parts that are repeated as often as it fits."""
    ways: int
    """Ways through alternatives, and through what may be left out."""


def _effort(part: Any) -> _Effort:
    """Of a part of a parsed pattern: a sequence, or an operation with its arguments.

    Raises:
        ValueError: a group is repeated.
    """
    if isinstance(part, tuple) and part and str(part[0]) in _REPEATS:
        least, most, repeated = part[1]
        inner = _effort(repeated)
        if most <= 1:
            return _Effort(inner.repeats, inner.ways + (least < most))
        if len(repeated) != 1 or str(repeated[0][0]) not in _SINGLE:
            raise ValueError("a group is repeated, which may take for ever; repeat single characters or classes only")
        return _Effort(inner.repeats + (least < most), inner.ways)
    if isinstance(part, tuple) and part and str(part[0]) == "BRANCH":
        branches = [_effort(branch) for branch in part[1][1]]
        return _Effort(sum(branch.repeats for branch in branches), sum(branch.ways for branch in branches))
    repeats, ways = 0, 1
    if not isinstance(part, str | bytes | int) and hasattr(part, "__getitem__"):
        for inner in map(_effort, part):
            repeats, ways = repeats + inner.repeats, ways * inner.ways
    return _Effort(repeats, ways)
