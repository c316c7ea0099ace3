"""``orchestrate results list|show|recompute``."""

from __future__ import annotations

import click

from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED


@click.group("results")
def command() -> None:
    """List and show the results of campaigns."""


@command.command("list", short_help="List every complete run of a campaign.")
@click.argument("name")
@json_option
@project_option
def list_runs(name: str, as_json: bool, project_dir: str | None) -> int:
    """List every complete run of the campaign NAME (or of `adhoc`, the single runs).

    Those that are no longer in the campaign's file, since it changed, are marked as retired.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.execution.campaigns import existing
    from orchestrator.execution.changes import retired
    from orchestrator.report.tables import run_list
    from orchestrator.results.folders import CampaignFolder
    from orchestrator.results.reading import readable_results
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    folder = existing(project, name)
    results, faults = readable_results(folder)
    gone = retired(CampaignFolder(folder))
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
        return EXIT_DONE
    if not results and not faults:
        click.echo(f"campaign {name} has no complete run yet; `orchestrate status {name}` shows where it stands")
        return EXIT_DONE
    print_table(run_list(name, results, gone))
    click.echo("One run in full: orchestrate results show RUN")
    return EXIT_DONE


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
