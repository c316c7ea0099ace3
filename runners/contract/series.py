"""What was recorded of each metered thing, and the figures of a run that follow from it and its marks.

Pure, standard library only but for the models: the runner computes a result so, and anyone recomputes it so
from its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from runners.contract.energy import (
    Counter,
    CounterEdge,
    Energy,
    EnergyError,
    PowerReading,
    power_at,
    power_energy,
    total,
)
from runners.contract.result import EnergyBasis, Mark, MeterSource, Phase

GPU_LAG_PERIODS = 0.2
"""The lag that the bounds of a GPU's energy allow for, in update periods; a longer one fails a check."""


class Told(NamedTuple):
    """An energy, and what told it."""

    energy: Energy
    basis: EnergyBasis


class Series:
    """One source's record, ready to be asked for the energy of any stretch.

    Args:
        source: what was metered.
        edges: the updates of its energy counter, if it has one.
        powers: its power over time, as it said itself.
    """

    def __init__(self, source: MeterSource, edges: Sequence[CounterEdge], powers: Sequence[PowerReading]) -> None:
        self.source = source
        self.edges = edges
        self.powers = powers
        self.counter: Counter | None = None
        self.fault: str | None = None
        """Why the counter cannot be used; None where it can, or where the source has none."""
        if not source.has_counter:
            return
        try:
            lag_periods = GPU_LAG_PERIODS if source.kind == "gpu" else 0.0
            self.counter = Counter(edges, source.resolution_j, source.power_limit_w, lag_periods)
        except EnergyError as error:
            self.fault = f"{source.name}: {error}"

    def energy(self, start_s: float, end_s: float) -> Told:
        """Energy between two moments: by the counter, or where that does not tell, from the power.

        An estimate gets no bounds: its assumption is off by more than its resolution.

        Raises:
            EnergyError: the record does not tell.
        """
        try:
            told = Told(self._counted(start_s, end_s), "counter")
        except EnergyError as error:
            if not self.powers:
                raise EnergyError(str(error)) from None
            told = Told(power_energy(self.powers, start_s, end_s), "power")
        if self.source.method == "estimated":
            return Told(Energy(told.energy.joules, None, None), told.basis)
        return told

    def counter_to_integral(self, start_s: float, end_s: float) -> float | None:
        """Energy by the counter ÷ energy by integrating power; None where one of them is not known."""
        try:
            counted, integrated = self._counted(start_s, end_s), power_energy(self.powers, start_s, end_s)
        except EnergyError:
            return None
        return counted.joules / integrated.joules if integrated.joules > 0 else None

    def power_over_time(self) -> Sequence[PowerReading]:
        """Its power: as it said itself, or of a bare counter the mean since the update before."""
        if self.powers:
            return self.powers
        return [
            PowerReading(after.latest_s, (after.energy_j - before.energy_j) / (after.latest_s - before.latest_s))
            for before, after in pairwise(self.edges)
            if after.latest_s > before.latest_s and after.energy_j >= before.energy_j
        ]

    def _counted(self, start_s: float, end_s: float) -> Energy:
        if self.counter is None:
            raise EnergyError(self.fault or f"{self.source.name} has no energy counter")
        return self.counter.energy(start_s, end_s)


class Part(NamedTuple):
    """What one source spent; None where it cannot be told."""

    window: Told | None
    prefill_j: float | None
    decode_j: float | None
    period_s: float | None
    counter_to_integral: float | None
    power_max_w: float | None


class Figures(NamedTuple):
    """What a run spent, summed over its primary sources; None where it cannot be told."""

    energy: Energy | None
    basis: EnergyBasis | None
    """``power`` as soon as one source's counter could not tell."""
    fault: str | None
    """Why ``energy`` is None."""
    period_s: float | None
    """The longest of the learned update periods."""
    counter_to_integral: float | None
    parts: Mapping[str, Part]
    """The raw parts, by name of the source; primary ones only."""
    prefill_j: float | None
    decode_j: float | None
    cpu_j: float | None
    dram_j: float | None
    psys_j: float | None
    power_mean_w: float | None
    power_max_w: float | None
    loaded_idle_power_w: float | None


def primary_of(sources: Sequence[MeterSource]) -> list[MeterSource]:
    """The sources whose energy is the run's: the GPUs, else the CPU packages, else what there is."""
    for kind in ("gpu", "cpu", "machine", "simulated"):
        if found := [source for source in sources if source.kind == kind]:
            return found
    return []


