"""The energies of a run, from its recording and its marks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from runners.contract.energy import (
    Counter,
    Energy,
    EnergyError,
    PowerReading,
    counter_edges,
    counter_energy,
    counter_of,
    power_energy,
    reading_edges,
    total,
    update_period_s,
)
from runners.contract.result import Mark, Phase
from runners.harness.recording import Recording, counter_readings, power_readings, readings_of
from runners.meters.reading import Source


class Series(NamedTuple):
    """One source's record, ready to be asked for the energy of any stretch."""

    source: Source
    counter: Counter
    """Without edges where the source has no counter, or where it cannot be used."""
    powers: list[PowerReading]
    fault: str | None
    """Why the counter cannot be used."""

    def energy(self, start_s: float, end_s: float) -> Energy:
        """Energy between two moments: from the counter, or where there is none from the power.

        An estimate gets no bounds: its assumption is off by more than its resolution.

        Raises:
            EnergyError: the record does not tell.
        """
        if self.fault is not None:
            raise EnergyError(self.fault)
        if not self.counter.edges:
            return power_energy(self.powers, start_s, end_s)
        energy = counter_energy(self.counter, start_s, end_s)
        return Energy(energy.joules, None, None) if self.source.method == "estimated" else energy

    def period_s(self, start_s: float, end_s: float) -> float | None:
        """The longest time between two updates in a stretch; None with fewer than three of them."""
        if self.fault is None and not self.counter.edges:
            times = [power.t_s for power in self.powers if start_s <= power.t_s <= end_s]
            return max((after - before for before, after in pairwise(times)), default=None)
        return update_period_s([edge for edge in self.counter.edges if start_s <= edge.t_s <= end_s])


class Energies(NamedTuple):
    """What a run spent; None where it cannot be told."""

    window: Energy | None
    fault: str | None
    """Why ``window`` is None."""
    gpus: dict[str, Energy | None]
    """By UUID."""
    prefill_j: float | None
    decode_j: float | None
    cpu_j: float | None
    dram_j: float | None
    power_mean_w: float | None
    power_max_w: float | None
    period_s: float | None
    """The longest time between two updates of a counter in the window."""


def series_of(recording: Recording) -> dict[str, Series]:
    """Each source's series, by name."""
    return {source.name: _series(recording, source) for source in recording.sources}


def energies_of(recording: Recording, series: dict[str, Series], marks: Sequence[Mark]) -> Energies:
    """All energies of a run.

    Args:
        recording: what was sampled.
        series: the same, by source.
        marks: exactly one of them is of the window.
    """
    window = next(mark for mark in marks if mark.phase == "window")
    primary = [series[source.name] for source in recording.primary()]
    energy, fault = _together(primary, window)
    cpus = [series[source.name] for source in recording.of_kind("cpu")]
    drams = [series[source.name] for source in recording.of_kind("dram")]
    periods = [one.period_s(window.start_s, window.end_s) for one in primary]
    known = [period for period in periods if period is not None]
    duration_s = window.end_s - window.start_s
    return Energies(
        window=energy,
        fault=fault,
        gpus={one.source.uuid: _together([one], window)[0] for one in primary if one.source.uuid},
        prefill_j=_of_phase(primary, marks, "prefill"),
        decode_j=_of_phase(primary, marks, "decode"),
        cpu_j=_joules(cpus, window),
        dram_j=_joules(drams, window),
        power_mean_w=energy.joules / duration_s if energy and duration_s > 0 else None,
        power_max_w=_power_max_w(recording, primary, window),
        period_s=max(known) if known and len(known) == len(periods) else None,
    )


def _series(recording: Recording, source: Source) -> Series:
    readings = readings_of(recording.ticks, source.name)
    powers = power_readings(readings)
    counted = counter_readings(readings)
    if counted and len(counted) < len(readings):
        return Series(source, counter_of([]), powers, f"{source.name} answered without its energy counter at times")
    try:
        current_at_each_reading = source.method == "estimated"
        edges = reading_edges(counted) if counted and current_at_each_reading else counter_edges(counted)
        return Series(source, counter_of(edges), powers, None)
    except EnergyError as error:
        return Series(source, counter_of([]), powers, f"{source.name}: {error}")


def _together(series: Sequence[Series], mark: Mark) -> tuple[Energy | None, str | None]:
    """The energy of several sources over a stretch, or why it cannot be told."""
    if not series:
        return None, "nothing was metered"
    try:
        return total([one.energy(mark.start_s, mark.end_s) for one in series]), None
    except EnergyError as error:
        return None, str(error)


def _joules(series: Sequence[Series], mark: Mark) -> float | None:
    energy, _ = _together(series, mark)
    return energy.joules if energy else None


def _of_phase(series: Sequence[Series], marks: Sequence[Mark], phase: Phase) -> float | None:
    stretches = [mark for mark in marks if mark.phase == phase]
    parts = [_joules(series, mark) for mark in stretches]
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def _power_max_w(recording: Recording, series: Sequence[Series], window: Mark) -> float | None:
    """The highest power of all sources together at one tick of the window."""
    power_at = {(one.source.name, power.t_s): power.power_w for one in series for power in one.powers}
    sums = []
    for tick in recording.between(window.start_s, window.end_s):
        powers = [power_at.get((reading.source, reading.t_s)) for reading in tick.readings]
        known = [power for power in powers if power is not None]
        if len(known) == len(series):
            sums.append(sum(known))
    return max(sums, default=None)
