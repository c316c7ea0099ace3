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
    """Set for the simulated backend, which gets no other meter."""


class Opened(NamedTuple):
    """Meters that are ready, what they read, and why better ones are not among them."""

    meters: list[Meter]
    sources: list[Source]
    notes: list[str]


def open_meters(spec: Spec, powercap: Path = POWERCAP) -> Opened:
    """Opens the meters that a run needs.

    Args:
        spec: what is to be metered.
        powercap: the folder of RAPL's counters.

    Raises:
        MeterError: a meter without which the run makes no sense cannot be opened.
    """
    if spec.simulated_power_w is not None:
        replay = ReplayMeter(spec.simulated_power_w)
        return Opened([replay], replay.open(), [])
    meters: list[Meter] = []
    sources: list[Source] = []
    if spec.gpu_uuids:
        # Only here: where there is no GPU, its library is not needed.
        from runners.meters.nvml import NvmlMeter

        nvml = NvmlMeter(spec.gpu_uuids)
        sources += nvml.open()
        meters.append(nvml)
    rapl = RaplMeter(powercap)
    try:
        sources += rapl.open()
        meters.append(rapl)
    except MeterError as error:
        notes = [f"rapl not used: {error}"]
    else:
        notes = []
    if not meters:
        estimate = EstimateMeter(spec.cpu_tdp_w)
        sources += estimate.open()
        meters.append(estimate)
    return Opened(meters, sources, notes)
