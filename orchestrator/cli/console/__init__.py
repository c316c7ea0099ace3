"""All drawing: tables, live progress, plain lines, JSON lines. The only package that imports rich."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.cli.console.json_lines import print_event, print_json, print_json_list
from orchestrator.cli.console.live import LiveLines
from orchestrator.cli.console.schedule import ScheduleLines, wall_clock
from orchestrator.cli.console.tables import print_lines, print_table
from orchestrator.cli.console.terminal import can_move, new_console
from orchestrator.cli.console.words import PlainLines, near, print_failures, tries
from orchestrator.cli.options import Running
from orchestrator.execution.events import Observer

__all__ = [
    "ScheduleLines",
    "near",
    "print_event",
    "print_json",
    "print_json_list",
    "print_lines",
    "print_table",
    "tries",
    "wall_clock",
    "watching",
]


@contextmanager
def watching(running: Running) -> Iterator[Observer]:
    """An observer that shows events: live on a terminal, as plain lines off one, or as JSON lines."""
    if running.as_json:
        yield print_event
    elif running.quiet:
        yield print_failures
    else:
        console = new_console()
        if can_move(console):
            with LiveLines(console, verbose=running.verbose) as lines:
                yield lines.show
        else:
            yield PlainLines(verbose=running.verbose).show
