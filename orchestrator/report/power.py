"""The power of a run over time, with its phases, thinned until it is small enough to be shown by the hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from orchestrator.errors import InputError
from orchestrator.results.series import series_of
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
    try:
        series = series_of(folder, result)
    except InputError:
        return None
    start_s = next((mark.start_s for mark in result.marks if mark.phase == "window"), None)
    if start_s is None:
        return None
    traces = []
    for one in series.values():
        samples = [(reading.t_s - start_s, reading.power_w) for reading in one.powers]
        by_counter = not samples
        if by_counter:
            moments = [((edge.earliest_s + edge.latest_s) / 2 - start_s, edge.energy_j) for edge in one.edges]
            samples = _by_counter(moments)
        if samples:
            traces.append(Trace(one.source, thinned(samples, most), by_counter, len(samples)))
    if not traces:
        return None
    marks = sorted(result.marks, key=lambda mark: (mark.start_s, -mark.end_s))
    if len(marks) > MOST_MARKS:
        marks = [mark for mark in marks if mark.phase not in ("prefill", "decode")][:MOST_MARKS]
    shifted = [Mark(phase=mark.phase, start_s=mark.start_s - start_s, end_s=mark.end_s - start_s) for mark in marks]
    return Power(traces, shifted, len(result.marks) - len(marks))


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
