"""Options that commands share which answer from results: which runs, which groups, which figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def where_option(function: _F) -> _F:
    """``--where``, handed on as ``where``."""
    return click.option(
        "--where",
        multiple=True,
        metavar="CONDITION",
        help="Only what meets it, such as 'ttft_s.p95 < 0.5' or 'dtype = bfloat16'; may be repeated. Groups are held"
        " against conditions on figures by their medians.",
    )(function)


def group_by_option(function: _F) -> _F:
    """``--group-by``, handed on as ``group_by``."""
    return click.option(
        "--group-by",
        multiple=True,
        metavar="NAME",
        help="Put runs together by a parameter or another column, such as vllm.max_num_seqs, or what is unique of its"
        " name; may be repeated.",
    )(function)


def metric_option(function: _F) -> _F:
    """``--metric``, handed on as ``metric``."""
    return click.option(
        "--metric", multiple=True, metavar="NAME", help="A quantity to show, such as ttft_s.p95; may be repeated."
    )(function)


def suspect_option(function: _F) -> _F:
    """``--suspect``."""
    return click.option("--suspect", is_flag=True, help="Count runs too that a critical check failed of.")(function)


def estimated_option(function: _F) -> _F:
    """``--estimated``."""
    return click.option("--estimated", is_flag=True, help="Rank by estimated joules too.")(function)


def pool_option(function: _F) -> _F:
    """``--pool-environments``, handed on as ``pool_environments``."""
    return click.option("--pool-environments", is_flag=True, help="Put runs of unlike environments into one group.")(
        function
    )
