"""The sampler: reads the meters at a steady rate, and between that as they wish, and appends what they say to a file.

It ends when its standard input does, so it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path

from runners.meters.choose import Opened, Spec
from runners.meters.process import ProcessMemory, resident_bytes
from runners.meters.reading import Polled

_SAMPLE_TAKES_S = 0.005


def sample_until_eof(spec: Spec, opened: Opened, stdin: int, parent: int) -> None:
    """Samples until the standard input ends or the parent is gone.

    The first line is ``{"sources", "notes"}``. Each further line is one tick: ``{"t_s", "cpu_s", "rss_bytes",
    "readings", "edges", "powers", "errors"}``, where ``cpu_s`` is the CPU time that the sampler itself has used so
    far, ``rss_bytes`` the runner's memory, and the others are what the meters said since the last tick.

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
    memory = ProcessMemory(spec.runner_pid)
    try:
        polled = [meter for meter in opened.meters if isinstance(meter, Polled)]
        period_s = 1 / spec.sample_hz
        due_s = time.monotonic()
        ended = False
        while not ended:
            awake = False
            for meter in polled:
                if meter.due_s <= time.monotonic():
                    meter.poll()
                    awake = True
            next_poll_s = min((meter.due_s for meter in polled), default=float("inf"))
            now_s = time.monotonic()
            if is_time(due_s, now_s, next_poll_s, period_s, awake):
                ended = os.getppid() != parent
                _append(file, _line(memory.resident_bytes(), opened))
                due_s = next_due_s(now_s if awake else due_s, now_s, period_s)
            next_s = min(next_poll_s, due_s if next_poll_s > due_s + period_s / 2 else due_s + period_s / 2)
            ended = ended or bool(select.select([stdin], [], [], max(0.0, next_s - time.monotonic()))[0])
        _append(file, _line(memory.resident_bytes(), opened))
    finally:
        memory.close()
        os.close(file)


def is_time(due_s: float, now_s: float, next_poll_s: float, period_s: float, awake: bool) -> bool:
    """Whether to sample now.

    Waking up is what costs most. So a sample is taken right after the poll that is nearest to when it is due, if
    one is near at all, and never so shortly before a poll that it would delay it, unless it is long overdue.

    Args:
        due_s: when it is due.
        now_s: the present.
        next_poll_s: when the next poll is due.
        period_s: from one sample to the next.
        awake: whether a poll was just made.
    """
    if now_s >= due_s + period_s / 2:
        return True
    if awake:
        return next_poll_s - now_s >= _SAMPLE_TAKES_S and now_s + next_poll_s >= 2 * due_s
    return now_s >= due_s and next_poll_s > due_s + period_s / 2


def next_due_s(due_s: float, now_s: float, period_s: float) -> float:
    """When to sample next: on the grid that the first sample began, and after now.

    A deadline that was missed is left out and not caught up with, and no lateness adds up.
    """
    return due_s + period_s * max(1, 1 + (now_s - due_s) // period_s)


def first_sample(spec: Spec, opened: Opened) -> None:
    """Writes what is read, then reads and writes everything once, so that the first real sample finds all warm.

    Raises:
        MeterError: a meter does not answer.
        OSError: the file could not be written.
    """
    header = {"sources": [source._asdict() for source in opened.sources], "notes": opened.notes}
    Path(spec.samples).write_bytes(json.dumps(header).encode() + b"\n" + _line(resident_bytes(spec.runner_pid), opened))


def _line(rss_bytes: int | None, opened: Opened) -> bytes:
    sampled = [meter.sample() for meter in opened.meters]
    tick = {
        "t_s": time.monotonic(),
        "cpu_s": time.process_time(),
        "rss_bytes": rss_bytes,
        "readings": [reading for one in sampled for reading in one.readings],
        "edges": [edge for one in sampled for edge in one.edges],
        "powers": [power for one in sampled for power in one.powers],
        "errors": [error for one in sampled for error in one.errors],
    }
    return json.dumps(tick, separators=(",", ":")).encode() + b"\n"


def _append(file: int, line: bytes) -> None:
    if os.write(file, line) != len(line):
        raise OSError(28, os.strerror(28))
