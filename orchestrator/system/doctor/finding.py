"""What was found of one thing, and a place for findings in which no failing look hides the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeVar

from orchestrator.errors import OrchestratorError

_T = TypeVar("_T")


class Status(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, but less well than it could."""
    MISSING = "missing"
    """It is not here, and one way of running needs it."""
    BROKEN = "broken"
    """It is here and does not work."""
    NOT_NEEDED = "not needed"
    """It is not here, and nothing here would use it."""
    UNKNOWN = "unknown"
    """It cannot be looked at before something else is there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands, what was seen of it, and what to do."""

    name: str
    status: Status
    seen: str
    advice: str = ""
    section: Literal["running", "measuring"] = "running"
    """Whether it bears on what can run here, or on what figures of it are worth."""


@dataclass(slots=True)
class Examination:
    """Findings so far.

    Args:
        failed: how a thing stands if looking at it fails.
    """

    failed: Status = Status.BROKEN
    findings: list[Finding] = field(default_factory=list)

    def look(self, name: str, question: Callable[[], _T]) -> _T | None:
        """What a question answers; if it fails, None, and that is a finding."""
        try:
            return question()
        except OrchestratorError as error:
            self.findings.append(Finding(name, self.failed, str(error), error.hint or ""))
        except Exception as error:  # noqa: BLE001 (a look that fails must not hide the others)
            seen = f"looking at it failed: {type(error).__name__}: {error}"
            self.findings.append(Finding(name, self.failed, seen, "please report this"))
        return None

    def add(self, name: str, judge: Callable[[], Iterable[Finding]]) -> None:
        """Add what a judge finds."""
        self.findings += self.look(name, lambda: list(judge())) or []
