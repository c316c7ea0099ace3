"""The command line. Each command is a module of its own, loaded when it is called."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from orchestrator.errors import EXIT_FAULT, EXIT_WRONG_INPUT, DiskError, OrchestratorError
from orchestrator.printable import harmless

COMMANDS = {
    "campaign": "Run a campaign file: every experiment, every cycle.",
    "resume": "Finish a campaign that was interrupted or in which runs failed.",
    "schedule": "Run a campaign file by the clock: at a time, every so often, within a window of the day.",
    "run": "Run one experiment, without a campaign file.",
    "status": "Show where campaigns stand.",
    "results": "List, sum up, export and show the results of campaigns.",
    "report": "Write what a campaign tells as one HTML file, or as Markdown.",
    "compare": "Say how campaigns, groups or experiments differ, and how surely.",
    "best": "Say which configuration is best, how surely, and which may be as good.",
    "notify": "Send a test notice to the webhook that is told when campaigns end.",
    "doctor": "Say what of all that a run may need is here, and what to do about the rest.",
    "config": "Show this machine's GPUs and backends, and the settings that hold; or check and list files.",
    "simulate-gpu": "Run a command on GPUs that are simulated: to try things, and for tests.",
    "init": "Make a folder a project: a first campaign, settings, compose files, images, .env.",
}
"""Each command with its help, so that `orchestrate --help` loads none of them."""


class _ReaderGoneError(Exception):
    """Whoever read our output stopped. click's own answer is exit code 1, which here means that runs failed."""


def load_command(name: str) -> click.Command:
    """One of :data:`COMMANDS`, with its module loaded."""
    command: click.Command = import_module(f"orchestrator.cli.{name.replace('-', '_')}").command
    return command


class _LazyGroup(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGoneError from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return load_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no such command {args[0]!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"orchestrate {version('llm-orchestrate')}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Measure which way of serving a language model spends the fewest joules per token."""


def main() -> None:
    """Run the command line; the one place where errors become messages and exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _exit_code()
    except Exception:  # noqa: BLE001 (a fault of ours: shown whole, under its own exit code)
        import traceback

        traceback.print_exc()
        code = _complain("a fault of orchestrate, not yours", "please report it with the lines above", EXIT_FAULT)
    sys.exit(code)


def _exit_code() -> int:
    try:
        code = cli.main(prog_name="orchestrate", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_WRONG_INPUT
    except DiskError as error:
        return _disk_complaint(error)
    except OrchestratorError as error:
        return _complain(str(error), error.hint, error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", None, 130)
    except _ReaderGoneError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.strerror is None:
            raise
        return _disk_complaint(DiskError.of(error))
    return code if isinstance(code, int) else 0


def _disk_complaint(error: DiskError) -> int:
    """A hint that says to try again names what was typed; a campaign goes on where it stopped then, too."""
    again = "" if error.then else f": `{shlex.join(['orchestrate', *sys.argv[1:]])}`"
    return _complain(str(error), f"{error.hint}{again}", error.exit_code)


def _complain(message: str, hint: str | None, exit_code: int) -> int:
    lines = harmless(message).splitlines() or [""]
    click.echo("\n".join(f"error: {line}" for line in lines), err=True)
    if hint:
        click.echo(f"hint: {harmless(hint)}", err=True)
    return exit_code
