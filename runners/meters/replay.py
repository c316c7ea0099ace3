"""A power that is known beforehand, played on CLOCK_MONOTONIC: for the simulated backend."""

from __future__ import annotations

import time

from runners.meters.reading import Edge, Reading, Sampled, Source


class ReplayMeter:
    """A constant power, with the energy counter that it would drive.

    Args:
        power_w: the power that is played.
    """

    def __init__(self, power_w: float) -> None:
        self._power_w = power_w
        self._origin_s = 0.0

    def open(self) -> list[Source]:
        """Starts the counter."""
        self._origin_s = time.monotonic()
        assumption = f"a constant {self._power_w:g} W; nothing was measured"
        return [Source("simulated", "simulated", "simulated", "simulated", assumption, power_limit_w=self._power_w)]

    def sample(self) -> Sampled:
        """The power, and its integral since the counter started."""
        now_s = time.monotonic()
        energy_j = (now_s - self._origin_s) * self._power_w
        return Sampled(
            [Reading(now_s, "simulated", power_w=self._power_w)], [Edge("simulated", now_s, now_s, energy_j)], [], []
        )

    def close(self) -> None:
        """Nothing was opened."""
