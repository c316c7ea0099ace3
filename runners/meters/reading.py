"""What meters yield: sources, and readings of them."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

SourceKind = Literal["gpu", "cpu", "dram", "machine", "simulated"]
Method = Literal["nvml", "rapl", "estimated", "simulated"]


class Source(NamedTuple):
    """One thing that a meter reads, such as a GPU or a CPU package."""

    name: str
    """Unique among the sources of a run; the ``source`` column of the tables."""
    kind: SourceKind
    method: Method
    scope: str
    """Whose energy it is: ``gpu``, ``package``, ``dram``, ``machine`` or ``simulated``."""
    assumption: str | None = None
    """What the figures rest on, where they are not measured."""
    uuid: str | None = None


class Reading(NamedTuple):
    """What a source said at a moment; None where it does not know."""

    t_s: float
    """CLOCK_MONOTONIC, taken right after the energy counter was read."""
    source: str
    energy_j: float | None = None
    """The counter's value, from an origin of its own."""
    power_w: float | None = None
    memory_bytes: int | None = None
    utilisation: float | None = None
    """Share of the time that the device was busy, 0 to 1."""
    temperature_c: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    throttle_reasons: int | None = None
    """NVML's bit mask of why the clocks are held back."""


class Meter(Protocol):
    """A source of readings. It is opened once, sampled many times, and closed."""

    def open(self) -> list[Source]:
        """Makes the meter ready and says what it reads.

        Raises:
            MeterError: it cannot be read here; the message says why.
        """
        ...

    def sample(self) -> list[Reading]:
        """One reading of each source.

        Raises:
            MeterError: a source vanished or does not answer.
        """
        ...

    def close(self) -> None:
        """Gives back what was opened."""
        ...
