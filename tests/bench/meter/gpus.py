"""Folders with a simulated GPU each: the library, and what it plays."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.meter.truth import Curve

COUNTER_PHASE_S = 0.0137
POWER_LIMIT_W = 700.0


def simulated_gpu(
    folder: Path,
    curve: Curve,
    settings: Mapping[str, float] | None = None,
    faults: Sequence[str] = (),
    count: int = 1,
    call_s: float = 0.0,
) -> Path:
    """A folder in which as many alike GPUs play the curve; settings and faults are lines of their section."""
    lines = [f"origin_s {curve.origin_s!r}", f"call_s {call_s!r}"]
    for index in range(count):
        lines += [
            "[gpu]",
            f"uuid GPU-51000000-0000-0000-0000-{index:012d}",
            "name Simulated GPU",
            "curve " + " ".join(f"{duration_s!r}:{power_w!r}" for duration_s, power_w in curve.steps),
            f"before {curve.before_w!r}",
            f"counter_phase_s {COUNTER_PHASE_S!r}",
            f"power_limit_w {POWER_LIMIT_W!r}",
            *(f"{name} {value!r}" for name, value in (settings or {}).items()),
            *(f"fault {fault}" for fault in faults),
        ]
    folder.mkdir(parents=True)
    build(folder)
    (folder / "gpus.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def build(folder: Path) -> None:
    shutil.copy("/tmp/simgpu-b/libnvidia-ml.so.1", folder)


def starting_in(seconds: float) -> float:
    """The moment of CLOCK_MONOTONIC so many seconds from now."""
    return time.monotonic() + seconds
