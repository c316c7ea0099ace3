"""The checks of a run on its energy meters: is the record whole, and does it agree with itself? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from statistics import fmean, pstdev
from typing import Literal

from runners.contract.energy import Counter, PowerReading
from runners.contract.lag import lag_of
from runners.contract.result import Check, Mark
from runners.contract.series import GPU_LAG_PERIODS, Figures, Series, primary_of
from runners.harness.recording import Recording

_PERIODS_IN_WINDOW = 10
_MISSED = 1.75
_STALLED = 1.5
_AGREE = 0.05
_LABEL = 16
_NEAR_S = 1.0


def meter_checks(recording: Recording, series: Mapping[str, Series], figures: Figures, window: Mark) -> Iterator[Check]:
    """Every check that applies to the meters of the primary sources.

    Args:
        recording: what was sampled.
        series: the same, by source.
        figures: what follows from it.
        window: the measured stretch.
    """
    primary = [series[source.name] for source in primary_of(recording.sources)]
    counted = [one for one in primary if one.source.has_counter]
    measured = any(one.source.kind == "gpu" or one.source.assumption is None for one in primary)
    if any(one.source.kind == "gpu" for one in primary):
        yield _energy_counter(primary)
    yield _energy_known(figures, window)
    yield _window_long_enough(figures, window, "critical" if measured else "warning")
    if counted:
        yield _counter_monotonic(counted)
        yield _counter_moved(counted, window)
    read = [one for one in counted if one.powers and one.source.kind == "gpu"]
    if counted and measured:
        yield _no_edge_missed(counted, window)
    if read:
        yield _counter_agrees(read, window)
        yield _counter_timely(read)
    if limited := [one for one in primary if one.source.power_limit_w is not None and one.source.kind == "gpu"]:
        yield _power_within_limits(limited, window)
    yield _no_read_errors(recording, window)


def _check(name: str, severity: Literal["critical", "warning"], faults: Sequence[str], fine: str, hint: str) -> Check:
    """A check that passes where nothing is at fault."""
    return Check(
        name=name,
        passed=not faults,
        severity=severity,
        observed="; ".join(faults) or fine,
        hint=hint if faults else None,
    )


def _label(series: Series) -> str:
    """A source's name, a UUID in it cut short."""
    return series.source.name[:_LABEL]


def _energy_counter(primary: Sequence[Series]) -> Check:
    without = [f"{_label(one)} has none: its power was integrated" for one in primary if not one.source.has_counter]
    return _check(
        "energy_counter",
        "warning",
        without,
        "each GPU has an energy counter",
        "trust such joules to the width of their interval, and no more; newer GPUs and drivers have a counter",
    )


def _energy_known(figures: Figures, window: Mark) -> Check:
    energy = figures.energy
    fine = f"{energy.joules:.4g} J in the window, by {figures.basis}" if energy else ""
    return _check(
        "energy_known",
        "critical",
        [] if energy else [f"no energy: {figures.fault}"],
        fine,
        "run it again; if it recurs, look at nvidia-smi and dmesg, or try measurement.meter",
    )


def _window_long_enough(figures: Figures, window: Mark, severity: Literal["critical", "warning"]) -> Check:
    duration_s = window.end_s - window.start_s
    period_s = figures.period_s
    if period_s is None:
        faults, fine = [f"{duration_s:.3g} s, and the meter's update period is not known"], ""
    else:
        fine = (
            f"{duration_s:.3g} s, {duration_s / period_s:.1f} update periods of {period_s:.3g} s"
            f" (at least {_PERIODS_IN_WINDOW})"
        )
        faults = [] if duration_s >= _PERIODS_IN_WINDOW * period_s else [fine]
    return _check(
        "window_long_enough",
        severity,
        faults,
        fine,
        f"set measurement.min_window_s: {_PERIODS_IN_WINDOW * (period_s or 1):.3g} or more, or ask for more prompts",
    )


def _counter_monotonic(counted: Sequence[Series]) -> Check:
    faults = [
        f"{_label(one)} fell from {before.energy_j:.6g} J to {after.energy_j:.6g} J: it was reset"
        for one in counted
        for before, after in pairwise(one.edges)
        if after.energy_j < before.energy_j
    ]
    return _check(
        "counter_monotonic",
        "critical",
        faults[:3],
        "the counter never fell",
        "the driver was reloaded or the GPU reset during the run; run it again",
    )


def _counter_moved(counted: Sequence[Series], window: Mark) -> Check:
    """The counter went on being updated, from before the window until after it, at its own pace."""
    faults = []
    for one in counted:
        name, counter = _label(one), one.counter
        if counter is None:
            faults.append(one.fault or f"{name} did not move")
            continue
        if window.start_s < counter.edges[0].latest_s or window.end_s > counter.last_s:
            faults.append(f"{name} was not updated around the whole window")
        stalls = [
            after.earliest_s - before.latest_s
            for before, after in pairwise(counter.edges)
            if after.latest_s >= window.start_s and before.earliest_s <= window.end_s
        ]
        longest_s = max(stalls, default=0.0)
        if one.source.kind == "gpu" and longest_s > _STALLED * counter.period_s:
            faults.append(f"{name} stood still for {longest_s:.3g} s, with a period of {counter.period_s:.3g} s")
    return _check(
        "counter_moved",
        "critical",
        faults,
        "the counter was updated at its pace from before the window until after it",
        "run it again; if it recurs, this GPU's counter cannot be trusted: look for a newer driver",
    )


