"""Paired measurements: A B A B …, so that drift of the machine meets both sides alike."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio or a figure with its spread, held against a target."""

    what: str
    unit: str
    values: list[float]
    target: float
    note: str = ""

    def __str__(self) -> str:
        low, _, high = quantiles(self.values, n=4) if len(self.values) > 1 else (self.values[0],) * 3
        middle = median(self.values)
        verdict = "ok" if middle <= self.target else "MISSED"
        shown = f"{middle:.3g} ({low:.3g} – {high:.3g}) {self.unit}"
        return f"| {self.what} | {shown} | ≤ {self.target:g} | {len(self.values)} | {verdict} | {self.note} |"


HEADER = "| what | median (quartiles) | target | pairs | verdict | beside it |\n| --- | --- | --- | --- | --- | --- |"


def machine() -> str:
    """What this runs on, in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} logical cores ({model}), {system}"


def ratios(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> tuple[list[float], list[float]]:
    """The ratio of each pair, and the figures of the other side; one pair first that is not counted."""
    ours(), theirs()
    figures = [(ours(), theirs()) for _ in range(pairs)]
    return [a / b for a, b in figures], [b for _, b in figures]


def median_interval(values: list[float]) -> tuple[float, float]:
    """An interval that holds the median in at least 95 of 100 repetitions, whatever the distribution.

    From order statistics: H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    ordered, count = sorted(values), len(values)
    rank, below = 0, comb(count, 0) / 2**count
    while below + comb(count, rank + 1) / 2**count <= 0.025:
        rank += 1
        below += comb(count, rank) / 2**count
    return ordered[rank], ordered[count - 1 - rank]


def wall_s(argv: list[str]) -> float:
    """Wall time of a whole process."""
    started_s = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def cpu_and_peak(code: str, *arguments: str) -> tuple[float, int]:
    """CPU seconds that Python code takes in a process of its own after its set-up, and its peak memory in bytes.

    The code calls ``start()`` where the clock is to begin.
    """
    prelude = "import time\nbegun = [0.0]\ndef start(): begun[0] = time.process_time()\n"
    ending = "\nprint(time.process_time() - begun[0])\n"
    ending += "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    argv = [sys.executable, "-c", prelude + code + ending, *arguments]
    seconds, peak = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[-2:]
    return float(seconds), int(peak) * 1024
