"""``orchestrate resume [NAME]``."""

from __future__ import annotations

from dataclasses import asdict

import click

from orchestrator.campaign.schema import ContainerStrategy, DispatcherName
from orchestrator.cli.options import running_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, InputError


@click.command("resume")
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would run, and change nothing.")
@running_options
def command(
    name: str | None,
    dry_run: bool,
    project_dir: str | None,
    dispatch: DispatcherName | None,
    container_strategy: ContainerStrategy | None,
    force: bool,
    yes: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Finish the campaign NAME: run what is missing, try again what failed, repeat nothing that is complete.

    NAME may be left out where only one campaign is unfinished.
    """
    from orchestrator.cli.consent import agreed, heeded
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import begun_campaign, dispatcher_for, resume, unfinished_campaigns
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    if name is None:
        unfinished = unfinished_campaigns(project)
        if not unfinished:
            click.echo(f"nothing to resume in {project.results}")
            return EXIT_DONE
        if len(unfinished) > 1:
            raise InputError(
                f"several campaigns are unfinished: {', '.join(unfinished)}", hint="name one: orchestrate resume NAME"
            )
        name = unfinished[0]
    if dry_run:
        _show(name, project_dir, as_json=as_json)
        return EXIT_DONE
    campaign = begun_campaign(name, project=project)
    heeded(campaign_issues(campaign), force=force, quiet=quiet or as_json)
    dispatcher = agreed(
        dispatcher_for(campaign, project, dispatch, container_strategy), yes=yes, begun=True, quiet=quiet or as_json
    )
    with caught_signals() as interrupts, watching(quiet=quiet, verbose=verbose, as_json=as_json) as observer:
        ended = resume(
            name,
            project=project,
            dispatcher=dispatcher,
            force=force,
            on_event=observer,
            should_stop=interrupts.came,
        )
    finish(name, project, quiet=quiet, as_json=as_json)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE


def _show(name: str, project_dir: str | None, *, as_json: bool) -> None:
    from orchestrator.cli.console import print_json
    from orchestrator.execution.campaigns import begun_campaign, runs_to_resume
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.system.project import find_project
    from runners.contract.paths import run_id

    project = find_project(project_dir)
    rows, mended = runs_to_resume(name, project=project)
    issues = campaign_issues(begun_campaign(name, project=project))
    if as_json:
        runs = [{"run_id": run_id(row.experiment_id, row.cycle), "status": row.status} for row in rows]
        print_json({"campaign": name, "to_run": runs, "to_mend": mended, "issues": [asdict(issue) for issue in issues]})
        return
    click.echo(f"campaign {name}: {len(rows)} runs left")
    for issue in issues:
        click.echo(f"{issue.severity}: {issue.describe(None)}")
    for line in mended:
        click.echo(f"to mend: {line}")
    for row in rows:
        why = f" ({row.failure_kind})" if row.failure_kind else ""
        click.echo(f"  {row.status:<8} {run_id(row.experiment_id, row.cycle)}{why}")
