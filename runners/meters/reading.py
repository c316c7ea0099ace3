"""What meters yield: sources, and what they said."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

SourceKind = Literal["gpu", "cpu", "dram", "psys", "machine", "simulated"]
Method = Literal["nvml", "rapl", "zeus", "codecarbon", "estimated", "simulated"]


class Source(NamedTuple):
    """One thing that a meter reads, such as a GPU or a CPU package; :class:`MeterSource` of the result says more."""

    name: str
    """Unique among the sources of a run; the ``source`` column of the tables."""
    kind: SourceKind
    method: Method
    scope: str
    assumption: str | None = None
    uuid: str | None = None
    has_counter: bool = True
    resolution_j: float = 0.0
    power_limit_w: float | None = None


class Reading(NamedTuple):
    """What a source said of its state at a moment; None where it does not know."""

    t_s: float
    """CLOCK_MONOTONIC."""
    source: str
    power_w: float | None = None
    memory_bytes: int | None = None
    utilisation: float | None = None
    """Share of the time that the device was busy, 0 to 1."""
    temperature_c: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    throttle_reasons: int | None = None
    """NVML's bit mask of why the clocks are held back."""


class Edge(NamedTuple):
    """An update of a source's energy counter, as in :class:`runners.contract.energy.CounterEdge`."""

    source: str
    earliest_s: float
    latest_s: float
    energy_j: float
    """The counter's value, from an origin of its own."""


class Power(NamedTuple):
    """A source's power at a moment between two samples of its whole state."""

    source: str
    t_s: float
    power_w: float


class ReadError(NamedTuple):
    """A source did not answer at a moment, and may again."""

    source: str
    t_s: float
    message: str


class Sampled(NamedTuple):
    """What a meter has to say since it was asked last."""

    readings: list[Reading]
    edges: list[Edge]
    powers: list[Power]
    errors: list[ReadError]


class Meter(Protocol):
    """A source of readings. It is opened once, sampled many times, and closed."""

    def open(self) -> list[Source]:
        """Makes the meter ready and says what it reads.

        Raises:
            MeterError: it cannot be read here; the message says why.
        """
        ...

    def sample(self) -> Sampled:
        """The state of each source, and the updates of its counter since the last call.

        Raises:
            MeterError: a source vanished or does not answer.
        """
        ...

    def close(self) -> None:
        """Gives back what was opened."""
        ...


@runtime_checkable
class Polled(Protocol):
    """A meter that wants to be called between samples, at moments of its own."""

    @property
    def due_s(self) -> float:
        """When to poll next, on CLOCK_MONOTONIC."""
        ...

    def poll(self) -> None:
        """Looks whether a counter was updated.

        Raises:
            MeterError: a source vanished or does not answer.
        """
        ...
