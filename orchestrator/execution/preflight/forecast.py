"""What could not be told before a campaign started is told once its first runs have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from orchestrator.execution.events import (
    CampaignEvent,
    CampaignStarted,
    ExperimentGivenUp,
    ExperimentKnown,
    ExperimentReopened,
    Foreseen,
    Observer,
    RunCompleted,
    RunFailed,
)
from orchestrator.execution.preflight.estimate import Span
from orchestrator.execution.preflight.look import Preflight, excess
from orchestrator.results.known import known_run
from orchestrator.system.config import UserConfig

_ENOUGH = 20
"""So many runs tell, where a cycle has more of them."""


class Forecast:
    """Hands events on, and adds one: what is left to come, once a cycle or the first runs of it have ended.

    Args:
        observer: whoever shows events.
        ahead: what was known before; if that holds an estimate, nothing is added.
        config: says from when on it is much.
        now_s: a clock.
    """

    def __init__(
        self, observer: Observer, ahead: Preflight, config: UserConfig, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._observer = observer
        self._ahead = ahead
        self._config = config
        self._now_s = now_s
        self._begun_s = now_s()
        self._enough = _ENOUGH
        self._left = ahead.estimate.runs
        self._at_most = False
        self._ended = 0
        self._joules: list[float] = []
        self._methods: set[str] = set()
        self._told = ahead.estimate.seconds is not None

    def __call__(self, event: CampaignEvent) -> None:
        """An event."""
        self._observer(event)
        if isinstance(event, CampaignStarted):
            self._begun_s, self._left = self._now_s(), event.to_run
            self._enough = min(max(event.runs // max(event.cycles, 1), 1), _ENOUGH)
            self._at_most = event.until is not None
        elif isinstance(event, ExperimentKnown | ExperimentGivenUp):
            self._left -= event.spared
        elif isinstance(event, ExperimentReopened):
            self._left += event.needed
        elif isinstance(event, RunCompleted | RunFailed) and not self._told:
            self._ended += 1
            if isinstance(event, RunCompleted):
                self._count(event)
            if self._ended >= self._enough and self._ended < self._left:
                self._told = True
                self._observer(self._foreseen())

    def _count(self, event: RunCompleted) -> None:
        run = known_run(event.result.model_dump(mode="json"))
        if run.energy_j is not None:
            self._joules.append(run.energy_j)
            self._methods.add(run.method or "")

    def _foreseen(self) -> Foreseen:
        left = self._left - self._ended
        left_s = (self._now_s() - self._begun_s) / self._ended * left
        spent_j = sum(self._joules) if self._joules else None
        left_j = spent_j / len(self._joules) * left if spent_j is not None else None
        expected = replace(
            self._ahead.estimate,
            seconds=Span(left_s, left_s, left_s),
            joules=None if left_j is None else Span(left_j, left_j, left_j),
        )
        method = ", ".join(sorted(self._methods)) or None
        above = tuple(excess(expected, self._config))
        return Foreseen(self._ended, left, left_s, spent_j, left_j, method, above, self._at_most)
