"""What a schedule does, in lines; on a terminal the time until the next start runs down."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from orchestrator.cli.console.json_lines import print_event
from orchestrator.cli.console.terminal import can_move, fitted, new_console
from orchestrator.cli.options import Running
from orchestrator.execution.scheduling import (
    ScheduleEvent,
    ScheduleObserver,
    StartAwaited,
    StartedLate,
    StartFailed,
    StartsMissed,
    WindowClosed,
)


class ScheduleLines(ScheduleObserver):
    """Shows what a schedule does, as a command was asked to."""

    def __init__(self, running: Running, zone: tzinfo) -> None:
        self._running = running
        self._zone = zone
        self._console = new_console()

    def show(self, event: ScheduleEvent) -> None:
        """Print what happened."""
        if self._running.as_json:
            print_event(event)
        elif isinstance(event, StartFailed):
            click.echo(f"error: {event.message}", err=True)
            click.echo(f"hint: {event.hint or f'`orchestrate resume {event.campaign}`'}", err=True)
        elif not self._running.quiet and not (isinstance(event, StartAwaited) and self._live):
            click.echo(_line(event, self._zone))

    def awaiting(self, event: StartAwaited) -> AbstractContextManager[object]:
        """Let the time run down, where there is a terminal to show it."""
        if not self._live:
            return nullcontext()
        return Live(_Countdown(event, self._zone), console=self._console, refresh_per_second=2, transient=True)

    @property
    def _live(self) -> bool:
        return not self._running.silent and can_move(self._console)


@dataclass(frozen=True, slots=True)
class _Countdown:
    event: StartAwaited
    zone: tzinfo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(fitted(_line(self.event, self.zone), max(1, options.max_width - 1)))


def _line(event: ScheduleEvent, zone: tzinfo) -> str:
    match event:
        case StartAwaited():
            left = (event.at - datetime.now(UTC)).total_seconds()
            what = f"{event.campaign} goes on" if event.goes_on else "next start"
            return f"{what}: {wall_clock(event.at, zone)}, in {countdown(left)}"
        case StartsMissed():
            until = f" to {wall_clock(event.last, zone)}" if event.last > event.first else ""
            return f"missed, and not made up for: {wall_clock(event.first, zone)}{until}"
        case StartedLate():
            return f"late: {event.campaign} should have started at {wall_clock(event.at, zone)}"
        case WindowClosed():
            runs = "1 run" if event.pending == 1 else f"{event.pending} runs"
            return f"the window is closed: {runs} of {event.campaign} left"
        case StartFailed():
            return event.message


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
