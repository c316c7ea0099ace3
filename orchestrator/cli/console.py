"""All drawing: tables, live progress, plain lines, JSON lines. The only module that imports rich."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderResult
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.cli.options import Running
from orchestrator.execution.events import (
    CampaignEnded,
    CampaignEvent,
    CampaignStarted,
    CycleStarted,
    GpuAwaited,
    Notified,
    Observer,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunStarted,
)
from orchestrator.execution.scheduling import (
    ScheduleEvent,
    ScheduleObserver,
    StartAwaited,
    StartedLate,
    StartFailed,
    StartsMissed,
    WindowClosed,
)
from orchestrator.report.tables import HEADLINES, Table, value_of
from runners.contract.events import RunnerEvent
from runners.contract.paths import run_id
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

_UNBOUNDED = 10_000
_PROSE = 30


def print_table(table: Table) -> None:
    """Draw a table, with its notes below; text in brackets is printed as it is.

    Off a terminal nothing is folded or cut. On one that is too narrow each row becomes a block of lines.
    """
    console = _console()
    if not console.is_terminal:
        console.width = _UNBOUNDED
    if _width_needed(table) <= console.width:
        console.print(_drawn(table))
    else:
        _print_blocks(console, table)
    for note in table.notes:
        console.print(Text(f"Note: {note}"))


def _width_needed(table: Table) -> int:
    """Columns of a terminal that it takes to show each cell whole; prose is folded."""
    width = 1
    for position, column in enumerate(table.columns):
        cells = [*column.title.splitlines(), *(row[position] for row in table.rows)]
        widest = max(map(cell_len, cells), default=0)
        width += 2 + (min(widest, _PROSE) if column.prose else widest)
    return width


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(
        title=Text(table.title),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_header=any(column.title for column in table.columns),
    )
    for column in table.columns:
        justify: JustifyMethod = "right" if column.numeric else "left"
        drawn.add_column(Text(column.title), justify=justify, overflow="fold", no_wrap=not column.prose)
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _print_blocks(console: Console, table: Table) -> None:
    console.print(Text(table.title, style="bold"))
    for row in table.rows:
        console.print()
        for column, cell in zip(table.columns, row, strict=True):
            heading = " ".join(column.title.split())
            console.print(Text(f"{heading}: {cell}" if heading else cell))
    console.print()


@contextmanager
def watching(running: Running) -> Iterator[Observer]:
    """An observer that shows events: live on a terminal, as plain lines off one, or as JSON lines."""
    if running.as_json:
        yield _print_json
    elif running.quiet:
        yield _print_failures
    else:
        console = _console()
        if console.is_terminal and not console.is_dumb_terminal:
            with _LiveLines(console, verbose=running.verbose) as lines:
                yield lines.show
        else:
            yield _PlainLines(verbose=running.verbose).show


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def _plain(value: Any) -> Any:
    if isinstance(value, RunResult | RunnerEvent):
        return value.model_dump(mode="json")
    return str(value)


def _print_json(event: CampaignEvent | ScheduleEvent) -> None:
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    line = {"event": type(event).__name__, **fields}
    if isinstance(event, RunCompleted):
        line["result"] = event.folder / "result.json"
    click.echo(json.dumps(line, default=_plain, ensure_ascii=False))


def _print_failures(event: CampaignEvent) -> None:
    if isinstance(event, RunFailed):
        for line in _failure_lines(event):
            click.echo(line, err=True)
    elif isinstance(event, Notified) and not event.delivered:
        click.echo(_notified(event), err=True)


class _PlainLines:
    """A line an event, as it comes."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._runs = 0
        self._position = 0

    def show(self, event: CampaignEvent) -> None:
        for line in self.lines(event):
            self._print(line)

    def _print(self, line: str) -> None:
        click.echo(line)

    def lines(self, event: CampaignEvent) -> Iterator[str]:
        """What an event has to say."""
        match event:
            case CampaignStarted():
                yield from _heading(event)
            case CycleStarted():
                yield f"=== Cycle {event.cycle} of {event.cycles} ==="
            case GpuAwaited():
                yield f"waiting up to {event.patience_s:g} s: {event.what}"
            case RunStarted():
                self._runs, self._position = event.runs, event.position
                taken_over = "found alive, watched to its end: " if event.adopted else ""
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                if self._verbose or event.adopted:
                    yield f"{self._place()} {taken_over}{event.experiment_id}{again}"
            case RunProgress():
                if self._verbose and event.progress.event == "phase":
                    yield f"{self._place()}   {event.progress.phase}"
            case RunCompleted():
                yield f"{self._place()} {_completed(event)}"
            case RunFailed():
                yield from _failure_lines(event)
            case Notified():
                yield _notified(event)
            case CampaignEnded():
                pass

    def _place(self) -> str:
        width = len(str(self._runs))
        return f"[{self._position:>{width}}/{self._runs}]"


