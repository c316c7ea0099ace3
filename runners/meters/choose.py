"""Which meters a run gets: the best that can be read here, and why not a better one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runners.errors import MeterError
from runners.meters.estimate import EstimateMeter
from runners.meters.rapl import POWERCAP, RaplMeter
from runners.meters.reading import Meter, Source
from runners.meters.replay import ReplayMeter


class Spec(NamedTuple):
    """What the sampler is told, as one JSON line on its standard input."""

    samples: str
    """The file that readings are appended to."""
    sample_hz: float
    runner_pid: int
    """The process whose memory is recorded."""
    gpu_uuids: list[str]
    cpu_tdp_w: float | None
    simulated_power_w: float | None
    """Set for the simulated backend; where it has no GPU either, this power is played."""
    meter: str = "auto"
    """``measurement.meter`` of the request."""
    powercap: str = str(POWERCAP)
    """The folder of RAPL's counters."""
    host_samples: bool = False
    """Whether the host samples the CPU."""
    neighbours: bool = False
    """Whether other runs go on beside this one, so that what the CPU draws is not this run's."""


class Opened(NamedTuple):
    """Meters that are ready, what they read, and why better ones are not among them."""

    meters: list[Meter]
    sources: list[Source]
    notes: list[str]


def open_meters(spec: Spec) -> Opened:
    """Opens the meters that a run needs.

    Args:
        spec: what is to be metered.

    Raises:
        MeterError: a meter that was asked for, or without which the run makes no sense, cannot be opened.
    """
    opened = Opened([], [], [])
    if spec.meter == "auto" and spec.simulated_power_w is not None:
        meter = _nvml(spec) if spec.gpu_uuids else ReplayMeter(spec.simulated_power_w)
        _add(opened, meter)
        return opened
    if spec.meter == "auto":
        if spec.gpu_uuids:
            _add(opened, _nvml(spec))
        _add_rapl(opened, spec)
        if not opened.meters and not spec.host_samples:
            _add(opened, EstimateMeter(spec.cpu_tdp_w))
        return opened
    if spec.meter == "rapl" and spec.host_samples:
        return opened
    _add(opened, _named(spec))
    if spec.meter == "nvml":
        _add_rapl(opened, spec)
    return opened


def _named(spec: Spec) -> Meter:
    """The meter that was asked for by name."""
    if spec.meter == "nvml":
        return _nvml(spec)
    if spec.meter == "rapl":
        return RaplMeter(Path(spec.powercap))
    if spec.meter == "zeus":
        from runners.meters.zeus import ZeusMeter

        return ZeusMeter(_gpus(spec))
    if spec.meter == "codecarbon":
        from runners.meters.codecarbon import CodeCarbonMeter

        return CodeCarbonMeter(spec.gpu_uuids)
    return EstimateMeter(spec.cpu_tdp_w)


def _nvml(spec: Spec) -> Meter:
    # Only here: where there is no GPU, its library is not needed.
    from runners.meters.nvml import NvmlMeter

    return NvmlMeter(_gpus(spec))


def _gpus(spec: Spec) -> list[str]:
    if not spec.gpu_uuids:
        raise MeterError(
            f"measurement.meter is {spec.meter}, and this run has no GPU",
            "name one in the campaign's gpus, or set meter: auto",
        )
    return spec.gpu_uuids


def _add(opened: Opened, meter: Meter) -> None:
    opened.sources.extend(meter.open())
    opened.meters.append(meter)


def _add_rapl(opened: Opened, spec: Spec) -> None:
    """Adds the CPU's counters, unless the host samples them; where they are no use, a note says why."""
    if spec.host_samples:
        return
    if spec.neighbours:
        opened.notes.append("rapl not used: several runs go on at once, and the CPU's energy is that of all")
        return
    try:
        _add(opened, RaplMeter(Path(spec.powercap)))
    except MeterError as error:
        opened.notes.append(f"rapl not used: {error}")
