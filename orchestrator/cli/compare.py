"""``orchestrate compare``."""

from __future__ import annotations

import click

from orchestrator.cli.answers import (
    estimated_option,
    group_by_option,
    metric_option,
    pool_option,
    suspect_option,
    where_option,
)
from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE


@click.command("compare", short_help="Say how campaigns, groups or experiments differ, and how surely.")
@click.argument("operands", metavar="A [B]...", nargs=-1, required=True)
@metric_option
@group_by_option
@click.option(
    "--against",
    metavar="GROUP",
    help="Of one campaign, the group that the others are held against: its label, or part of it. [default: the first]",
)
@where_option
@click.option(
    "--per",
    type=click.FloatRange(0, min_open=True),
    default=1e6,
    metavar="NUMBER",
    help="Tell joules, money and CO2e for so many output tokens. [default: 1,000,000]",
)
@click.option("--price-per-kwh", type=click.FloatRange(0), metavar="NUMBER", help="Tell money too: what a kWh costs.")
@click.option("--currency", default="", metavar="NAME", help="What that price is in, such as EUR.")
@click.option(
    "--grid-gco2e-per-kwh",
    type=click.FloatRange(0),
    metavar="NUMBER",
    help="Tell CO2e too: the grams that a kWh of your grid stands for.",
)
@suspect_option
@estimated_option
@pool_option
@json_option
@project_option
def command(
    operands: tuple[str, ...],
    metric: tuple[str, ...],
    group_by: tuple[str, ...],
    against: str | None,
    where: tuple[str, ...],
    per: float,
    price_per_kwh: float | None,
    currency: str,
    grid_gco2e_per_kwh: float | None,
    suspect: bool,
    estimated: bool,
    pool_environments: bool,
    as_json: bool,
    project_dir: str | None,
) -> int:
    """Say how B differs from A: the ratio with its interval, how surely, and what that comes to.

    A and B are NAME, a campaign; NAME:PART, an experiment by a part of its id; or NAME:param=value,param=value, the
    runs that have these values. Two campaigns are compared experiment by experiment, or group by group with
    --group-by; one alone, each of its groups with the first. Names of quantities: docs/reference/quantities.md.
    """
    from orchestrator.analysis.groups import Choice
    from orchestrator.cli.console import print_json, print_lines, print_table
    from orchestrator.report.compared import answer, comparison_tables, cost_table
    from orchestrator.report.compared_json import compared_json
    from orchestrator.report.comparing import compare
    from orchestrator.report.costs import Prices
    from orchestrator.system.project import find_project

    compared = compare(
        *operands,
        metrics=metric,
        by=group_by,
        against=against,
        where=where,
        prices=Prices(per, price_per_kwh, currency, grid_gco2e_per_kwh),
        choice=Choice(suspect, estimated, pool_environments),
        project=find_project(project_dir),
    )
    for fault in compared.faults:
        click.echo(f"left out: {fault}", err=True)
    if as_json:
        print_json(compared_json(compared))
        return EXIT_DONE
    print_lines(f"{side}: {name}" for side, name in _sides(compared.pairs.title_a, compared.pairs.title_b))
    print_lines(answer(compared))
    for table in [*comparison_tables(compared), *filter(None, [cost_table(compared)])]:
        click.echo()
        print_table(table)
    return EXIT_DONE


def _sides(a: str, b: str) -> list[tuple[str, str]]:
    return [("A", a), ("B", b or "each of the others")]
