"""The named checks of a run on itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntFlag
from itertools import pairwise
from typing import Literal, NamedTuple

from runners.contract.joules import baseline_power_w
from runners.contract.request import RunRequest
from runners.contract.result import BaselineReport, Check, ColdStart, Mark, Throttle, WarmupReport
from runners.contract.series import Figures, Series
from runners.harness.convergence import UNTIL_CV
from runners.harness.meter_checks import meter_checks
from runners.harness.recording import Recording
from runners.harness.requests import RequestRecord

_SHARE_OF_SAMPLES = 0.9
_LONGEST_GAP = 3.0
_THROTTLED_SHARE = 0.01
_CLOCK_SPREAD = 0.05
_WARMING_C = 10.0
_BASELINE_SHIFT = 0.1


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
    series: Mapping[str, Series]
    window: Mark
    figures: Figures
    throttle: Throttle | None
    records: Sequence[RequestRecord]
    warmup: WarmupReport
    baseline: BaselineReport | None
    marks: Sequence[Mark]
    gpu_changes: Sequence[str]
    """What NVML says otherwise of the GPUs than before the run."""
    cold_start: ColdStart | None = None
    """What was done so that the run found no warm cache; None: it was not asked for."""


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
    return [
        _energy_measured(evidence),
        *meter_checks(evidence.recording, evidence.series, evidence.figures, evidence.window),
        _samples_complete(evidence),
        *_gpu(evidence),
        *_phases_resolved(evidence),
        _warmup_converged(evidence.warmup),
        *_baseline_fresh(evidence),
        *_cold_start(evidence.cold_start),
        _output_length(evidence),
    ]


def verdict_of(checks: Sequence[Check]) -> Literal["good", "suspect"]:
    """``suspect`` if a critical check failed, else ``good``."""
    return "suspect" if any(c.severity == "critical" and not c.passed for c in checks) else "good"


def _check(name: str, severity: Literal["critical", "warning"], passed: bool, observed: str, hint: str) -> Check:
    return Check(name=name, passed=passed, severity=severity, observed=observed, hint=None if passed else hint)


def _energy_measured(evidence: Evidence) -> Check:
    primary = evidence.recording.primary()
    described = sorted({_described(source.method, source.assumption) for source in primary})
    notes = [note for note in evidence.recording.notes if not all(s.kind == "gpu" for s in primary)]
    return _check(
        "energy_measured",
        "warning",
        bool(primary) and all(source.assumption is None for source in primary),
        "; ".join([*described, *notes]),
        "do not publish such joules as measured; measure on a machine with an NVIDIA GPU or with RAPL",
    )


def _described(method: str, assumption: str | None) -> str:
    return f"{method}: {assumption}" if assumption else f"measured by {method}"


def _samples_complete(evidence: Evidence) -> Check:
    start_s, end_s = evidence.window.start_s, evidence.window.end_s
    ticks = evidence.recording.between(start_s, end_s)
    period_s = 1 / evidence.request.measurement.sample_hz
    expected = int((end_s - start_s) / period_s)
    moments = [start_s, *(tick.t_s for tick in ticks), end_s]
    gap_s = max(after - before for before, after in pairwise(moments))
    return _check(
        "samples_complete",
        "warning",
        len(ticks) >= _SHARE_OF_SAMPLES * expected and (not expected or gap_s <= _LONGEST_GAP * period_s),
        f"{len(ticks)} samples in the window, {expected} expected; the longest gap is {gap_s:.2g} s",
        "leave a CPU core to the sampler, or lower measurement.sample_hz",
    )


def _gpu(evidence: Evidence) -> Iterator[Check]:
    """What holds of GPUs only."""
    gpus = [source.name for source in evidence.recording.primary() if source.kind == "gpu"]
    if not gpus:
        return
    yield _check(
        "gpu_unchanged",
        "critical",
        not evidence.gpu_changes,
        "; ".join(evidence.gpu_changes) or "driver, power limit, clock limits and MIG mode are as before the run",
        "let nobody change the GPU's settings during a campaign, and run it again",
    )
    if evidence.throttle is not None:
        yield _not_held_back_by_heat(evidence.throttle)
        yield _not_held_back_by_power(evidence.throttle)
    ticks = evidence.recording.between(evidence.window.start_s, evidence.window.end_s)
    readings = [reading for tick in ticks for reading in tick.readings if reading.source in gpus]
    yield from _clocks_steady(gpus, [(r.source, r.sm_clock_mhz) for r in readings])
    yield from _temperature_steady(gpus, [(r.source, r.temperature_c) for r in readings])


def _not_held_back_by_heat(throttle: Throttle) -> Check:
    return _check(
        "no_thermal_throttling",
        "critical",
        throttle.thermal <= _THROTTLED_SHARE,
        f"held back by heat in {throttle.thermal:.0%} of the samples (at most {_THROTTLED_SHARE:.0%})",
        "cool the GPU better, lower its power limit, or pause between runs",
    )


def _not_held_back_by_power(throttle: Throttle) -> Check:
    """At its power limit a GPU does what it is set to do, so this warns and condemns nothing."""
    return _check(
        "no_power_capping",
        "warning",
        throttle.power <= _THROTTLED_SHARE,
        f"held back by its power cap in {throttle.power:.0%} of the samples (at most {_THROTTLED_SHARE:.0%})",
        "compare only runs under the same power limit, and name it with the figures",
    )


def _clocks_steady(gpus: Sequence[str], clocks: Sequence[tuple[str, float | None]]) -> Iterator[Check]:
    spreads = []
    for gpu in gpus:
        known = sorted(clock for source, clock in clocks if source == gpu and clock is not None)
        if known and (middle := known[len(known) // 2]):
            spreads.append((known[int(0.95 * (len(known) - 1))] - known[int(0.05 * (len(known) - 1))]) / middle)
    if spreads:
        yield _check(
            "clocks_steady",
            "warning",
            max(spreads) <= _CLOCK_SPREAD,
            f"nine tenths of the SM clock's samples span {max(spreads):.0%} of it (at most {_CLOCK_SPREAD:.0%})",
            "lock the clocks (nvidia-smi --lock-gpu-clocks), or take the spread between cycles for what it is",
        )


def _temperature_steady(gpus: Sequence[str], temperatures: Sequence[tuple[str, float | None]]) -> Iterator[Check]:
    rises = []
    for gpu in gpus:
        known = [temperature for source, temperature in temperatures if source == gpu and temperature is not None]
        if known:
            quarter = max(len(known) // 4, 1)
            rises.append(sum(known[-quarter:]) / quarter - sum(known[:quarter]) / quarter)
    if rises:
        rise_c = max(rises, key=abs)
        yield _check(
            "temperature_steady",
            "warning",
            abs(rise_c) <= _WARMING_C,
            f"the last quarter of the window is {rise_c:+.1f} °C against the first (at most ±{_WARMING_C:g})",
            "warm up for longer: leakage current, and so power, rises with temperature",
        )


def _phases_resolved(evidence: Evidence) -> Iterator[Check]:
    """Of a run whose prefill is told apart: it lasts long enough for the meter to see it."""
    lengths = [mark.end_s - mark.start_s for mark in evidence.marks if mark.phase == "prefill"]
    period_s = evidence.figures.period_s
    if lengths and period_s and evidence.figures.prefill_j is not None:
        mean_s = sum(lengths) / len(lengths)
        yield _check(
            "phases_resolved",
            "warning",
            mean_s >= period_s,
            f"a prefill takes {mean_s:.3g} s on average, with an update period of {period_s:.3g} s",
            "do not rely on energy_prefill_j and energy_decode_j: the meter is too slow for prefills this short;"
            " use longer prompts or larger batches",
        )


def _warmup_converged(report: WarmupReport) -> Check:
    observed = f"{report.iterations} batches, a fixed number"
    if report.converged is not None:
        cv = "unknown" if report.cv is None else f"{report.cv:.3f}"
        observed = (
            f"{report.iterations} batches; coefficient of variation of the last three {cv} (default limit {UNTIL_CV})"
        )
    return _check(
        "warmup_converged",
        "warning",
        report.converged is not False,
        observed,
        "raise measurement.warmup.max_iterations, or look for what disturbs the machine",
    )


def _baseline_fresh(evidence: Evidence) -> Iterator[Check]:
    """Of a run that has a baseline: it is no older than it may be, and no later power is below it."""
    report = evidence.baseline
    if report is None:
        return
    loaded_w = evidence.figures.loaded_idle_power_w
    baseline_w = baseline_power_w(report, evidence.recording.primary())
    old = report.age_s > evidence.request.measurement.baseline_max_age_s
    later = [power_w for power_w in (loaded_w, evidence.figures.power_mean_w) if power_w is not None]
    below = baseline_w is not None and any(power_w < (1 - _BASELINE_SHIFT) * baseline_w for power_w in later)
    how = f"{report.age_s:.0f} s old and held against now" if report.age_s else "measured in this run"
    shown = "unknown" if baseline_w is None else f"{baseline_w:.4g} W"
    loaded = "" if loaded_w is None else f"; {loaded_w:.4g} W idle with the model loaded"
    yield _check(
        "baseline_fresh",
        "warning",
        baseline_w is not None and not old and not below,
        f"{shown}, {how}{loaded}",
        "see what used the machine before the engine loaded; energy_adjusted_j is as good as the baseline",
    )


def _cold_start(steps: ColdStart | None) -> Iterator[Check]:
    """Of a run that was to find no warm cache."""
    if steps is None:
        return
    pages = "the model's files dropped from the page cache" if steps.page_cache_dropped else steps.why_not
    yield _check(
        "cold_start",
        "warning",
        steps.page_cache_dropped,
        f"a fresh process, {len(steps.private_caches)} private and empty caches; {pages}",
        "load_s may rest on a warm page cache; see that nobody else has the model open, and that its files are yours",
    )


def _output_length(evidence: Evidence) -> Check:
    asked = evidence.request.experiment.workload.output_tokens
    lengths = [record.output_tokens for record in evidence.records]
    wrong = sum(length != asked for length in lengths)
    observed = f"all {len(lengths)} answers have {asked} tokens"
    if wrong:
        observed = f"{wrong} of {len(lengths)} answers have not {asked} tokens but {min(lengths)} to {max(lengths)}"
    return _check(
        "output_length",
        "critical",
        not wrong,
        observed,
        "see runner.log: the engine did not keep to the length, so joules per token are of another workload",
    )
