"""The log, and the warnings of libraries on their way into the result."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from runners.contract import paths
from runners.contract.messages import redact
from runners.contract.result import EngineMessage
from runners.engine_messages import OURS, Said, merged, one_line, package_of, told_in

LOGGER = logging.getLogger("runners")

_MOST_MESSAGES = 50
_MOST_DISTINCT = 1000
_LAST_BYTES = 4 * 2**20
_QUIET = {
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
}
_TELLING = {"TRANSFORMERS_VERBOSITY": "info"}
"""Lets libraries that are quieter by default say what they do; what a user has set stays."""


class WarningCollector(logging.Handler):
    """Counts the distinct warnings and errors of Python and of loggers, each with the package it came from."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._counts: dict[Said, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Counts one log record, free of secrets."""
        try:
            message = redact(record.getMessage(), os.environ)  # before the cut, which could leave half a secret
        except Exception:  # noqa: BLE001 (a record that its own author cannot format must not end the run)
            self.handleError(record)
            return
        level: Literal["warning", "error"] = "error" if record.levelno >= logging.ERROR else "warning"
        said = Said(record.name.partition(".")[0], level, one_line(message))
        if said in self._counts or len(self._counts) < _MOST_DISTINCT:
            self._counts[said] = self._counts.get(said, 0) + 1

    def own(self) -> list[str]:
        """What this package warned of, in the order in which it came."""
        return [f"{OURS}: {said.text}" for said in self._counts if said.source == OURS]

    def messages(self, log: Path) -> list[EngineMessage]:
        """What engines and libraries warned of, here and in other processes, as far as the log has it.

        Args:
            log: where their processes write.
        """
        collected = [
            EngineMessage(source=said.source, level=said.level, text=said.text, count=count)
            for said, count in self._counts.items()
            if said.source != OURS
        ]
        found = merged(collected, told_in(_lines(log)))
        if len(found) > _MOST_MESSAGES:
            LOGGER.warning("%d further messages of the engine are in %s only", len(found) - _MOST_MESSAGES, paths.LOG)
        return found[:_MOST_MESSAGES]


def _lines(log: Path) -> list[str]:
    """The lines at the end of a log, free of secrets; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            content = file.read()
    except OSError:
        return []
    return redact(content.decode(errors="replace"), os.environ).split("\n")


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), os.environ)


class _BriefFormatter(_RedactingFormatter):
    """For a person at a terminal: the message, and how bad it is where it is bad."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


class _ForAPerson(logging.Filter):
    """Lets through what this package says, and of others what is a warning or worse."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] == OURS


def configure(echo: int | None = None) -> WarningCollector:
    """Logs to standard error: this package at debug level, others at info level, where it was on a crash; no bars.

    Args:
        echo: descriptor to which all but the details goes as well, for a person to read.
    """
    os.environ.update(_QUIET)
    for name, value in _TELLING.items():
        os.environ.setdefault(name, value)
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
        brief.addFilter(_ForAPerson())
        handlers.append(brief)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    LOGGER.setLevel(logging.DEBUG)
    warnings.showwarning = _log_warning
    return collector


@contextmanager
def warnings_only() -> Iterator[None]:
    """Nothing below a warning is logged meanwhile, by anybody: what is measured writes no log."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def campaign_line(environment: Mapping[str, str]) -> str | None:
    """Which campaign and cycle a run is part of, if the dispatcher said so."""
    name = environment.get(paths.ENV_CAMPAIGN_NAME)
    if not name:
        return None
    cycle, cycles = environment.get(paths.ENV_CYCLE), environment.get(paths.ENV_CYCLES)
    return f"Part of campaign {name}" + (f" (cycle {cycle} of {cycles})" if cycle and cycles else "")


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
