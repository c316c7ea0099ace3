"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
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


def running_options(function: _F) -> _F:
    """What every command that runs something takes."""
    function = click.option(
        "-y", "--yes", is_flag=True, help="Answer yes: build missing images, use persistent containers."
    )(function)
    function = click.option(
        "--force",
        is_flag=True,
        help="Run it in spite of errors found beforehand: too few GPUs, arguments that an engine does not know.",
    )(function)
    function = click.option(
        "--container-strategy",
        type=click.Choice(get_args(ContainerStrategy)),
        help="A container for each run, or one for all runs of a backend. [default: user config, else ephemeral]",
    )(function)
    function = click.option(
        "--dispatch",
        type=click.Choice(get_args(DispatcherName)),
        help="Run as subprocesses here, or in containers. [default: user config, else local where the one engine"
        " is installed, else compose]",
    )(function)
    function = click.option("-v", "--verbose", is_flag=True, help="Show each phase of each run.")(function)
    function = click.option("-q", "--quiet", is_flag=True, help="Show errors only.")(function)
    function = json_option(function)
    return project_option(function)
