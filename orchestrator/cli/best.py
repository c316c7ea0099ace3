"""``orchestrate best``."""

from __future__ import annotations

import click

from orchestrator.analysis.groups import Choice
from orchestrator.cli.options import json_option, project_option
from orchestrator.cli.which_runs import which_runs
from orchestrator.errors import EXIT_DONE, InputError
from runners.contract.quantities import Better

DEFAULT = "energy_per_output_token_j"


@click.command("best", short_help="Say which configuration is best, and which may be as good.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--minimize", metavar="QUANTITY", help=f"Find the one that has least of it. [default: {DEFAULT}]")
@click.option("--maximize", metavar="QUANTITY", help="Find the one that has most of it.")
@click.option(
    "--where",
    metavar="CONDITION",
    multiple=True,
    help="What a candidate has to meet: 'ttft_s.p95 < 0.5', in the unit that the name ends with, or 'dtype = bfloat16'."
    " May be given several times.",
)
@click.option(
    "--group-by",
    metavar="COLUMN",
    multiple=True,
    help="Choose among the values of a parameter, such as vllm.max_num_seqs or backend, not among experiments. May be"
    " given several times.",
)
@click.option("--effects", is_flag=True, help="Show what each parameter does, the others held even.")
@which_runs
@json_option
@project_option
def command(
    names: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    where: tuple[str, ...],
    group_by: tuple[str, ...],
    effects: bool,
    choice: Choice,
    as_json: bool,
    project_dir: str | None,
) -> int:
    """Say which configuration of the campaigns NAME is best in one quantity, how surely, and which may be as good.

    It is corrected for having picked the best of many. Below stands the Pareto front: what no other beats in
    everything that a configuration is chosen by. Names of quantities: docs/reference/quantities.md.
    """
    from orchestrator.cli.console import print_json, print_lines, print_table
    from orchestrator.report.chosen import answer, effects_table, front_table, ranking_table
    from orchestrator.report.choosing import Question, choose, chosen_json
    from orchestrator.system.project import find_project

    metric, better = _asked(minimize, maximize)
    question = Question(metric, better, where, group_by, effects, choice)
    chosen = choose(find_project(project_dir), names, question)
    for fault in chosen.faults:
        click.echo(f"left out: {fault}", err=True)
    if as_json:
        print_json(chosen_json(chosen))
        return EXIT_DONE
    print_lines([*answer(chosen.best), ""])
    if chosen.best.ranking:
        print_table(ranking_table(chosen.best, chosen.notes))
    if chosen.front:
        print_lines([""])
        print_table(front_table(chosen.front))
    for campaign, found in chosen.effects.items():
        print_lines([""])
        print_table(effects_table(found, metric, campaign))
    return EXIT_DONE


def _asked(minimize: str | None, maximize: str | None) -> tuple[str, Better]:
    if minimize and maximize:
        raise InputError("--minimize and --maximize exclude each other", hint="bound the other one: --where")
    return (maximize, "higher") if maximize else (minimize or DEFAULT, "lower")
