"""commands.md: what ``--help`` of each command says."""

from __future__ import annotations

from collections.abc import Iterator

import click

from orchestrator.cli import COMMANDS, cli, load_command


def commands() -> Iterator[str]:
    """The page."""
    yield "# Commands\n"
    yield "Exit codes: 0 done; 1 finished, but runs failed; 2 the campaign file, the arguments or the user config are"
    yield "wrong; 3 something the machine should have is missing; 4 in use by another orchestrator; 70 a fault of ours;"
    yield "130 and 143 interrupted. Those of a runner: [failures](failures.md).\n"
    yield from help_of(cli, "orchestrate")
    for name in COMMANDS:
        command = load_command(name)
        yield from help_of(command, f"orchestrate {name}")
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                yield from help_of(inner, f"orchestrate {name} {inner.name}")


def help_of(command: click.Command, name: str) -> Iterator[str]:
    """One command's help as a section."""
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
