"""One tree of errors. Each says what is wrong and what to do next, and owns its exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EXIT_DONE = 0
EXIT_RUNS_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_MACHINE = 3
EXIT_IN_USE = 4
EXIT_FAULT = 70

_SHOWN = 500
"""Characters of a message or a field's name that are shown."""
_LISTED = 100
"""Issues that are shown."""


class OrchestratorError(Exception):
    """Anything the user can do something about.

    Args:
        message: what is wrong, and where.
        hint: what to do next.
    """

    exit_code = EXIT_FAULT

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InputError(OrchestratorError):
    """The arguments, or a file that somebody wrote, are wrong."""

    exit_code = EXIT_WRONG_INPUT


class MachineError(OrchestratorError):
    """Something the machine should have is missing: an engine, a GPU, room on the disk."""

    exit_code = EXIT_MACHINE


class DiskError(MachineError):
    """A file could not be read or written, for a reason that may pass.

    Args:
        message: what is wrong, and where.
        then: the command that goes on from there; None: the same once more.
    """

    def __init__(self, message: str, then: str | None = None) -> None:
        afterwards = f"`{then}`" if then else "try again"
        super().__init__(
            message, hint=f"check that the folder is there, has room and can be written; then {afterwards}"
        )
        self.then = then

    @classmethod
    def of(cls, error: OSError, then: str | None = None) -> DiskError:
        """What the system says of a file, in our words: a draft is called by the name that it would have got."""
        name = re.sub(r"\.\d+\.new$", "", str(error.filename)) if error.filename else ""
        return cls(f"{name}: {error.strerror or error}" if name else f"{error.strerror or error}", then)


class InUseError(OrchestratorError):
    """Another orchestrator has the campaign."""

    exit_code = EXIT_IN_USE


class InterruptedCampaignError(OrchestratorError):
    """The campaign was asked to stop; what ran is recorded, and can be resumed."""

    exit_code = 130


class ManifestError(OrchestratorError):
    """The manifest cannot be read as one."""

    exit_code = EXIT_MACHINE


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing found in a file, or in a campaign as a whole."""

    message: str
    field: str = ""
    line: int | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"
    """Whether nothing may be started while it stands."""
    file: str | None = None
    """The file that it stands in, where several are read."""

    def describe(self, path: Path | None) -> str:
        """``FILE:LINE: FIELD: message (hint)``, as far as each is known."""
        file = self.file or path
        place = "" if file is None else f"{file}:{self.line}: " if self.line else f"{file}: "
        field = f"{_shortened(self.field)}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return _printable(f"{place}{field}{_shortened(self.message)}{hint}")


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _printable(text: str) -> str:
    """A line for a terminal: nothing in a file that is wrong may move its cursor, or break the line."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class FileError(InputError):
    """A campaign file, or the user config, is wrong.

    Args:
        issues: everything that was found, not only the first.
        path: the file, if there is one.
        hint: what to do next, beyond what each issue says.
    """

    def __init__(self, issues: Sequence[Issue], path: Path | None = None, hint: str | None = None) -> None:
        lines = [issue.describe(path) for issue in issues[:_LISTED]]
        if len(issues) > _LISTED:
            lines.append(f"… and {len(issues) - _LISTED:,} more")
        super().__init__("\n".join(lines), hint=hint)
        self.issues = tuple(issues)
        self.path = path
