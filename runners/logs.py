"""The log, and the warnings of libraries on their way into the result."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from typing import TextIO

from runners.contract import paths
from runners.failures import redact

LOGGER = logging.getLogger("runners")

_MOST_WARNINGS = 50
_MOST_CHARACTERS = 500
_QUIET = {
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
}


class WarningCollector(logging.Handler):
    """Keeps the distinct warnings of Python and of loggers, each with the package it came from."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: dict[str, None] = {}
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one log record, as ``package: message``, free of secrets."""
        message = redact(record.getMessage(), os.environ)  # before the cut, which could leave half a secret
        text = " ".join(f"{record.name.partition('.')[0]}: {message}".split())[:_MOST_CHARACTERS]
        if text in self._seen:
            return
        if len(self._seen) >= _MOST_WARNINGS:
            self._dropped += 1
            return
        self._seen[text] = None

    def collected(self) -> list[str]:
        """The distinct warnings in the order in which they came."""
        found = list(self._seen)
        if self._dropped:
            found.append(f"runners: {self._dropped} further warnings are in {paths.LOG} only")
        return found


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), os.environ)


class _BriefFormatter(_RedactingFormatter):
    """For a person at a terminal: the message, and how bad it is where it is bad."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


def configure(echo: int | None = None) -> WarningCollector:
    """Logs to standard error: this package at debug level, others from warnings on, where it was on a crash; no bars.

    Args:
        echo: descriptor to which all but the details goes as well, for a person to read.
    """
    os.environ.update(_QUIET)
    with contextlib.suppress(OSError, ValueError):  # standard error has no descriptor, as under a test
        faulthandler.enable(sys.stderr)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, must not end the run
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    collector = WarningCollector()
    handlers: list[logging.Handler] = [stream, collector]
    if echo is not None:
        brief = logging.StreamHandler(os.fdopen(echo, "w", encoding="utf-8", errors="backslashreplace", closefd=False))
        brief.setFormatter(_BriefFormatter("%(message)s"))
        brief.setLevel(logging.INFO)
        handlers.append(brief)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    LOGGER.setLevel(logging.DEBUG)
    warnings.showwarning = _log_warning
    return collector


def campaign_line(environment: Mapping[str, str]) -> str | None:
    """Which campaign and cycle a run is part of, if the dispatcher said so."""
    name = environment.get(paths.ENV_CAMPAIGN_NAME)
    if not name:
        return None
    cycle, cycles = environment.get(paths.ENV_CYCLE), environment.get(paths.ENV_CYCLES)
    return f"Part of campaign {name}" + (f" (cycle {cycle} of {cycles})" if cycle and cycles else "")


def package_of(filename: str) -> str:
    """The package that a source file belongs to."""
    parts = filename.replace("\\", "/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return parts[parts.index(folder) + 1].removesuffix(".py")
    return "runners" if "runners" in parts else "python"


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Stands in for :func:`warnings.showwarning`."""
    logging.getLogger(package_of(filename)).warning("%s: %s", category.__name__, message)
