"""What is going on in a campaign just now, as far as its events tell. Draws nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from orchestrator.cli.console.words import gpus_in_words, pause_in_words
from orchestrator.execution.events import (
    BreakerClosed,
    BreakerOpened,
    CampaignEvent,
    CampaignStarted,
    ExperimentGivenUp,
    ExperimentKnown,
    ExperimentReopened,
    GapEnded,
    GapStarted,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunRetried,
    RunStarted,
)
from runners.contract.events import RunnerEvent
from runners.contract.paths import run_id

_Run = tuple[str, int]
_NOT_YET = RunnerEvent(event="phase", phase="prepare")
"""Until the runner says something."""


@dataclass(slots=True)
class _Live:
    started: RunStarted
    progress: RunnerEvent = _NOT_YET


@dataclass(slots=True)
class AtWork:
    """Runs at work, pauses under way, and how far the campaign is."""

    campaign: str = "run"
    runs: int = 1
    at_start: int = 0
    at_most: bool = False
    """Whether fewer runs may do, by ``until``."""
    energy_j: float = 0.0
    methods: set[str] = field(default_factory=set)
    ended: set[_Run] = field(default_factory=set)
    begun_s: float = field(default_factory=time.monotonic)
    _live: dict[_Run, _Live] = field(default_factory=dict)
    _gaps: dict[tuple[int, ...], tuple[GapStarted, float]] = field(default_factory=dict)
    _breaker: tuple[BreakerOpened, float] | None = None

    def heed(self, event: CampaignEvent) -> None:
        """Take in what happened."""
        match event:
            case CampaignStarted():
                self.campaign, self.at_start = event.campaign, event.completed
                self.runs = event.runs - event.unneeded
                self.at_most = event.until is not None
                self.begun_s = time.monotonic()
            case GapStarted():
                self._gaps[event.gpus] = (event, time.monotonic() + event.duration_s)
            case GapEnded():
                self._gaps.pop(event.gpus, None)
            case RunStarted():
                self._gaps.pop(event.gpus, None)
                self._live[event.experiment_id, event.cycle] = _Live(event)
            case RunProgress():
                live = self._live.get((event.experiment_id, event.cycle))
                if live:
                    live.progress = event.progress
            case RunCompleted():
                self._end((event.experiment_id, event.cycle))
                self.energy_j += event.result.energy_j or 0.0
                self.methods.add(event.result.energy_method or "not measured")
            case RunFailed():
                self._end((event.experiment_id, event.cycle))
            case RunRetried():
                run = (event.failure.experiment_id, event.failure.cycle)
                self._live.pop(run, None)
                self.ended.discard(run)
            case ExperimentKnown() | ExperimentGivenUp():
                self.runs -= event.spared
            case ExperimentReopened():
                self.runs += event.needed
            case BreakerOpened():
                self._breaker = (event, time.monotonic() + event.pause_s)
            case BreakerClosed():
                self._breaker = None

    def _end(self, run: _Run) -> None:
        self._live.pop(run, None)
        self.ended.add(run)

    @property
    def done(self) -> int:
        """Runs that have ended, those before this start included."""
        return min(self.runs, self.at_start + len(self.ended))

    @property
    def elapsed_s(self) -> float:
        """Since the campaign was started this time."""
        return time.monotonic() - self.begun_s

    @property
    def left_s(self) -> float | None:
        """An estimate of the time left, at most; None before the first run has ended.

        From the pace of this time on the clock on the wall, so that runs side by side and pauses are in it.
        """
        if not self.ended or self.done >= self.runs:
            return None
        return self.elapsed_s / len(self.ended) * (self.runs - self.done)

    @property
    def energy(self) -> str | None:
        """That of the windows of the runs that ended this time, with how it came about; None where there is none."""
        if not self.energy_j:
            return None
        how = f" ({', '.join(sorted(self.methods))})" if self.methods - {"nvml", "rapl"} else ""
        return f"windows {_joules(self.energy_j)}{how}"

    def live(self) -> list[tuple[str, list[str]]]:
        """Each run at work: its id, and what it does."""
        return [(run_id(*run), _doing(live)) for run, live in list(self._live.items())]

    def pauses(self) -> list[str]:
        """Each pause under way, in words, as long as it still is."""
        now = time.monotonic()
        lines = [pause_in_words(gap, until_s - now) for gap, until_s in list(self._gaps.values())]
        if self._breaker:
            event, until_s = self._breaker
            left_s = until_s - now
            when = f"probe in {left_s:.0f} s" if left_s > 0 else "probing"
            lines.append(f"{event.in_a_row} failures in a row · {when}")
        return lines


def _doing(live: _Live) -> list[str]:
    event = live.progress
    parts: list[str] = [gpus_in_words(live.started.gpus)] if live.started.gpus else []
    parts.append(event.phase)
    if event.done is not None:
        parts.append(f"{event.done}/{event.total} requests")
    if event.power_w is not None:
        parts.append(f"{event.power_w:.0f} W")
    if live.started.attempt > 1:
        parts.append(f"attempt {live.started.attempt}")
    return parts


def _joules(energy_j: float) -> str:
    for factor, unit in ((1e6, "MJ"), (1e3, "kJ")):
        if energy_j >= factor:
            return f"{energy_j / factor:.1f} {unit}"
    return f"{energy_j:.3g} J"