class _LiveLines(_PlainLines):
    """The same lines, above a bar that moves."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("runs ·"),
            TimeElapsedColumn(),
            TextColumn("· {task.fields[left]}", markup=False),
            console=console,
            expand=True,
        )
        self._current = Text("")
        self._live = Live(Group(self._bar, self._current), console=console, refresh_per_second=4, transient=True)
        self._begun_s = time.monotonic()
        self._at_start = 0
        self._progress = RunnerEvent(event="phase", phase="prepare")
        self._experiment_id = ""

    def __enter__(self) -> _LiveLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, event: CampaignEvent) -> None:
        # Not before the first event: until then a question may be asked.
        self._live.start()
        super().show(event)
        match event:
            case CampaignStarted():
                self._bar.add_task(event.campaign, total=event.runs, completed=event.completed, left="")
                self._at_start = event.completed
            case RunStarted():
                if not self._bar.tasks:
                    self._bar.add_task("run", total=1, left="")
                self._experiment_id = event.experiment_id
                self._progress = RunnerEvent(event="phase", phase="prepare")
            case RunProgress():
                self._progress = event.progress
            case RunCompleted() | RunFailed():
                self._bar.advance(self._bar.task_ids[0])
                self._bar.update(self._bar.task_ids[0], left=self._time_left())
        self._current.plain = self._describe()

    def _print(self, line: str) -> None:
        self._console.print(Text(line))

    def _describe(self) -> str:
        event = self._progress
        parts = [f"  {self._experiment_id}", event.phase]
        if event.done is not None:
            parts.append(f"{event.done}/{event.total} requests")
        if event.power_w is not None:
            parts.append(f"{event.power_w:.0f} W")
        return " · ".join(parts) if self._experiment_id else ""

    def _time_left(self) -> str:
        task = self._bar.tasks[0]
        done, left = task.completed - self._at_start, (task.total or 0) - task.completed
        if done <= 0 or left <= 0:
            return ""
        return f"about {_duration((time.monotonic() - self._begun_s) / done * left)} left"


def _heading(event: CampaignStarted) -> Iterator[str]:
    repeated = f" over {event.cycles} cycles" if event.cycles > 1 else ""
    yield f"campaign {event.campaign}: {event.runs} runs{repeated}, {event.completed} complete, {event.to_run} to run"
    yield f"dispatch: {event.dispatcher} ({event.how}) · device: {event.device} · results: {_near(event.results)}"
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


def _failure_lines(event: RunFailed) -> Iterator[str]:
    run = run_id(event.experiment_id, event.cycle)
    yield f"FAILED {run}: {event.kind.value}: {event.message}"
    if event.hint:
        yield f"      hint: {event.hint}"
    yield f"      log: {_near(event.folder)}/runner.log"


def _notified(event: Notified) -> str:
    if event.delivered:
        return f"told {event.webhook}: {event.notice}"
    return f"warning: {event.webhook} could not be told of {event.notice}: {'; '.join(event.attempts)}"


def _near(path: Path) -> str:
    """A path as short as it can be from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class ScheduleLines(ScheduleObserver):
    """What a schedule does, in lines; on a terminal the time until the next start runs down."""

    def __init__(self, running: Running, zone: tzinfo) -> None:
        self._running = running
        self._zone = zone
        self._console = _console()

    def show(self, event: ScheduleEvent) -> None:
        """Print what happened."""
        if self._running.as_json:
            _print_json(event)
        elif isinstance(event, StartFailed):
            click.echo(f"error: {event.message}", err=True)
            click.echo(f"hint: {event.hint or f'`orchestrate resume {event.campaign}`'}", err=True)
        elif not self._running.quiet and not (isinstance(event, StartAwaited) and self._live):
            click.echo(self._line(event))

    def awaiting(self, event: StartAwaited) -> AbstractContextManager[object]:
        """Let the time run down, where there is a terminal to show it."""
        if not self._live:
            return nullcontext()
        return Live(_Countdown(self, event), console=self._console, refresh_per_second=2, transient=True)

    @property
    def _live(self) -> bool:
        return not self._running.silent and self._console.is_terminal and not self._console.is_dumb_terminal

    def _line(self, event: ScheduleEvent) -> str:
        match event:
            case StartAwaited():
                left = (event.at - datetime.now(UTC)).total_seconds()
                what = f"{event.campaign} goes on" if event.goes_on else "next start"
                return f"{what}: {wall_clock(event.at, self._zone)}, in {countdown(left)}"
            case StartsMissed():
                until = f" to {wall_clock(event.last, self._zone)}" if event.last > event.first else ""
                return f"missed, and not made up for: {wall_clock(event.first, self._zone)}{until}"
            case StartedLate():
                return f"late: {event.campaign} should have started at {wall_clock(event.at, self._zone)}"
            case WindowClosed():
                runs = "1 run" if event.pending == 1 else f"{event.pending} runs"
                return f"the window is closed: {runs} of {event.campaign} left"
            case StartFailed():
                return event.message


@dataclasses.dataclass(frozen=True)
class _Countdown:
    lines: ScheduleLines
    event: StartAwaited

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.lines._line(self.event))


def wall_clock(moment: datetime, zone: tzinfo) -> str:
    """A moment as a clock on the wall shows it, with the name of its time."""
    shown = moment.astimezone(zone)
    return f"{shown:%Y-%m-%d %H:%M:%S %Z}" if shown.second else f"{shown:%Y-%m-%d %H:%M %Z}"


def countdown(seconds: float) -> str:
    """How long it is until then, in the two units that say most."""
    left = max(0, round(seconds))
    days, hours, minutes = left // 86_400, left // 3600 % 24, left // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left % 60} s" if minutes else f"{left} s"
