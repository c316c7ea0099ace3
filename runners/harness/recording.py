"""What the sampler wrote down, as data; and the series that follow from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from runners.contract.energy import CounterReading, PowerReading
from runners.meters.reading import Reading, Source, SourceKind


class Tick(NamedTuple):
    """What the sampler saw at once."""

    t_s: float
    cpu_s: float
    """CPU time that the sampler had used by then."""
    rss_bytes: int | None
    """Resident memory of the runner, without child processes."""
    readings: tuple[Reading, ...]


class Recording(NamedTuple):
    """Everything that was sampled in a run."""

    sources: tuple[Source, ...]
    notes: tuple[str, ...]
    """Why meters better than these were not used."""
    ticks: Sequence[Tick]

    def of_kind(self, kind: SourceKind) -> list[Source]:
        """The sources of one kind."""
        return [source for source in self.sources if source.kind == kind]

    def primary(self) -> list[Source]:
        """The sources whose energy is the run's: the GPUs, else the CPU packages, else what there is."""
        for kind in ("gpu", "cpu", "machine", "simulated"):
            if found := self.of_kind(kind):
                return found
        return []

    def between(self, start_s: float, end_s: float) -> list[Tick]:
        """The ticks within a stretch."""
        return [tick for tick in self.ticks if start_s <= tick.t_s <= end_s]


class TornLineError(ValueError):
    """A line of the samples is not whole."""


def parse_tick(line: bytes, number: int) -> Tick:
    """One line of the samples.

    Args:
        line: the line.
        number: its number in the file, from 1, for the message.

    Raises:
        TornLineError: it is not what a sampler writes.
    """
    try:
        fields = json.loads(line)
        readings = tuple(Reading(*reading) for reading in fields["readings"])
        return Tick(fields["t_s"], fields["cpu_s"], fields["rss_bytes"], readings)
    except (ValueError, KeyError, TypeError) as error:
        raise TornLineError(f"line {number} of the samples is not whole: {line[:80]!r}") from error


def readings_of(ticks: Iterable[Tick], source: str) -> list[Reading]:
    """What one source said, in order."""
    return [reading for tick in ticks for reading in tick.readings if reading.source == source]


def counter_readings(readings: Iterable[Reading]) -> list[CounterReading]:
    """The energy counter of a source, where it has one."""
    return [CounterReading(r.t_s, r.energy_j) for r in readings if r.energy_j is not None]


def power_readings(readings: Sequence[Reading]) -> list[PowerReading]:
    """The power of a source: as it said, or of a bare counter its mean since the reading before."""
    measured = [PowerReading(r.t_s, r.power_w) for r in readings if r.power_w is not None]
    if measured:
        return measured
    return [
        PowerReading(after.t_s, (after.energy_j - before.energy_j) / (after.t_s - before.t_s))
        for before, after in pairwise(counter_readings(readings))
        if after.t_s > before.t_s
    ]


def latest_power_w(recording: Recording) -> float | None:
    """The latest power of the primary sources together, in watts; None where one is not known yet."""
    ticks = recording.ticks[-2:]
    powers = [power_readings(readings_of(ticks, source.name)) for source in recording.primary()]
    if not powers or not all(powers):
        return None
    return sum(power[-1].power_w for power in powers)
