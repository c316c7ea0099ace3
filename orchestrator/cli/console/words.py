"""Events in words: the lines that stay, on a terminal and off one. Draws nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

from orchestrator.execution.events import (
    BreakerClosed,
    BreakerOpened,
    CampaignEnded,
    CampaignEvent,
    CampaignStarted,
    CycleStarted,
    ExperimentGivenUp,
    ExperimentKnown,
    ExperimentReopened,
    Foreseen,
    GapEnded,
    GapStarted,
    GpuAwaited,
    Notice,
    Notified,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunRetried,
    RunStarted,
)
from orchestrator.execution.precision import Known
from orchestrator.execution.preflight.estimate import duration, energy
from orchestrator.report.counting import counted
from orchestrator.report.precision import give_or_take
from orchestrator.report.tables import HEADLINES, value_of
from runners.contract.paths import LOG, run_id
from runners.contract.quantities import QUANTITIES


class PlainLines:
    """A line an event, as it comes."""

    counts_down = False
    """Whether a pause is shown by something that moves, and needs no line."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._runs = 0
        self._at_start = 0
        self._at_most = ""
        self._ended: set[tuple[str, int]] = set()

    def show(self, event: CampaignEvent) -> None:
        """Print what an event has to say."""
        for line in self.lines(event):
            self._print(line)

    def _print(self, line: str) -> None:
        click.echo(line)

    def lines(self, event: CampaignEvent) -> Iterator[str]:
        """What an event has to say."""
        match event:
            case CampaignStarted():
                self._runs, self._at_start = event.runs - event.unneeded, event.completed
                self._at_most = "at most " * (event.until is not None)
                yield from _heading(event)
            case CycleStarted():
                yield f"=== Cycle {event.cycle} of {self._at_most}{event.cycles} ==="
            case GpuAwaited():
                yield f"waiting up to {event.patience_s:g} s: {event.what}"
            case GapStarted():
                if not self.counts_down:
                    yield pause_in_words(event, event.duration_s)
            case GapEnded():
                if self._verbose:
                    why = "the GPUs are cool" if event.gap.ended_by == "cool" else "its time is over"
                    yield f"pause ended after {event.gap.duration_s:.0f} s: {why}"
            case Notice():
                yield event.text
            case RunStarted():
                self._runs = max(self._runs, 1)
                if self._verbose or event.adopted:
                    taken_over = "found alive, watched to its end: " if event.adopted else "started: "
                    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                    on = f" on {gpus_in_words(event.gpus)}" if event.gpus else ""
                    yield f"{taken_over}{run_id(event.experiment_id, event.cycle)}{on}{again}"
            case RunProgress():
                if self._verbose and event.progress.event == "phase":
                    yield f"      {run_id(event.experiment_id, event.cycle)}: {event.progress.phase}"
            case RunCompleted():
                self._ended.add((event.experiment_id, event.cycle))
                yield f"{self._place()} {_completed(event)}"
            case RunFailed():
                self._ended.add((event.experiment_id, event.cycle))
                yield from failure_lines(event, self._place())
            case RunRetried():
                yield from _retry_lines(event)
            case ExperimentKnown():
                self._runs -= event.spared
                spared = f"{counted(event.spared, 'run')} of it {'is' if event.spared == 1 else 'are'} not needed"
                yield f"known to {_give_or_take(event)}: {event.experiment_id}; {spared}"
            case ExperimentGivenUp():
                self._runs -= event.spared
                spared = f"{counted(event.spared, 'run')} of it {'is' if event.spared == 1 else 'are'} left out"
                yield f"given up, since {event.why}: {event.experiment_id}; {spared}"
            case ExperimentReopened():
                self._runs += event.needed
                yield f"known only to {_give_or_take(event)} after all: {event.experiment_id} goes on"
            case BreakerOpened():
                yield from _breaker_lines(event)
            case Foreseen():
                yield from _foreseen_lines(event)
            case Notified():
                yield _notified(event)
            case BreakerClosed():
                yield "a run came through: the campaign goes on"
            case CampaignEnded():
                pass

    def _place(self) -> str:
        """How many runs have ended, of all."""
        width = len(str(self._runs))
        return f"[{self._at_start + len(self._ended):>{width}}/{self._runs}]"


def _give_or_take(event: ExperimentKnown | ExperimentReopened) -> str:
    known = Known(event.runs, event.relative_half_width, isinstance(event, ExperimentKnown), event.method)
    return f"{give_or_take(known)} after {counted(event.runs, 'run')}"


def print_failures(event: CampaignEvent) -> None:
    """Print only what went wrong, to standard error."""
    lines: Iterator[str] = iter(())
    if isinstance(event, RunFailed):
        lines = failure_lines(event)
    elif isinstance(event, BreakerOpened):
        lines = _breaker_lines(event)
    elif isinstance(event, Notified) and not event.delivered:
        lines = iter([_notified(event)])
    for line in lines:
        click.echo(line, err=True)


