"""The power of the idle machine: measured before the engine loads, or an earlier run's, held against now."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from runners.contract.baseline import baseline_machine
from runners.contract.request import Baseline, Measurement
from runners.contract.result import Mark, MeterSource
from runners.contract.series import Series, mean_power_w, primary_of

_BASELINE_S = 10.0
_LOADED_IDLE_S = 2.0
_VALIDATION_S = 2.0
_TOLERANCE = 0.1
_TOLERANCE_W = 5.0


def baseline_s(measurement: Measurement, sources: Sequence[MeterSource]) -> float:
    """How long the machine is to idle before the engine loads, in seconds."""
    return _default(measurement.baseline_s, _BASELINE_S, sources)


def loaded_idle_s(measurement: Measurement, sources: Sequence[MeterSource]) -> float:
    """How long the engine is to idle with the model loaded, in seconds."""
    return _default(measurement.loaded_idle_s, _LOADED_IDLE_S, sources)


def validation_s(full_s: float) -> float:
    """How long to idle where a baseline of an earlier run is at hand, in seconds."""
    return min(_VALIDATION_S, full_s)


def machine_of(sources: Sequence[MeterSource]) -> str:
    """What a baseline holds for: this host since it was started, and these meters with their power limits."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return baseline_machine(platform.node(), boot, {source.name: source.power_limit_w for source in sources})


def usable(cached: Baseline | None, measurement: Measurement, machine: str, now: datetime) -> Baseline | None:
    """A baseline of an earlier run, if it is of this machine and fresh."""
    if cached is None or cached.machine != machine:
        return None
    age = now - cached.measured_at
    return cached if timedelta(0) <= age <= timedelta(seconds=measurement.baseline_max_age_s) else None


def idle_power_w(series: Mapping[str, Series], idle: Mark) -> dict[str, float]:
    """The mean power of each source over an idle stretch, in watts; sources that do not tell it are left out."""
    powers = {name: mean_power_w(one, [idle], idle.phase) for name, one in series.items()}
    return {name: power_w for name, power_w in powers.items() if power_w is not None}


def agrees(cached: Mapping[str, float], seen: Mapping[str, float], sources: Sequence[MeterSource]) -> bool:
    """Whether the primary sources idle now as they did then, within 10 % or 5 W."""
    return all(
        source.name in cached
        and source.name in seen
        and abs(seen[source.name] - cached[source.name]) <= max(_TOLERANCE * cached[source.name], _TOLERANCE_W)
        for source in primary_of(sources)
    )


def _default(asked_s: float | None, default_s: float, sources: Sequence[MeterSource]) -> float:
    """What was asked for; else the default where energy is measured, or a GPU's is simulated."""
    if asked_s is not None:
        return asked_s
    primary = primary_of(sources)
    measured = all(source.method != "estimated" and source.kind != "simulated" for source in primary)
    return default_s if primary and measured else 0.0
