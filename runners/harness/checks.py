"""The named checks of a run on itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import Literal, NamedTuple

from runners.contract.request import RunRequest
from runners.contract.result import Check, Mark, Throttle
from runners.harness.energies import Energies
from runners.harness.recording import Recording
from runners.harness.requests import RequestRecord

_PERIODS_IN_WINDOW = 10
_SHARE_OF_SAMPLES = 0.9
_THROTTLED_SHARE = 0.01


class ClocksEventReason(IntFlag):
    """Why clocks are held back, each by pynvml's name: ``nvmlClocksEventReason`` and the name here.

    ``HwSlowdown`` says only that the hardware intervened, which it does for heat, for a power brake and for
    too high a draw; so by itself it counts as neither heat nor power.
    """

    SwPowerCap = 0x04
    HwSlowdown = 0x08
    SwThermalSlowdown = 0x20
    HwThermalSlowdown = 0x40
    HwPowerBrakeSlowdown = 0x80


_THERMAL = ClocksEventReason.SwThermalSlowdown | ClocksEventReason.HwThermalSlowdown
_POWER = ClocksEventReason.SwPowerCap | ClocksEventReason.HwPowerBrakeSlowdown


class Evidence(NamedTuple):
    """What the checks look at."""

    request: RunRequest
    recording: Recording
    window: Mark
    energies: Energies
    throttle: Throttle | None
    records: Sequence[RequestRecord]


def throttle_of(recording: Recording, window: Mark) -> Throttle | None:
    """How often the GPUs were held back in the window; None where none says so."""
    masks = []
    for tick in recording.between(window.start_s, window.end_s):
        reasons = [r.throttle_reasons for r in tick.readings if r.throttle_reasons is not None]
        if reasons:
            masks.append(reasons)
    if not masks:
        return None
    thermal = sum(any(mask & _THERMAL for mask in reasons) for reasons in masks)
    power = sum(any(mask & _POWER for mask in reasons) for reasons in masks)
    return Throttle(thermal=thermal / len(masks), power=power / len(masks))


def checks_of(evidence: Evidence) -> list[Check]:
    """Every check that applies to a run."""
    checks = [
        _energy_measured(evidence),
        _counter_moved(evidence),
        _window_long_enough(evidence),
        _samples_complete(evidence),
        _output_length(evidence),
    ]
    if evidence.throttle is not None:
        checks += [_not_held_back_by_heat(evidence.throttle), _not_held_back_by_power(evidence.throttle)]
    return checks


def verdict_of(checks: Sequence[Check]) -> Literal["good", "suspect"]:
    """``suspect`` if a critical check failed, else ``good``."""
    return "suspect" if any(c.severity == "critical" and not c.passed for c in checks) else "good"


def _energy_measured(evidence: Evidence) -> Check:
    primary = evidence.recording.primary()
    described = sorted({_described(source.method, source.assumption) for source in primary})
    notes = [note for note in evidence.recording.notes if not all(s.method == "nvml" for s in primary)]
    return Check(
        name="energy_measured",
        passed=bool(primary) and all(source.method in ("nvml", "rapl") for source in primary),
        severity="warning",
        observed="; ".join([*described, *notes]),
    )


def _described(method: str, assumption: str | None) -> str:
    return f"{method}: {assumption}" if assumption else f"measured by {method}"


def _counter_moved(evidence: Evidence) -> Check:
    energy, fault = evidence.energies.window, evidence.energies.fault
    observed = f"no energy: {fault}" if energy is None else f"{energy.joules:.4g} J in the window"
    return Check(name="counter_moved", passed=energy is not None, severity="critical", observed=observed)


def _window_long_enough(evidence: Evidence) -> Check:
    measured = all(source.method in ("nvml", "rapl") for source in evidence.recording.primary())
    duration_s = evidence.window.end_s - evidence.window.start_s
    period_s = evidence.energies.period_s
    if period_s is None:
        passed, observed = False, f"{duration_s:.3g} s, in which the counter was updated fewer than three times"
    else:
        passed = duration_s >= _PERIODS_IN_WINDOW * period_s
        observed = (
            f"{duration_s:.3g} s, {duration_s / period_s:.1f} update periods of {period_s:.3g} s"
            f" (at least {_PERIODS_IN_WINDOW}; more prompts or output_tokens make it longer)"
        )
    return Check(
        name="window_long_enough",
        passed=passed,
        severity="critical" if measured else "warning",
        observed=observed,
    )


def _samples_complete(evidence: Evidence) -> Check:
    start_s, end_s = evidence.window.start_s, evidence.window.end_s
    expected = int((end_s - start_s) * evidence.request.measurement.sample_hz)
    came = len(evidence.recording.between(start_s, end_s))
    return Check(
        name="samples_complete",
        passed=came >= _SHARE_OF_SAMPLES * expected,
        severity="warning",
        observed=f"{came} of {expected} expected samples in the window",
    )


def _output_length(evidence: Evidence) -> Check:
    asked = evidence.request.experiment.workload.output_tokens
    lengths = [record.output_tokens for record in evidence.records]
    wrong = sum(length != asked for length in lengths)
    observed = f"all {len(lengths)} answers have {asked} tokens"
    if wrong:
        observed = f"{wrong} of {len(lengths)} answers have not {asked} tokens but {min(lengths)} to {max(lengths)}"
    return Check(name="output_length", passed=not wrong, severity="critical", observed=observed)


def _not_held_back_by_heat(throttle: Throttle) -> Check:
    return Check(
        name="no_thermal_throttling",
        passed=throttle.thermal <= _THROTTLED_SHARE,
        severity="critical",
        observed=f"held back by heat in {throttle.thermal:.0%} of the samples (at most {_THROTTLED_SHARE:.0%})",
    )


def _not_held_back_by_power(throttle: Throttle) -> Check:
    """At its power limit a GPU does what it is set to do, so this warns and condemns nothing."""
    return Check(
        name="no_power_capping",
        passed=throttle.power <= _THROTTLED_SHARE,
        severity="warning",
        observed=f"held back by its power cap in {throttle.power:.0%} of the samples (at most {_THROTTLED_SHARE:.0%})",
    )
