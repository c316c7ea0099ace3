"""Which dispatcher serves a campaign."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.dispatch.base import Dispatcher
from orchestrator.dispatch.local import LocalDispatcher
from orchestrator.errors import MachineError


def choose_dispatcher(backends: Iterable[str]) -> Dispatcher:
    """The dispatcher for a campaign over these backends: one for all of its runs.

    Raises:
        MachineError: a backend cannot be started here.
    """
    dispatcher = LocalDispatcher()
    for backend in sorted(set(backends)):
        missing = dispatcher.missing(backend)
        if missing:
            what, hint = missing
            raise MachineError(what, hint=hint)
    return dispatcher
