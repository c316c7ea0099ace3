"""One attempt watched until its end: its progress read, its time limits held."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.dispatch.base import LiveAttempt
from runners.contract.events import RunnerEvent
from runners.contract.failures import FAILURES
from runners.contract.paths import EVENTS, FailureKind

_TICK_S = 0.25
_MAX_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take, and how long it may be silent."""

    timeout_s: float
    silence_timeout_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the host ended an attempt."""

    kind: FailureKind
    message: str
    hint: str


@contextmanager
def in_charge_of(attempt: LiveAttempt) -> Iterator[None]:
    """Whatever goes wrong while an attempt is watched, it does not outlive its watcher."""
    try:
        yield
    except BaseException:
        attempt.stop()
        raise


def supervise(
    attempt: LiveAttempt,
    folder: Path,
    limits: Limits,
    on_event: Callable[[RunnerEvent], None],
    should_stop: Callable[[], bool],
    fault: Callable[[], Verdict | None] = lambda: None,
) -> Verdict | None:
    """Watch an attempt until it has ended, or end it.

    Args:
        attempt: what is watched.
        folder: where it works.
        limits: its time limits.
        on_event: called with each event of the runner.
        should_stop: whether it is to be ended.
        fault: tells why it must be ended, where the machine lets it down.

    Returns:
        Why it was ended by us, or None where it ended by itself, well or badly.
    """
    lines = _Tail(folder / EVENTS)
    last_sign_s = time.monotonic()
    where = "before its first phase"
    while not attempt.wait(_TICK_S):
        for event in lines.new_events():
            last_sign_s = time.monotonic()
            where = f"in the phase {event.phase}"
            on_event(event)
        if attempt.age_s < 0:
            last_sign_s = time.monotonic()
        verdict = fault()
        if should_stop():
            verdict = Verdict(FailureKind.INTERRUPTED, "the campaign was asked to stop", "orchestrate resume")
        elif attempt.age_s > limits.timeout_s:
            verdict = Verdict(
                FailureKind.TIMEOUT,
                f"not done after timeout_s = {limits.timeout_s:g} s: it was {where}",
                FAILURES[FailureKind.TIMEOUT].hint,
            )
        elif time.monotonic() - last_sign_s > limits.silence_timeout_s:
            verdict = Verdict(
                FailureKind.SILENT,
                f"no sign of life for silence_timeout_s = {limits.silence_timeout_s:g} s, {where}",
                FAILURES[FailureKind.SILENT].hint,
            )
        if verdict:
            attempt.stop()
            return verdict
    for event in lines.new_events():
        on_event(event)
    return None


class _Tail:
    """The complete lines that a file has gained since last asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new_events(self) -> Iterator[RunnerEvent]:
        try:
            if self._path.stat().st_size <= self._offset:
                return
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return
        whole, newline, rest = content.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        if len(rest) > _MAX_LINE:
            self._offset += len(rest)
        for line in whole.splitlines():
            with contextlib.suppress(ValidationError):
                yield RunnerEvent.model_validate_json(line)
