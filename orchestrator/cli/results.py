"""``orchestrate results list|export|show|recompute``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.answers import group_by_option, metric_option, pool_option, suspect_option, where_option
from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, InputError

if TYPE_CHECKING:
    from orchestrator.analysis.conditions import Condition
    from orchestrator.results.table import RunTable


@click.group("results")
def command() -> None:
    """List, sum up, export and show the results of campaigns."""


@command.command("list", short_help="List the runs of a campaign, or sum up groups of them.")
@click.argument("name")
@group_by_option
@where_option
@metric_option
@suspect_option
@pool_option
@json_option
@project_option
def list_runs(
    name: str,
    group_by: tuple[str, ...],
    where: tuple[str, ...],
    metric: tuple[str, ...],
    suspect: bool,
    pool_environments: bool,
    as_json: bool,
    project_dir: str | None,
) -> int:
    """List every complete run of the campaign NAME (or of `adhoc`, the single runs), or sum up groups of them.

    With --group-by (experiment_id for every experiment) each group has its mean, median and typical value, the
    interval that this lies in and how that was found, the spread between cycles, and what was left out and why.

    Runs that are no longer in the campaign's file, since it changed, are marked as retired, and in no group.
    """
    from orchestrator.analysis.conditions import parse_condition, runs_meeting
    from orchestrator.cli.console import print_json_list, print_table
    from orchestrator.report.counting import some_of
    from orchestrator.report.loading import load_table, results_of
    from orchestrator.report.runs import run_list
    from orchestrator.results.columns import metric_named
    from orchestrator.system.project import find_project

    metrics, conditions = list(map(metric_named, metric)), list(map(parse_condition, where))
    if (suspect or pool_environments) and not group_by:
        raise InputError("--suspect and --pool-environments are about groups", hint="say which: --group-by NAME")
    table = load_table(name, project=find_project(project_dir))
    for fault in table.faults:
        click.echo(f"left out: {fault}", err=True)
    if group_by:
        _list_groups(table, group_by, conditions, metrics, suspect, pool_environments, as_json)
        return EXIT_DONE
    some = runs_meeting(table, conditions)
    if as_json:
        print_json_list(results_of(some))
        return EXIT_DONE
    if table.frame.empty and not table.faults:
        click.echo(f"campaign {name} has no complete run yet; `orchestrate status {name}` shows where it stands")
        return EXIT_DONE
    if len(some.frame) or not conditions:
        print_table(run_list(some, metrics))
    if conditions:
        runs = some_of(len(some.frame), len(table.frame), "run")
        click.echo(f"{runs} {'meets' if len(some.frame) == 1 else 'meet'} the conditions.")
    click.echo("One run in full: orchestrate results show RUN")
    return EXIT_DONE


@command.command("export", short_help="Write the runs of a campaign, or groups of them, as CSV or parquet.")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, by its ending .csv or .parquet. [default: CSV on standard output]",
)
@group_by_option
@where_option
@metric_option
@suspect_option
@pool_option
@project_option
def export_runs(
    name: str,
    output: Path | None,
    group_by: tuple[str, ...],
    where: tuple[str, ...],
    metric: tuple[str, ...],
    suspect: bool,
    pool_environments: bool,
    project_dir: str | None,
) -> int:
    """Write every complete run of the campaign NAME as a row, or with --group-by every group.

    Figures are in SI units, which CSV names in its heading and parquet in the metadata of its columns. What was not
    measured is empty, never 0.
    """
    from orchestrator.analysis.conditions import parse_condition
    from orchestrator.report.counting import counted
    from orchestrator.report.export import as_csv, exported_groups, exported_runs, write_table
    from orchestrator.report.loading import load_table
    from orchestrator.results.columns import metric_named
    from orchestrator.system.project import find_project

    metrics, conditions = list(map(metric_named, metric)), list(map(parse_condition, where))
    if (suspect or pool_environments) and not group_by:
        raise InputError("--suspect and --pool-environments are about groups", hint="say which: --group-by NAME")
    table = load_table(name, project=find_project(project_dir))
    for fault in table.faults:
        click.echo(f"left out: {fault}", err=True)
    if group_by:
        from orchestrator.analysis.groups import Choice

        frame = exported_groups(table, group_by, Choice(suspect, pooled=pool_environments), conditions, metrics)
    else:
        frame = exported_runs(table, conditions, metrics)
    if output is None:
        click.echo(as_csv(frame), nl=False, color=True)  # as it is: click would take out what looks like a colour
        return EXIT_DONE
    write_table(frame, output)
    click.echo(f"{counted(len(frame), 'row')}: {output}", err=True)
    return EXIT_DONE


def _list_groups(
    table: RunTable,
    by: tuple[str, ...],
    conditions: list[Condition],
    metrics: list[str],
    suspect: bool,
    pooled: bool,
    as_json: bool,
) -> None:
    import pandas as pd

    from orchestrator.analysis.conditions import groups_meeting
    from orchestrator.analysis.groups import Choice
    from orchestrator.analysis.summary import summarise
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.report.drifting import drift_notes
    from orchestrator.report.grouped import group_document, group_notes, group_table
    from orchestrator.report.notes import columns_of_frame, notes_on
    from orchestrator.report.tables import HEADLINES

    groups = groups_meeting(table, by, Choice(suspect=suspect, pooled=pooled), conditions)
    found = [[summarise(group, metric) for group in groups] for metric in metrics or HEADLINES]
    if as_json:
        print_json(group_document(table.campaign, by, groups, found))
        return
    if not groups:
        click.echo("no group meets the conditions" if len(table.frame) else "there is no complete run yet")
        return
    used = pd.concat([group.frame for group in groups])
    drifts = drift_notes({table.campaign: groups}, metrics or HEADLINES)
    notes = [*drifts, *group_notes(groups, found), *notes_on(columns_of_frame(used))]
    for position, of_metric in enumerate(found):
        last = position == len(found) - 1
        print_table(group_table(table.campaign, of_metric[0].metric, of_metric, notes if last else ()))


@command.command("show")
@click.argument("run")
@json_option
@project_option
def show_run(run: str, as_json: bool, project_dir: str | None) -> int:
    """Show one run in full, what its engine warned of included.

    Messages are held against the issues that are known: ours, and those in issues.yaml in the project's folder. RUN is
    the run's folder, its run_id, or as much of it as is unique, such as 2315b91c.c001.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.report.engine_messages import message_tables, with_known_issues
    from orchestrator.report.loading import find_run
    from orchestrator.report.tables import run_details
    from orchestrator.report.within import latency_tables
    from orchestrator.results.known_issues import known_issues
    from orchestrator.results.reading import load_result, read_host_report
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    folder = find_run(run, project)
    result, issues = load_result(folder), known_issues(project.folder)
    if as_json:
        print_json(with_known_issues(result, issues))
        return EXIT_DONE
    details = [*run_details(result, read_host_report(folder)), *latency_tables(folder, result)]
    for table in [*details, *message_tables(result, issues)]:
        print_table(table)
    click.echo(f"Files: {folder}")
    return EXIT_DONE