def failure_lines(event: RunFailed, place: str = "") -> Iterator[str]:
    """What failed, why, what to do, and where its log is."""
    run = run_id(event.experiment_id, event.cycle)
    yield f"{place} FAILED {run}: {event.kind.value}: {event.message}".lstrip()
    if event.hint:
        yield f"      hint: {event.hint}"
    yield f"      log: {near(event.folder) / LOG}"


def pause_in_words(gap: GapStarted, left_s: float) -> str:
    """A pause, with the seconds that are left of it."""
    parts = [f"pause {_seconds(max(0.0, left_s))} s"]
    if gap.until_cool:
        parts.append("until the GPUs are cool" if len(gap.gpus) != 1 else "until the GPU is cool")
    if gap.gpus:
        parts.append(gpus_in_words(gap.gpus))
    if gap.between == "cycles":
        parts.append("before the next cycle")
    return " · ".join(parts)


def _seconds(left_s: float) -> str:
    return f"{left_s:.0f}" if left_s >= 1 or not left_s else f"{left_s:.1g}"


def gpus_in_words(indices: tuple[int, ...]) -> str:
    """``GPU 0``, ``GPUs 0,1``."""
    return f"GPU{'s' * (len(indices) > 1)} {','.join(map(str, indices))}"


def near(path: Path) -> Path:
    """A path as short as it can be from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _heading(event: CampaignStarted) -> Iterator[str]:
    at_most = "at most " * (event.until is not None)
    repeated = f" over {at_most}{event.cycles} cycles" if event.cycles > 1 else ""
    done = f"{event.completed:,} complete"
    done += f", {event.unneeded:,} not needed" if event.unneeded else ""
    runs = f"{at_most}{counted(event.runs, 'run')}{repeated}"
    yield f"campaign {event.campaign}: {runs}, {done}, {at_most}{event.to_run:,} to run"
    if event.until:
        yield f"each experiment is repeated until {event.until}"
    yield f"dispatch: {event.dispatcher} ({event.how}) · device: {event.device} · results: {near(event.results)}"
    for mended in event.mended:
        yield f"mended: {mended}"


def _completed(event: RunCompleted) -> str:
    result = event.result
    shown = {
        name: f"{QUANTITIES[name].show(value)} {QUANTITIES[name].unit}"
        for name in HEADLINES
        if (value := value_of(result, name)) is not None
    }
    energy, rate, ttft, memory = (shown.get(name) for name in HEADLINES)
    parts = [f"{energy} ({result.energy_method})" if energy else "energy not measured", rate]
    parts += [ttft and f"TTFT {ttft}", memory, "SUSPECT" if result.verdict == "suspect" else None]
    return f"{result.run_id}\n      {' · '.join(part for part in parts if part)}"


def _foreseen_lines(event: Foreseen) -> Iterator[str]:
    spending = spent = ""
    if event.left_j is not None and event.spent_j is not None:
        spending, spent = f" and {energy(event.left_j)}", f", {energy(event.spent_j)} spent so far ({event.method})"
    at_most = "at most " * event.at_most
    runs = f"{at_most}{counted(event.left, 'run')} left"
    time = f"{at_most or 'about '}{duration(event.left_s)}"
    yield f"estimated from the first {event.runs:,}: {time}{spending} for {runs}{spent}"
    for line in event.above:
        yield f"WARNING: {line}; Ctrl-C stops it, and `orchestrate resume` goes on"


def _notified(event: Notified) -> str:
    if event.delivered:
        return f"told {event.webhook}: {event.notice}"
    return f"warning: {event.webhook} could not be told of {event.notice}: {tries(event.attempts)}"


def tries(attempts: Iterable[str]) -> str:
    """What came of each try; what came of several in a row is said once."""
    runs = ((said, len(list(group))) for said, group in groupby(attempts))
    return "; ".join(f"{said} ({times} times)" if times > 1 else said for said, times in runs)


def _retry_lines(event: RunRetried) -> Iterator[str]:
    failure = event.failure
    run = run_id(failure.experiment_id, failure.cycle)
    left = f"{event.retries_left} {'retry' if event.retries_left == 1 else 'retries'} left"
    yield f"failed, tried again in {event.wait_s:.0f} s ({left}): {run}: {failure.kind.value}: {failure.message}"
    yield f"      log: {near(failure.folder) / LOG}"


def _breaker_lines(event: BreakerOpened) -> Iterator[str]:
    probes = f"{event.probes_left} {'probe' if event.probes_left == 1 else 'probes'} left"
    yield (
        f"{event.in_a_row} runs failed in a row, the last of {event.last.kind.value}: nothing is started for"
        f" {event.pause_s:.0f} s, then one run probes whether it is over ({probes})"
    )
