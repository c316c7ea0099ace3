"""``orchestrate simulate-gpu -- COMMAND``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import project_option
from orchestrator.errors import EXIT_DONE, InputError

if TYPE_CHECKING:
    from orchestrator.system.simulated_gpu.curves import Curve

_FOLDER = "simulated-gpu"


@click.command("simulate-gpu", context_settings={"allow_interspersed_args": False})
@click.argument("argv", metavar="[-- COMMAND ...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--gpus", type=click.IntRange(1, 64), help="How many.  [default: 1]")
@click.option(
    "--curve",
    metavar="NAME|FILE",
    help="What they draw: square (80 and 600 W), inference (requests with pauses), or a file of steps"
    " DURATION:WATTS in seconds, repeated for ever.  [default: inference]",
)
@click.option("--counter-period-s", type=float, help="How often the energy counter is updated.  [default: 0.1]")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A whole gpus.conf instead: sensors, faults and all. Its times count from now, unless it has an origin_s.",
)
@project_option
def command(
    argv: tuple[str, ...],
    gpus: int | None,
    curve: str | None,
    counter_period_s: float | None,
    config: Path | None,
    project_dir: str | None,
) -> int:
    """Run COMMAND on simulated GPUs: NVML shows them to it and to all that it starts, containers of runs included.

    They play a power curve, so that their true energy is known; they compute nothing. Without COMMAND, prints what a
    shell has to set.

        orchestrate simulate-gpu -- orchestrate doctor
    """
    import os
    import shlex
    from dataclasses import replace

    from orchestrator.system.simulated_gpu.build import build_text, environment
    from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation, render, uuid_of

    if config is None:
        one = SimulatedGpu(curve=_curve(curve or "inference"))
        if counter_period_s is not None:
            one = replace(one, counter_period_s=counter_period_s)
        simulation = Simulation(tuple(replace(one, uuid=uuid_of(index)) for index in range(gpus or 1)))
        # From the machine's start on: the same GPUs for all that ask for such.
        text, source = render(simulation, origin_s=0.0), f"{gpus or 1} × {one.name}"
    elif (gpus, curve, counter_period_s) != (None, None, None):
        raise InputError("--config says everything", hint="leave --gpus, --curve and --counter-period-s out")
    else:
        text, source = _with_origin(_read(config)), str(config)
    folder = build_text(_parent(project_dir), text, source)
    variables = environment(folder, os.environ)
    click.echo(f"simulated GPU: {source}; what it draws is made up", err=True)
    if not argv:
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        return EXIT_DONE
    try:
        os.execvpe(argv[0], argv, {**os.environ, **variables})
    except OSError as error:
        raise InputError(f"{argv[0]} cannot be started: {error.strerror}") from None


def _curve(wanted: str) -> Curve:
    from orchestrator.system.simulated_gpu.curves import BUILT_IN, parse_curve

    if wanted in BUILT_IN:
        return BUILT_IN[wanted]()
    try:
        return parse_curve(_read(Path(wanted)).splitlines())
    except InputError as error:
        raise InputError(f"--curve {wanted}: {error}", hint=error.hint or f"built in: {', '.join(BUILT_IN)}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file") from None


def _with_origin(text: str) -> str:
    import time

    if any(line.split()[:1] == ["origin_s"] for line in text.splitlines()):
        return text
    return f"{text.rstrip()}\norigin_s {time.monotonic()!r}\n"


def _parent(project_dir: str | None) -> Path:
    """Where simulated GPUs are kept: in the project, whose folder containers can be given; else in the user's cache."""
    import os

    from orchestrator.system.project import find_project, is_project

    project = find_project(project_dir)
    if project_dir or is_project(project.folder):
        project.prepare()
        return project.state / _FOLDER
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "orchestrate" / _FOLDER
