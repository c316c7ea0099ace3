"""Whether figures drift over the cycles of a campaign: then its repetitions are no repetitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drift:
    """What cycles tell about drift of one metric, all experiments taken together."""

    per_cycle: float
    """Relative change from one cycle to the next: 0.01 for +1 % a cycle."""
    p_value: float
    found: bool
    method: str
    """The test, by its name."""
    cycles: int
