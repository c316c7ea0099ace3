"""``orchestrate best``."""

from __future__ import annotations

from typing import Literal

import click

from orchestrator.cli.answers import estimated_option, group_by_option, pool_option, suspect_option, where_option
from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, InputError

DEFAULT = "energy_per_output_token_j"


@click.command("best", short_help="Say which configuration is best, and which may be as good.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--minimize", metavar="QUANTITY", help=f"Find the one that has least of it. [default: {DEFAULT}]")
@click.option("--maximize", metavar="QUANTITY", help="Find the one that has most of it.")
@where_option
@group_by_option
@click.option("--effects", is_flag=True, help="Show what each parameter does, the others held even.")
@suspect_option
@estimated_option
@pool_option
@json_option
@project_option
def command(
    names: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    where: tuple[str, ...],
    group_by: tuple[str, ...],
    effects: bool,
    suspect: bool,
    estimated: bool,
    pool_environments: bool,
    as_json: bool,
    project_dir: str | None,
) -> int:
    """Say which configuration of the campaigns NAME is best in one quantity, how surely, and which may be as good.

    It is corrected for having picked the best of many. Below stands the Pareto front: what no other beats in
    everything that a configuration is chosen by. Names of quantities: docs/reference/quantities.md.
    """
    from orchestrator.analysis.groups import Choice
    from orchestrator.cli.console import print_json, print_lines, print_table
    from orchestrator.report.choosing import Question, choose, chosen_json
    from orchestrator.report.chosen import answer, ranking_table
    from orchestrator.report.effects import effects_table
    from orchestrator.report.front import front_table
    from orchestrator.system.project import find_project

    metric, better = _asked(minimize, maximize)
    choice = Choice(suspect, estimated, pool_environments)
    question = Question(metric, better, where, group_by, effects, choice)
    chosen = choose(find_project(project_dir), names, question)
    for fault in chosen.faults:
        click.echo(f"left out: {fault}", err=True)
    if as_json:
        print_json(chosen_json(chosen))
        return EXIT_DONE
    print_lines(answer(chosen.best))
    if chosen.best.ranking:
        click.echo()
        print_table(ranking_table(chosen.best, chosen.notes))
    if chosen.front:
        click.echo()
        print_table(front_table(chosen.front, chosen.groups))
    for campaign, found in chosen.effects.items():
        click.echo()
        print_table(effects_table(found, chosen.best.metric, campaign, chosen.groups))
    return EXIT_DONE


def _asked(minimize: str | None, maximize: str | None) -> tuple[str, Literal["lower", "higher"]]:
    if minimize and maximize:
        raise InputError("--minimize and --maximize exclude each other", hint="bound the other one: --where")
    return (maximize, "higher") if maximize else (minimize or DEFAULT, "lower")
