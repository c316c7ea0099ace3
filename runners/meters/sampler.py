"""The sampler: reads the meters at a steady rate and appends what they say to a file.

It ends when its standard input does, so it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path

from runners.meters.choose import Opened, Spec
from runners.meters.process import resident_bytes


def sample_until_eof(spec: Spec, opened: Opened, stdin: int, parent: int) -> None:
    """Samples until the standard input ends or the parent is gone.

    One line is one tick: ``{"t_s", "cpu_s", "rss_bytes", "readings"}``, where ``cpu_s`` is the CPU time that
    the sampler itself has used so far, and ``rss_bytes`` the runner's memory.

    Args:
        spec: where to write, how often, and whose memory.
        opened: the meters.
        stdin: the file descriptor that is watched.
        parent: process id of the runner; once another process is the parent, it has died.

    Raises:
        MeterError: a meter vanished or does not answer.
        OSError: the file could not be written.
    """
    file = os.open(spec.samples, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        period_s = 1 / spec.sample_hz
        due_s = time.monotonic()
        while True:
            _append(file, _line(spec, opened))
            now_s = time.monotonic()
            due_s = next_due_s(due_s, now_s, period_s)
            if select.select([stdin], [], [], max(0.0, due_s - now_s))[0] or os.getppid() != parent:
                return
    finally:
        os.close(file)


def next_due_s(due_s: float, now_s: float, period_s: float) -> float:
    """When to sample next: on the grid that the first sample began, and after now.

    A deadline that was missed is left out and not caught up with, and no lateness adds up.
    """
    return due_s + period_s * max(1, 1 + (now_s - due_s) // period_s)


def first_sample(spec: Spec, opened: Opened) -> None:
    """Reads and writes everything once, so that the first real sample finds all warm.

    Raises:
        MeterError: a meter does not answer.
        OSError: the file could not be written.
    """
    line = _line(spec, opened)
    Path(spec.samples).write_bytes(line)


def _line(spec: Spec, opened: Opened) -> bytes:
    tick = {
        "t_s": time.monotonic(),
        "cpu_s": time.process_time(),
        "rss_bytes": resident_bytes(spec.runner_pid),
        "readings": [reading for meter in opened.meters for reading in meter.sample()],
    }
    return json.dumps(tick, separators=(",", ":")).encode() + b"\n"


def _append(file: int, line: bytes) -> None:
    if os.write(file, line) != len(line):
        raise OSError(28, os.strerror(28))