def figures_of(series: Mapping[str, Series], marks: Sequence[Mark]) -> Figures:
    """All energies of a run.

    Args:
        series: by name of the source.
        marks: exactly one of them is of the window.
    """
    window = next(mark for mark in marks if mark.phase == "window")
    primary = [series[source.name] for source in primary_of([one.source for one in series.values()])]
    parts = {one.source.name: _part(one, window, marks) for one in primary}
    told, fault = _together(primary, window)
    ratios = [part.counter_to_integral for part in parts.values()]
    periods = [part.period_s for part in parts.values() if part.period_s is not None]
    duration_s = window.end_s - window.start_s
    return Figures(
        energy=told.energy if told else None,
        basis=told.basis if told else None,
        fault=fault,
        period_s=max(periods) if len(periods) == len(parts) and periods else None,
        counter_to_integral=_ratio(primary, window) if None not in ratios else None,
        parts=parts,
        prefill_j=_sum([part.prefill_j for part in parts.values()]),
        decode_j=_sum([part.decode_j for part in parts.values()]),
        cpu_j=_of_kind(series, "cpu", window),
        dram_j=_of_kind(series, "dram", window),
        psys_j=_of_kind(series, "psys", window),
        power_mean_w=told.energy.joules / duration_s if told and duration_s > 0 else None,
        power_max_w=_power_max_w(primary, window),
        loaded_idle_power_w=_sum([mean_power_w(one, marks, "loaded_idle") for one in primary]),
    )


def mean_power_w(series: Series, marks: Sequence[Mark], phase: Phase) -> float | None:
    """The mean power of a source over a phase, in watts; None where there was no such phase or it is not known."""
    stretch = next((mark for mark in marks if mark.phase == phase), None)
    if stretch is None or stretch.end_s <= stretch.start_s:
        return None
    told, _ = _together([series], stretch)
    return told.energy.joules / (stretch.end_s - stretch.start_s) if told else None


def _part(series: Series, window: Mark, marks: Sequence[Mark]) -> Part:
    return Part(
        window=_together([series], window)[0],
        prefill_j=_of_phase(series, marks, "prefill"),
        decode_j=_of_phase(series, marks, "decode"),
        period_s=series.counter.period_s if series.counter else _sampling_s(series.powers),
        counter_to_integral=series.counter_to_integral(window.start_s, window.end_s),
        power_max_w=_power_max_w([series], window),
    )


def _together(series: Sequence[Series], mark: Mark) -> tuple[Told | None, str | None]:
    """The energy of several sources over a stretch, or why it cannot be told."""
    if not series:
        return None, "nothing was metered"
    try:
        told = [one.energy(mark.start_s, mark.end_s) for one in series]
    except EnergyError as error:
        return None, str(error)
    basis: EnergyBasis = "counter" if all(one.basis == "counter" for one in told) else "power"
    return Told(total([one.energy for one in told]), basis), None


def _ratio(series: Sequence[Series], mark: Mark) -> float | None:
    """Of several sources together."""
    counted = integrated = 0.0
    for one in series:
        try:
            integrated += power_energy(one.powers, mark.start_s, mark.end_s).joules
            counted += one.energy(mark.start_s, mark.end_s).energy.joules
        except EnergyError:
            return None
    return counted / integrated if integrated > 0 else None


def _of_kind(series: Mapping[str, Series], kind: str, mark: Mark) -> float | None:
    told, _ = _together([one for one in series.values() if one.source.kind == kind], mark)
    return told.energy.joules if told else None


def _of_phase(series: Series, marks: Sequence[Mark], phase: Phase) -> float | None:
    told = [_together([series], mark)[0] for mark in marks if mark.phase == phase]
    return _sum([one.energy.joules if one else None for one in told])


def _sum(parts: Sequence[float | None]) -> float | None:
    """The sum; None where there are no parts or one is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def _sampling_s(powers: Sequence[PowerReading]) -> float | None:
    """The longest time between two readings; None with fewer than two."""
    return max((after.t_s - before.t_s for before, after in pairwise(powers)), default=None)


def _power_max_w(series: Sequence[Series], window: Mark) -> float | None:
    """The highest power of all sources together at a moment of the window at which one of them was read."""
    powers = [one.power_over_time() for one in series]
    if not powers or not all(powers):
        return None
    moments = {reading.t_s for readings in powers for reading in readings}
    return max(
        (
            sum(power_at(readings, t_s) for readings in powers)
            for t_s in moments
            if window.start_s <= t_s <= window.end_s
        ),
        default=None,
    )
