"""How long each thing takes, from one length."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """What was asked for, and the lengths that follow from it."""

    parameters: int
    """Of the random-weight model."""
    seconds: float
    """Length of the steady load; the others are in proportion."""
    pairs: int
    """Pairs of generation with metering off and on."""
    runs: int
    """Repetitions of one experiment."""
    minutes: float
    """What the whole may take; repetitions are left out beyond."""
    cap_power: bool
    """Whether the power limit may be changed for a moment."""

    @property
    def idle_s(self) -> float:
        """Idle before anything holds the GPU."""
        return self.seconds / 2

    @property
    def bursty_s(self) -> float:
        """Of each bursty load."""
        return self.seconds * 0.3

    @property
    def generation_s(self) -> float:
        """About how long each side of a pair generates."""
        return self.seconds / 20

    @property
    def window_s(self) -> float:
        """The least window of a run."""
        return self.seconds / 5

    @property
    def baseline_s(self) -> float:
        """Idle before the engine of a run loads, where no earlier run's baseline holds."""
        return self.seconds / 2

    @property
    def loaded_idle_s(self) -> float:
        """Idle with the model loaded, in a run."""
        return self.seconds / 20

    def loads(self) -> list[tuple[str, float, float, float]]:
        """The loads of the recording: name, seconds on, seconds off (0: steady), length in seconds."""
        bursts = [(f"bursts of {on_s:g} s", on_s, on_s, self.bursty_s) for on_s in (0.05, 0.2, 1.0)]
        return [("steady", 0.0, 0.0, self.seconds), *bursts]
