"""What a runner says of itself while it works: JSON lines in ``events.jsonl``."""

from __future__ import annotations

from typing import Literal

from runners.contract.model import ContractModel


class RunnerEvent(ContractModel):
    """One line of progress. Silence for longer than the host allows ends the run."""

    event: Literal["phase", "progress"]
    phase: Literal["prepare", "baseline", "load", "loaded_idle", "warmup", "window", "teardown"]
    done: int | None = None
    """Requests answered so far in the window."""
    total: int | None = None
    """Requests in the window."""
    power_w: float | None = None
    """The latest power that the sampler saw."""
