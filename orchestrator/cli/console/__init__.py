"""All drawing: tables, live progress, plain lines, JSON lines. The only package that imports rich.

What only commands that run something need is loaded when it is first used, so that the others start quickly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.cli.console.json_lines import print_event, print_json, print_json_list
from orchestrator.cli.console.tables import print_lines, print_table
from orchestrator.cli.console.terminal import can_move, new_console

if TYPE_CHECKING:
    from orchestrator.cli.console.schedule import ScheduleLines, wall_clock
    from orchestrator.cli.console.words import near, tries
    from orchestrator.cli.options import Running
    from orchestrator.execution.events import Observer

_LATER = {"ScheduleLines": "schedule", "wall_clock": "schedule", "near": "words", "tries": "words"}

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
    from orchestrator.cli.console.live import LiveLines
    from orchestrator.cli.console.words import PlainLines, print_failures

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


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
