"""One experiment again and again through the real runner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from runners.contract.request import Baseline
from runners.contract.result import RunResult
from tests.gpu.check.figures import cv
from tests.gpu.check.report import Expectation, Part, Table, at_most, shown
from tests.gpu.check.requests import Runs, failed_checks, outcome

MOST_CV = 0.02
TITLE = "One experiment again and again"
_FEWEST = 2


def repeat_part(runs: Runs, count: int, until_s: float) -> tuple[Part, list[RunResult]]:
    """Repeats it, as the host does: the baseline of one run is handed to the next.

    Args:
        runs: makes them.
        count: how often.
        until_s: the moment of CLOCK_MONOTONIC up to which a further run must be expected to end.
    """
    results: list[RunResult] = []
    faults: list[str] = []
    took_s: list[float] = []
    baseline: Baseline | None = None
    for number in range(1, count + 1):
        start_s = time.monotonic()
        if number > _FEWEST and start_s + took_s[-1] > until_s:
            break
        with runs.start(f"run-{number}", runs.request(baseline=baseline)) as attempt:
            left = attempt.wait()
        took_s.append(time.monotonic() - start_s)
        if not isinstance(left, RunResult):
            faults.append(f"run {number}: {outcome(left)}")
            if not results and len(faults) == _FEWEST:
                break
            continue
        results.append(left)
        if found := left.baseline:
            baseline = Baseline(
                machine=found.machine,
                power_w=dict(found.power_w),
                measured_at=found.measured_at,
                duration_s=found.duration_s,
            )
    return part_of(results, count, faults, len(took_s) < count), results


def part_of(results: Sequence[RunResult], count: int, faults: Sequence[str], cut_short: bool) -> Part:
    """The part of the runs that were complete."""
    per_token = [one.energy_per_output_token_j for one in results if one.energy_per_output_token_j is not None]
    good = sum(one.verdict == "good" for one in results)
    columns = (
        "run",
        "verdict",
        "J per output token",
        "half the interval",
        "window",
        "tokens/s",
        "prefill, decode",
        "counter ÷ integral",
        "baseline",
        "checks that failed",
    )
    rows = [(str(number), *_cells(one)) for number, one in enumerate(results, start=1)]
    notes = [*faults, *(["the others were left out: the time was up, or none succeeded"] if cut_short else [])]
    if len(per_token) > 1:
        notes.append(
            f"J per output token: median {median(per_token):.5g}, lowest {min(per_token):.5g}, highest"
            f" {max(per_token):.5g}, CV {shown(cv(per_token), 100, ' %')}"
        )
    expectations = [
        Expectation("runs that are complete and good", f"{count} of {count}", f"{good} of {count}", good == count),
        at_most("CV of the energy per output token", MOST_CV, cv(per_token), " %", 100),
    ]
    return Part(TITLE, [Table(columns, rows)], expectations, notes)


def _cells(one: RunResult) -> tuple[str, ...]:
    half = None
    if one.energy_j and one.energy_low_j is not None and one.energy_high_j is not None:
        half = (one.energy_high_j - one.energy_low_j) / 2 / one.energy_j
    parts = [None if part is None or not one.energy_j else part / one.energy_j for part in _phases(one)]
    return (
        one.verdict,
        shown(one.energy_per_output_token_j, digits=5),
        shown(half, 100, " %", 2),
        f"{one.duration_s:.2f} s, {shown(one.energy_periods, digits=3)} periods",
        shown(one.output_tokens_per_s),
        ", ".join(shown(part, 100, " %", 3) for part in parts),
        shown(one.counter_to_integral),
        _baseline(one),
        ", ".join(failed_checks(one)) or "none",
    )


def _phases(one: RunResult) -> tuple[float | None, float | None]:
    return one.energy_prefill_j, one.energy_decode_j


def _baseline(one: RunResult) -> str:
    if one.baseline is None:
        return "none"
    return f"{shown(one.baseline_power_w, 1, ' W')}, " + (
        f"{one.baseline.age_s:.0f} s old" if one.baseline.age_s else "its own"
    )
