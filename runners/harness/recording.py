"""What the sampler wrote down, as data; and the series that follow from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from runners.contract.energy import CounterEdge, EnergyError, PowerReading, total
from runners.contract.result import MeterSource
from runners.contract.series import Series, primary_of
from runners.meters.reading import Edge, Power, ReadError, Reading

_RECENT = 3


class Tick(NamedTuple):
    """What the sampler saw since the tick before."""

    t_s: float
    cpu_s: float | None
    """CPU time that the sampler beside the runner had used by then."""
    rss_bytes: int | None
    """Resident memory of the runner, without child processes."""
    readings: tuple[Reading, ...]
    edges: tuple[Edge, ...]
    powers: tuple[Power, ...]
    errors: tuple[ReadError, ...]


class Recording(NamedTuple):
    """Everything that was sampled in a run."""

    sources: tuple[MeterSource, ...]
    notes: tuple[str, ...]
    """Why meters better than these were not used."""
    ticks: Sequence[Tick]

    def primary(self) -> list[MeterSource]:
        """The sources whose energy is the run's."""
        return primary_of(self.sources)

    def between(self, start_s: float, end_s: float) -> list[Tick]:
        """The ticks within a stretch."""
        return [tick for tick in self.ticks if start_s <= tick.t_s <= end_s]

    def readings(self, source: str) -> list[Reading]:
        """What one source said of its state, in order; its power between two samples included."""
        found = [reading for tick in self.ticks for reading in tick.readings if reading.source == source]
        found += [
            Reading(t_s, name, power_w) for tick in self.ticks for name, t_s, power_w in tick.powers if name == source
        ]
        return sorted(found, key=lambda reading: reading.t_s)

    def edges(self, source: str) -> list[CounterEdge]:
        """The updates of one source's counter, in order."""
        return [CounterEdge(*edge[1:]) for tick in self.ticks for edge in tick.edges if edge.source == source]

    def series(self) -> dict[str, Series]:
        """Each source's series, by name."""
        return {
            source.name: Series(
                source,
                self.edges(source.name),
                [PowerReading(r.t_s, r.power_w) for r in self.readings(source.name) if r.power_w is not None],
            )
            for source in self.sources
        }

    def beside(self, other: Recording) -> Recording:
        """This recording with what another sampler saw; memory and CPU time stay those of this one."""
        others = [tick._replace(cpu_s=None, rss_bytes=None) for tick in other.ticks]
        return Recording(
            (*self.sources, *other.sources),
            (*self.notes, *other.notes),
            sorted((*self.ticks, *others), key=lambda tick: tick.t_s),
        )

    def relative_uncertainty(self, start_s: float) -> float | None:
        """Half the interval of the energy from a moment to the latest update, as a share of it; None if unknown."""
        energies = []
        recorded = self.series()
        for source in self.primary():
            series = recorded[source.name]
            if series.counter is None:
                return None
            try:
                energies.append(series.energy(start_s, series.counter.last_s).energy)
            except EnergyError:
                return None
        energy = total(energies)
        if energy.low is None or energy.high is None or energy.joules <= 0:
            return None
        return (energy.high - energy.low) / 2 / energy.joules

    def latest_power_w(self) -> float | None:
        """The latest power of the primary sources together, in watts; None where one is not known yet."""
        recent = self._replace(ticks=self.ticks[-_RECENT:])
        powers = [recent.series()[source.name].power_over_time() for source in self.primary()]
        if not powers or not all(powers):
            return None
        return sum(readings[-1].power_w for readings in powers)


class TornLineError(ValueError):
    """A line of the samples is not whole."""


def parse_header(line: bytes) -> tuple[tuple[MeterSource, ...], tuple[str, ...]]:
    """The first line of the samples: what is metered, and why nothing better.

    Raises:
        TornLineError: it is not what a sampler writes.
    """
    try:
        fields = json.loads(line)
        return tuple(MeterSource(**source) for source in fields["sources"]), tuple(fields["notes"])
    except (ValueError, KeyError, TypeError) as error:
        raise TornLineError(f"the first line of the samples is not whole: {line[:80]!r}") from error


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
        return Tick(
            fields["t_s"],
            fields["cpu_s"],
            fields["rss_bytes"],
            tuple(Reading(*reading) for reading in fields["readings"]),
            tuple(Edge(*edge) for edge in fields["edges"]),
            tuple(Power(*power) for power in fields["powers"]),
            tuple(ReadError(*error) for error in fields["errors"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise TornLineError(f"line {number} of the samples is not whole: {line[:80]!r}") from error
