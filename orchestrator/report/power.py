"""The power of a run over time, with its phases, thinned until it is small enough to be shown by the hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Final

from orchestrator.errors import InputError
from orchestrator.results.series import read_columns
from runners.contract.paths import COUNTERS, TIMESERIES
from runners.contract.result import Mark, MeterSource, RunResult

MOST_SAMPLES: Final = 400
"""Of each source: a screen shows no more."""
MOST_MARKS: Final = 200
"""A run in many batches has thousands of prefills; then only the phases around them are kept."""

Sample = tuple[float, float]
"""Seconds since the window began, and watts."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one source drew over time."""

    source: MeterSource
    samples: Sequence[Sample]
    by_counter: bool
    """Whether the watts follow from steps of its energy counter, each standing at the middle of its step."""
    recorded: int
    """How many there were before they were thinned."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a run drew over time."""

    traces: Sequence[Trace]
    marks: Sequence[Mark]
    """Phases; seconds since the window began."""
    marks_left_out: int


def power_of(folder: Path, result: RunResult, most: int = MOST_SAMPLES) -> Power | None:
    """The power of a run by its own files; None where they do not tell.

    Args:
        folder: of the run.
        result: what is in it.
        most: samples of each source.
    """
    start_s = next((mark.start_s for mark in result.marks if mark.phase == "window"), None)
    if start_s is None:
        return None
    try:
        told = _by_source(folder / TIMESERIES, ["source", "t_s", "power_w"])
        untold = any(source.name not in told for source in result.sources)
        steps = _by_source(folder / COUNTERS, ["source", "latest_s", "energy_j"]) if untold else {}
    except InputError:
        return None
    traces = []
    for source in result.sources:
        samples = told.get(source.name) or _by_counter(steps.get(source.name, []))
        if samples:
            shifted = [(t_s - start_s, power_w) for t_s, power_w in samples]
            traces.append(Trace(source, thinned(shifted, most), source.name not in told, len(samples)))
    if not traces:
        return None
    marks = sorted(result.marks, key=lambda mark: (mark.start_s, -mark.end_s))
    if len(marks) > MOST_MARKS:
        marks = [mark for mark in marks if mark.phase not in ("prefill", "decode")][:MOST_MARKS]
    from_window = [Mark(phase=mark.phase, start_s=mark.start_s - start_s, end_s=mark.end_s - start_s) for mark in marks]
    return Power(traces, from_window, len(result.marks) - len(marks))


def _by_source(path: Path, names: list[str]) -> dict[str, list[Sample]]:
    """Rows of a table by their source, where nothing is missing, in the order of time."""
    found: dict[str, list[Sample]] = {}
    for source, t_s, value in read_columns(path, names):
        if t_s is not None and value is not None and isfinite(t_s) and isfinite(value):
            found.setdefault(source, []).append((t_s, value))
    return {source: sorted(samples) for source, samples in found.items()}


def _by_counter(moments: Sequence[Sample]) -> list[Sample]:
    """Mean power between steps of a counter; steps that were seen at once, or that fell, tell nothing."""
    return [
        ((t_s + next_s) / 2, (after_j - before_j) / (next_s - t_s))
        for (t_s, before_j), (next_s, after_j) in pairwise(moments)
        if next_s - t_s > 1e-3 and after_j >= before_j
    ]


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples: of each stretch of time the lowest and the highest, so that no peak is lost."""
    if len(samples) <= most:
        return list(samples)
    stretches = most // 2
    first_s, last_s = samples[0][0], samples[-1][0]
    width_s = (last_s - first_s) / stretches or 1.0
    kept: dict[int, tuple[Sample, Sample]] = {}
    for sample in samples:
        stretch = min(int((sample[0] - first_s) / width_s), stretches - 1)
        low, high = kept.get(stretch, (sample, sample))
        kept[stretch] = (min(low, sample, key=_watts), max(high, sample, key=_watts))
    return [sample for pair in kept.values() for sample in sorted(set(pair))]


def _watts(sample: Sample) -> float:
    return sample[1]
