"""What the harness asks of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runners.contract.flops import Architecture

TokenIds = Sequence[int]


class Timing(NamedTuple):
    """The moments of one request, of CLOCK_MONOTONIC; None where the engine does not tell."""

    begun_s: float | None
    """The engine began to work on it; before, it was queued."""
    first_token_s: float | None
    last_token_s: float | None
    token_times_s: list[float] | None = None
    """When each of its tokens was on the host."""


class Batch(NamedTuple):
    """What came of generating one batch; moments are of CLOCK_MONOTONIC, the device synchronised."""

    start_s: float
    end_s: float
    token_times_s: list[float] | None
    """When each step's tokens were on the host, the same for all requests of a static batch; None where the engine
    does not tell, or where it batches continuously: then ``timings`` holds what it tells."""
    outputs: list[list[int]]
    """Token ids of each answer, in the order of the prompts."""
    timings: list[Timing] | None = None
    """Of each request, in the order of the prompts, where they have moments of their own."""


class DeviceMemory(NamedTuple):
    """Memory of the accelerators, as the engine's allocator accounts for it.

    Of an engine in several processes on a CPU it is what is resident of each, summed.
    """

    model_bytes: int
    """Allocated once the model was loaded."""
    peak_bytes: int
    """Most that was allocated at once since the window opened; the peaks of several processes are summed."""
    reserved_bytes: int | None
    """Most that the allocator held of the device since the window opened; None on a CPU."""


class Backend(Protocol):
    """An engine, from finding the model to letting it go."""

    @property
    def version(self) -> str:
        """The engine and its version."""
        ...

    @property
    def device(self) -> str:
        """Where the model runs: ``cpu``, ``cuda:0`` with the GPU's name, or ``simulated``."""
        ...

    @property
    def prefix(self) -> list[int]:
        """Token ids that stand before every prompt, such as a begin-of-sequence token. After :meth:`load`."""
        ...

    def prepare(self) -> None:
        """Everything that is slow only the first time on a machine, such as converting a model."""
        ...

    def model_files(self) -> list[Path]:
        """The files, and folders of files, that loading reads; empty where it reads none. After :meth:`prepare`."""
        ...

    def load(self) -> None:
        """Loads the model, ready to generate."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens. After :meth:`load`."""
        ...

    def synchronize(self) -> None:
        """Returns once the device has done all it was given."""
        ...

    def open_window(self) -> None:
        """Called right before the measured window: peaks of memory count from here."""
        ...

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers one batch of prompts (token ids, prefix included), all at once."""
        ...

    def device_memory(self) -> DeviceMemory | None:
        """Memory of the accelerator; None where the engine has none."""
        ...

    def architecture(self) -> Architecture | None:
        """What of the model decides its FLOPs; None where that is not known. After :meth:`load`."""
        ...

    def effective_config(self) -> dict[str, Any]:
        """What the engine says it really used, read back from it."""
        ...

    def overridden(self) -> list[str]:
        """What was asked for and the engine did otherwise, in words; each becomes a warning of the result."""
        ...

    def close(self) -> None:
        """Lets the model go."""
        ...
