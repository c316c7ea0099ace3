"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, get_args

import click

from orchestrator.campaign.schema import ContainerStrategy, DispatcherName

_F = TypeVar("_F", bound=Callable[..., Any])


def project_option(function: _F) -> _F:
    """``--project-dir``."""
    return click.option(
        "--project-dir",
        metavar="DIR",
        help="Folder that holds results/ and .state/. [default: ORCHESTRATE_HOME, else found upwards from here]",
    )(function)


def json_option(function: _F) -> _F:
    """``--json``."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON, for machines.")(function)


@dataclass(frozen=True, slots=True)
class Running:
    """How a command runs what it runs: the flags that all such commands share."""

    project_dir: str | None
    dispatch: DispatcherName | None
    container_strategy: ContainerStrategy | None
    force: bool
    yes: bool
    quiet: bool
    verbose: bool
    as_json: bool
    gap_experiment_s: float | None = None
    gap_cycle_s: float | None = None

    @property
    def flags(self) -> dict[str, dict[str, Any]]:
        """The settings that were given as flags, by section."""
        gaps = {"experiment_s": self.gap_experiment_s, "cycle_s": self.gap_cycle_s}
        return {"gaps": {name: seconds for name, seconds in gaps.items() if seconds is not None}}

    @property
    def silent(self) -> bool:
        """Whether nothing but results and errors is to be said to a person."""
        return self.quiet or self.as_json


def campaign_options(command: Callable[..., int]) -> Callable[..., int]:
    """What every command that runs campaigns takes; it is handed on as ``running``."""
    wrapped: Callable[..., int] = click.option(
        "gap_cycle_s",
        "--gap-cycle",
        type=click.FloatRange(0, 86_400),
        metavar="SECONDS",
        help="Pause before each cycle but the first. [default: campaign file, else user config, else 0]",
    )(running_options(command))
    return click.option(
        "gap_experiment_s",
        "--gap-experiment",
        type=click.FloatRange(0, 86_400),
        metavar="SECONDS",
        help="Pause before each run but the first. [default: campaign file, else user config, else 0]",
    )(wrapped)


def running_options(command: Callable[..., int]) -> Callable[..., int]:
    """What every command that runs something takes; it is handed on as ``running``."""

    @wraps(command)
    def function(**given: Any) -> int:
        names = Running.__dataclass_fields__
        shared = Running(**{name: value for name, value in given.items() if name in names})
        return command(running=shared, **{name: value for name, value in given.items() if name not in names})

    wrapped: Callable[..., int] = click.option(
        "-y",
        "--yes",
        is_flag=True,
        help="Answer yes: start what is long or large, build missing images, use persistent containers.",
    )(function)
    wrapped = click.option(
        "--force",
        is_flag=True,
        help="Run it in spite of errors found beforehand: too few GPUs, arguments that an engine does not know.",
    )(wrapped)
    wrapped = click.option(
        "--container-strategy",
        type=click.Choice(get_args(ContainerStrategy)),
        help="A container for each run, or one for all runs of a backend. [default: user config, else ephemeral]",
    )(wrapped)
    wrapped = click.option(
        "--dispatch",
        type=click.Choice(get_args(DispatcherName)),
        help="Run as subprocesses here, or in containers. [default: user config, else local where the one engine"
        " is installed, else compose]",
    )(wrapped)
    wrapped = click.option("-v", "--verbose", is_flag=True, help="Show each phase of each run.")(wrapped)
    wrapped = click.option("-q", "--quiet", is_flag=True, help="Show errors only.")(wrapped)
    wrapped = json_option(wrapped)
    return project_option(wrapped)
