"""Which runs an answer rests on: options that commands with answers share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from orchestrator.analysis.groups import Choice


def which_runs(command: Callable[..., int]) -> Callable[..., int]:
    """``--suspect``, ``--estimated`` and ``--pool-environments``; they are handed on as ``choice``."""

    @wraps(command)
    def function(*, suspect: bool, estimated: bool, pool_environments: bool, **given: Any) -> int:
        return command(choice=Choice(suspect, estimated, pool_environments), **given)

    wrapped: Callable[..., int] = click.option(
        "--pool-environments", is_flag=True, help="Put runs of unlike environments into one group."
    )(function)
    wrapped = click.option("--estimated", is_flag=True, help="Let estimated joules count too.")(wrapped)
    return click.option("--suspect", is_flag=True, help="Use runs that a critical check failed of, too.")(wrapped)