def _no_edge_missed(counted: Sequence[Series], window: Mark) -> Check:
    """The sampler saw each update; where it missed some, the bounds are wider and still hold."""
    faults = []
    updates = 0
    for one in counted:
        if one.counter is None or one.source.kind != "gpu":
            continue
        inside = [e for e in one.counter.edges if e.latest_s >= window.start_s and e.earliest_s <= window.end_s]
        updates += len(inside)
        missed = sum(edge.latest_s - edge.earliest_s > _MISSED * one.counter.period_s for edge in inside)
        if missed:
            faults.append(f"{_label(one)}: {missed} of {len(inside)} updates came after one that was not seen")
    return _check(
        "no_edge_missed",
        "warning",
        faults,
        f"all {updates} updates of the window were seen",
        "leave a CPU core to the sampler; the interval of the energy allows for what was missed",
    )


def _counter_agrees(read: Sequence[Series], window: Mark) -> Check:
    """Counter and integrated power say the same, within 5 % and what the power readings can tell."""
    faults, seen = [], []
    for one in read:
        ratio = one.counter_to_integral(window.start_s, window.end_s)
        powers = [power for power in one.powers if window.start_s <= power.t_s <= window.end_s]
        if ratio is None or len(powers) < 2:
            continue
        tolerance = _AGREE + 3 * _sampling_error(powers)
        seen.append(f"{_label(one)}: counter ÷ integral = {ratio:.3f} (1 ± {tolerance:.2f})")
        if abs(ratio - 1) > tolerance:
            faults.append(seen[-1])
    return _check(
        "counter_agrees",
        "critical",
        faults,
        "; ".join(seen) or "too few power readings to tell",
        "one of the two is wrong: hold them against an external meter before trusting either",
    )


def _sampling_error(powers: Sequence[PowerReading]) -> float:
    """Relative standard error of a mean power, were the readings independent."""
    watts = [power.power_w for power in powers]
    mean_w = fmean(watts)
    return pstdev(watts) / sqrt(len(watts)) / mean_w if mean_w > 0 else 0.0


def _counter_timely(read: Sequence[Series]) -> Check:
    """No update holds the energy of an earlier moment, as far as power readings can tell."""
    faults, seen = [], []
    for one in read:
        if one.counter is None:
            continue
        lag = lag_of(one.counter, one.powers)
        if lag is None:
            continue
        seen.append(f"{_label(one)}: the counter follows power within {lag.seconds:.3g} s")
        if lag.seconds > GPU_LAG_PERIODS * one.counter.period_s + lag.uncertainty_s:
            faults.append(f"{_label(one)}: the counter is {lag.seconds:.3g} s behind the power")
    return _check(
        "counter_timely",
        "critical",
        faults,
        "; ".join(seen) or "power varied too little, or too fast, to tell",
        "the interval of the energy does not hold; make windows long against this delay, or pause around them",
    )


def _power_within_limits(limited: Sequence[Series], window: Mark) -> Check:
    """The bounds of the energy rest on the power staying below a limit; as far as can be seen, it did."""
    faults = []
    limits = []
    for one in limited:
        limit_w = one.source.power_limit_w or 0.0
        limits.append(f"{limit_w:.4g} W")
        seen_w = [power.power_w for power in one.powers if window.start_s <= power.t_s <= window.end_s]
        if one.counter:
            seen_w += _least_mean_power_w(one.counter, window)
        if max(seen_w, default=0.0) > limit_w:
            faults.append(f"{_label(one)} drew {max(seen_w):.4g} W, and the bounds allow for {limit_w:.4g} W")
    return _check(
        "power_within_limits",
        "critical",
        faults,
        f"never above {', '.join(limits)} in the window",
        "the interval of the energy does not hold: see that the power limit that NVML tells is in force",
    )


def _least_mean_power_w(counter: Counter, window: Mark) -> list[float]:
    """The least mean power that each step of the counter within the window can have had, in watts."""
    return [
        (after.energy_j - before.energy_j) / (after.latest_s - before.earliest_s)
        for before, after in pairwise(counter.edges)
        if after.earliest_s >= window.start_s and before.latest_s <= window.end_s and after.latest_s > before.earliest_s
    ]


def _no_read_errors(recording: Recording, window: Mark) -> Check:
    """Critical where reads failed in the window, or close to its ends, which decide its energy."""
    errors = [error for tick in recording.ticks for error in tick.errors]
    near = any(window.start_s - _NEAR_S <= error.t_s <= window.end_s + _NEAR_S for error in errors)
    faults = [f"{len(errors)} reads failed, the first: {errors[0].source}: {errors[0].message}"] if errors else []
    return _check(
        "no_read_errors",
        "critical" if near else "warning",
        faults,
        "every read was answered",
        "look at nvidia-smi and dmesg; the energy stands on the reads that were answered",
    )
