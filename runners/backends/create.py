"""From a backend's name to its class and its engine: ``BACKEND`` and ``describe`` of the module of that name here."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from runners.backends.base import Backend
from runners.backends.models import use_hub_only_if_needed
from runners.contract.description import Engine
from runners.contract.request import RunRequest
from runners.failures import import_failure


def create(request: RunRequest, alive: Callable[[], None]) -> Backend:
    """The backend of a request. Its engine is imported here and not before.

    Args:
        request: what to run.
        alive: called by the backend at every step that it makes.

    Raises:
        EngineMissingError: the engine is not installed.
        EngineBrokenError: it is, and cannot be imported.
        BadRequestError: the request does not fit the machine.
    """
    use_hub_only_if_needed(request)  # before the engine is imported, which reads it once
    name = request.experiment.backend
    try:
        module = importlib.import_module(f"runners.backends.{name}")
    except Exception as error:
        raise import_failure(error, name) from error
    backend: Backend = module.BACKEND(request, request.experiment.options, alive)
    return backend


def describe_engine(backend: str) -> Engine:
    """What a backend's engine says of itself. It is imported here.

    Raises:
        ImportError: it is not installed.
    """
    engine: Engine = importlib.import_module(f"runners.backends.{backend}").describe()
    return engine
