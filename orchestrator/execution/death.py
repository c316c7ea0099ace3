"""What became of a runner that left no word: its exit code and the end of its log may still tell."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from orchestrator.dispatch.base import Ending
from orchestrator.execution.supervise import Verdict
from runners.contract.failures import FAILURES, kind_of_words
from runners.contract.messages import redact
from runners.contract.paths import EXIT_CODES, FailureKind

_TAIL_BYTES = 16 * 1024
_LAST_LINES = 40
_MOST_CHARACTERS = 300
_OF_MEMORY = (FailureKind.OUT_OF_MEMORY, FailureKind.GPU_OUT_OF_MEMORY)
_CRASH = ("Fatal Python error", "terminate called")
_KINDS: dict[int | None, FailureKind] = {code: kind for kind, code in EXIT_CODES.items()}


def died(ending: Ending, log: Path, *, on_gpu: bool) -> Verdict:
    """The kind of failure of a runner that ended without saying why.

    Args:
        ending: how it ended.
        log: its log.
        on_gpu: whether it worked on a GPU.
    """
    if ending.out_of_memory:
        return Verdict(
            FailureKind.OUT_OF_MEMORY,
            "the kernel ended it: the container's memory limit was reached",
            "raise the limit, or use a smaller batch_size, dtype or model",
        )
    kind, how = _told_by(ending.exit_code)
    lines = _last_lines(log)
    if kind is FailureKind.CRASHED:
        for line in lines:
            if (told := kind_of_words(line, on_gpu=on_gpu)) in _OF_MEMORY:
                return Verdict(told, f"{how}; its log says: {line}", FAILURES[told].hint)
    if kind is FailureKind.CRASHED and lines:
        how += f"; its log ends: {_telling(lines)}"
    hint = FAILURES[kind].hint
    if ending.exit_code == -signal.SIGKILL:
        hint = f"if the kernel ended it for want of memory, `dmesg` says so; {hint}"
    return Verdict(kind, how, hint)


def _told_by(exit_code: int | None) -> tuple[FailureKind, str]:
    kind = _KINDS.get(exit_code, FailureKind.CRASHED)
    if exit_code is None:
        return kind, "the runner ended without a result"
    if exit_code < 0:
        return kind, f"the runner was killed by {_signal_name(-exit_code)}"
    if kind is FailureKind.DISK_FULL:
        return kind, "the disk is full: the runner could not even write why it failed"
    return kind, f"the runner ended with exit code {exit_code} and no result"


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            content = file.read()
    except OSError:
        return []
    # Engines write there past any format of ours.
    text = redact(content.decode(errors="replace"), os.environ)
    lines = (line.strip() for line in text.splitlines())
    return [line[:_MOST_CHARACTERS] for line in lines if line][-_LAST_LINES:]


def _telling(lines: list[str]) -> str:
    """The line that names a crash, which a dump of the stack follows; else the last one."""
    return next((line for line in lines if line.startswith(_CRASH)), lines[-1])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
