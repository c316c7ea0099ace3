"""GPUs seen to be fit for a measurement before a run is started on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from orchestrator.errors import MachineError
from orchestrator.execution.events import GpuAwaited
from orchestrator.system.gpu_state import gpu_states, process_name
from orchestrator.system.vacancy import Obstacle, obstacle
from runners.contract.request import Gpu

GRACE_S = 30.0
"""What a process that just ended leaves on a GPU takes a moment to be given back."""
_LOOK_EVERY_S = 0.5


def await_vacant(gpus: Sequence[Gpu], on_wait: Callable[[GpuAwaited], None], should_stop: Callable[[], bool]) -> None:
    """Return once nothing stands in the way of a measurement on these GPUs, or it was asked to stop.

    Args:
        gpus: what is measured on; none: there is nothing to look at.
        on_wait: told once if something has to pass first.
        should_stop: asked all the while.

    Raises:
        MachineError: somebody else uses one, its memory is not given back, or it is not fit for use.
    """
    if not gpus:
        return
    begun_s = time.monotonic()
    told = False
    while (found := _first_obstacle(gpus)) and not should_stop():
        waited_s = time.monotonic() - begun_s
        if not found.passing or waited_s >= GRACE_S:
            patience = f" (after {waited_s:.0f} s of waiting)" if found.passing else ""
            raise MachineError(f"{found.what}{patience}", hint=found.hint)
        if not told:
            on_wait(GpuAwaited(found.what, GRACE_S))
            told = True
        time.sleep(_LOOK_EVERY_S)


def _first_obstacle(gpus: Sequence[Gpu]) -> Obstacle | None:
    found = (obstacle(state, process_name) for state in gpu_states(gpus))
    return next((each for each in found if each), None)
