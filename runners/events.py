"""Progress, as JSON lines on what standard output was when the runner started."""

from __future__ import annotations

import os
import time

from runners.contract.events import RunnerEvent

_PROGRESS_EVERY_S = 0.2


class EventWriter:
    """Writes events to a file descriptor; a line that cannot be written is dropped.

    Progress is shown at most five times a second, so that showing it costs the measured next to nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._progress_at_s = float("-inf")

    def phase(self, phase: str) -> None:
        """Says that a phase begins."""
        self._progress_at_s = float("-inf")
        self._write(RunnerEvent.model_validate({"event": "phase", "phase": phase}))

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
        self._write(RunnerEvent.model_validate(fields))

    def _write(self, event: RunnerEvent) -> None:
        line = event.model_dump_json(exclude_none=True).encode() + b"\n"
        try:
            os.write(self._descriptor, line)
        except OSError:
            return  # a full disk or a reader that went away: progress is only for show


def claim_stdout() -> EventWriter:
    """Keeps standard output for events alone: whatever else prints goes to standard error from now on."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return EventWriter(descriptor)
