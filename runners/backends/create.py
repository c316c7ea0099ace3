"""The one place that knows which class stands for which backend."""

from __future__ import annotations

from collections.abc import Callable

from runners.backends.base import Backend
from runners.contract.request import RunRequest, SimulatedOptions


def create(request: RunRequest, alive: Callable[[], None]) -> Backend:
    """The backend of a request. Its engine is imported here and not before.

    Args:
        request: what to run.
        alive: called by the backend at every step that it makes.

    Raises:
        ImportError: the engine is not installed.
        BadRequestError: the request does not fit the machine.
    """
    options = request.experiment.options
    if isinstance(options, SimulatedOptions):
        from runners.backends.simulated import SimulatedBackend

        return SimulatedBackend(request, options, alive)
    from runners.backends.models import use_hub_only_if_needed

    use_hub_only_if_needed(request)  # before the engine is imported, which reads it once
    from runners.backends.pytorch import PytorchBackend

    return PytorchBackend(request, options, alive)
