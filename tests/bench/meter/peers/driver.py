"""The side of the benchmark that runs in a tool's own environment: one measured window after another.

A driver makes its tool and hands it to :func:`drive`. That measures one window that is not counted, prints
``{"version"}`` when it is ready, reads a moment T of CLOCK_MONOTONIC from standard input, measures the windows of the
plan named on the command line (a JSON list of ``[start after T in s, length in s]``), and prints a line for each.

What a user wants to know is the energy of the work alone: it starts when ``begin`` has returned and ends when ``end``
is called, and those are the moments printed. The work is a sleep: the simulated GPU needs nobody to keep it busy.
Standard library only.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

Answer = dict[str, Any]
"""At least ``energy_j``: the joules of GPU 0, or None."""

_PLACE = re.compile(r"^/\S+:\d+: ")
"""The file and line that :mod:`warnings` begins with."""

SETTLE_S = 0.5
"""The window that is not counted: in it a tool may load, look up and compile what it needs."""


class Tool(Protocol):
    """A meter under test."""

    def begin(self) -> None:
        """Open a window."""

    def end(self) -> Callable[[], float | Answer | None]:
        """Close it. What it returns is asked for the joules after :meth:`close`."""

    def close(self) -> None:
        """All windows are over."""


class _Signs(logging.Handler):
    """Every warning that the tool gives, logged or by :mod:`warnings`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip().splitlines() or [""]
        self.texts.append(f"{record.name}: {_PLACE.sub('', text[0])[:200]}")


def drive(distribution: str, make: Callable[[], Tool], logger: str | None = None) -> None:
    """Measure the windows of the plan; the last line printed holds the warnings given.

    Args:
        distribution: what the tool is installed as.
        make: makes the tool.
        logger: the tool's own, if what is logged there does not reach the root logger.
    """
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**line: Any) -> None:
        print(json.dumps(line), file=output, flush=True)

    signs = _Signs()
    for name in {None, logger}:
        logging.getLogger(name).addHandler(signs)
    logging.captureWarnings(capture=True)
    warnings.simplefilter("always")
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        tool = make()
        _measure(tool, time.monotonic(), SETTLE_S)
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
        say(version=version(distribution))
        say(setup_error=_said(error))
    else:
        say(version=version(distribution))
        origin_s = float(sys.stdin.readline())
        measured = [_measure(tool, origin_s + start_s, length_s) for start_s, length_s in plan]
        _attempt(tool.close)
        for stamps, answer in measured:
            say(**stamps, **answer())
    say(signs=signs.texts)
    os._exit(0)


def _measure(tool: Tool, start_s: float, length_s: float) -> tuple[dict[str, float], Callable[[], Answer]]:
    _sleep_until(start_s)
    called_s = time.monotonic()
    begin_error, _ = _attempt(tool.begin)
    begun_s = time.monotonic()
    _sleep_until(begun_s + length_s)
    ended_s = time.monotonic()
    end_error, figure = _attempt(tool.end) if begin_error is None else (begin_error, None)
    stamps = {"called_s": called_s, "begun_s": begun_s, "ended_s": ended_s, "returned_s": time.monotonic()}

    def answer() -> Answer:
        if figure is None:
            return {"energy_j": None, "error": end_error}
        error, said = _attempt(figure)
        return {"error": error, **(said if isinstance(said, dict) else {"energy_j": said})}

    return stamps, answer


def _attempt(action: Callable[[], Any]) -> tuple[str | None, Any]:
    try:
        return None, action()
    except Exception as error:  # noqa: BLE001 - likewise
        return _said(error), None


def _said(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {text[0][:200]}"


def _sleep_until(t_s: float) -> None:
    while (left_s := t_s - time.monotonic()) > 0:
        time.sleep(left_s)
