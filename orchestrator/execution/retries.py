"""Which runs that failed are tried again, and after how long. Pure."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.campaign.settings import Failures
from runners.contract.failures import FAILURES
from runners.contract.paths import FailureKind


class Retry(NamedTuple):
    """A run is tried again."""

    wait_s: float
    """But not before so long."""
    left: int
    """And so many times more, should it fail again."""


class Retries:
    """What was tried again since the orchestrator was started; a resumed campaign begins to count anew.

    Args:
        settings: how often, and with which back-off.
    """

    def __init__(self, settings: Failures) -> None:
        self._settings = settings
        self._tried: dict[int, int] = {}

    def after(self, run: int, kind: FailureKind) -> Retry | None:
        """What follows when an attempt at a run failed; None: the run has failed.

        Args:
            run: its order index.
            kind: only what may pass by itself is tried again.
        """
        tried = self._tried.get(run, 0)
        if not FAILURES[kind].passing or tried >= self._settings.retries:
            return None
        self._tried[run] = tried + 1
        return Retry(self._settings.backoff_s * 2.0**tried, self._settings.retries - tried - 1)
