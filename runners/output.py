"""Where a runner's output goes from the first moment on: files of its attempt. Standard library only."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import NamedTuple

from runners.contract import paths


class Streams(NamedTuple):
    """Descriptors of what is written to."""

    events: int
    """``events.jsonl``."""
    stdout: int
    """What standard output was before."""
    stderr: int
    """What standard error was before."""


def claim(folder: Path) -> Streams:
    """Sends standard output and error to ``runner.log``, whoever writes there, engines and child processes included.

    Files, not the streams, since those end with the client of a container, and the run goes on.

    Args:
        folder: the attempt folder; both files are appended to.

    Raises:
        OSError: it cannot be written; the streams are then as they were.
    """
    events, log = _appended(folder / paths.EVENTS), _appended(folder / paths.LOG)
    streams = Streams(events, os.dup(1), os.dup(2))
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what a killed runner printed is there too, and in its place
    return streams


def _appended(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