@command.command("recompute", short_help="Compute every joule of a run again, and compare.")
@click.argument("run")
@json_option
@project_option
def recompute_run(run: str, as_json: bool, project_dir: str | None) -> int:
    """Compute every joule of a run again from its own files, and say whether the figures agree.

    RUN as for `orchestrate results show`. Exit code 1 where a figure differs or a file was changed.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.report.counting import counted
    from orchestrator.report.loading import find_run
    from orchestrator.report.recomputed import recomputed_tables
    from orchestrator.results.recompute import recompute
    from orchestrator.system.project import find_project

    found = recompute(find_run(run, find_project(project_dir)))
    if as_json:
        print_json(
            {
                "run_id": found.result.run_id,
                "agrees": found.agrees,
                "figures": [{**figure._asdict(), "agrees": figure.agrees} for figure in found.figures],
                "phases": [
                    {**stretch._asdict(), "energy": stretch.energy and stretch.energy._asdict()}
                    for stretch in found.phases
                ],
                "changed_files": found.changed_files,
            }
        )
    else:
        for table in recomputed_tables(found):
            print_table(table)
        differ = sum(not figure.agrees for figure in found.figures)
        click.echo(
            "All figures agree."
            if found.agrees
            else f"{counted(differ, 'figure')} unlike, {counted(len(found.changed_files), 'file')} changed."
        )
    return EXIT_DONE if found.agrees else EXIT_RUNS_FAILED
