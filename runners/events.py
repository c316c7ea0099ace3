"""Progress, as JSON lines for whoever watches the run."""

from __future__ import annotations

import os
import time
from typing import Any

from runners.contract.events import RunnerEvent

_PROGRESS_EVERY_S = 0.2
_ALIVE_EVERY_S = 1.0


class EventWriter:
    """Writes events to a file descriptor; a line that cannot be written is dropped.

    Progress is shown at most five times a second, so that showing it costs the measured next to nothing. Where
    none is made for a second, :meth:`alive` repeats the last, so that only what stands still is silent.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._progress_at_s = float("-inf")
        self._said_at_s = float("-inf")
        self._again = b""

    def phase(self, phase: str) -> None:
        """Says that a phase begins."""
        self._progress_at_s = float("-inf")
        self._again = _line({"event": "progress", "phase": phase})
        self._write(_line({"event": "phase", "phase": phase}))

    def progress(self, phase: str, power_w: float | None, done: int | None = None, total: int | None = None) -> None:
        """Says that a phase goes on, unless it was said a moment ago.

        Args:
            phase: the phase it is in.
            power_w: the latest power that the sampler saw, or None.
            done: requests answered so far in the window.
            total: requests in the window.
        """
        now_s = time.monotonic()
        finished = done is not None and done == total
        if not finished and now_s - self._progress_at_s < _PROGRESS_EVERY_S:
            return
        self._progress_at_s = now_s
        fields = {"event": "progress", "phase": phase, "done": done, "total": total, "power_w": power_w}
        self._again = _line(fields)
        self._write(self._again)

    def alive(self) -> None:
        """Says that the phase still goes on, once a second at most.

        It may be called at every token: most calls do no more than look at the clock.
        """
        if time.monotonic() - self._said_at_s >= _ALIVE_EVERY_S:
            self._write(self._again)

    def _write(self, line: bytes) -> None:
        self._said_at_s = time.monotonic()
        try:
            os.write(self._descriptor, line)
        except OSError:
            return  # a full disk or a reader that went away: progress is only for show


def _line(fields: dict[str, Any]) -> bytes:
    return RunnerEvent.model_validate(fields).model_dump_json(exclude_none=True).encode() + b"\n"
