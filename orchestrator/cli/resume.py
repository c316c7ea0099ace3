"""``orchestrate resume [NAME]``."""

from __future__ import annotations

from dataclasses import asdict

import click

from orchestrator.cli.options import Running, campaign_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, InputError, Issue, MachineError

_SHOWN = 200


@click.command("resume")
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would run, and change nothing.")
@click.option(
    "--wipe", is_flag=True, help="Do not finish NAME but forget it: its results are moved aside, with a date."
)
@campaign_options
def command(
    name: str | None,
    dry_run: bool,
    wipe: bool,
    running: Running,
) -> int:
    """Finish the campaign NAME: run what is missing, try again what failed, repeat nothing that is complete.

    NAME may be left out where only one campaign is unfinished; where several are, a menu asks.
    """
    from orchestrator.cli.consent import agreed, chosen, consented, heeded
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import begun_campaign, is_complete, resume
    from orchestrator.execution.preflight.forecast import Forecast
    from orchestrator.execution.preflight.look import preflight
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.results.known_issues import known_issues
    from orchestrator.system.project import find_project

    project = find_project(running.project_dir)
    if wipe:
        from orchestrator.cli.wiping import wipe_campaign

        if name is None:
            raise InputError("--wipe needs the NAME of a campaign", hint="orchestrate resume NAME --wipe")
        wipe_campaign(name, project, running, dry_run=dry_run)
        return EXIT_DONE
    if name is None:
        from orchestrator.cli.choosing import choose_unfinished

        name = choose_unfinished(project, quiet=running.silent)
        if name is None:
            return EXIT_DONE
    if dry_run:
        _show(name, running.project_dir, as_json=running.as_json)
        return EXIT_DONE
    if is_complete(name, project=project):
        if not running.silent:
            click.echo(f"campaign {name} is complete: nothing to run")
        finish(name, project, quiet=running.quiet, as_json=running.as_json)
        return EXIT_DONE
    known_issues(project.folder)
    campaign = begun_campaign(name, project=project)
    heeded(campaign_issues(campaign), force=running.force, quiet=running.silent)
    dispatcher = chosen(campaign, project, running)
    in_containers = dispatcher.dispatching.dispatcher == "compose"
    ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags)
    consented(ahead, project.config, running, begun=True)
    dispatcher = agreed(dispatcher, yes=running.yes, begun=True, quiet=running.silent)
    with (
        caught_signals() as interrupts,
        watching(running) as observer,
    ):
        ended = resume(
            name,
            project=project,
            dispatcher=dispatcher,
            force=running.force,
            flags=running.flags,
            on_event=Forecast(observer, ahead, project.config),
            should_stop=interrupts.came,
        )
    finish(name, project, quiet=running.quiet, as_json=running.as_json)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE


def _show(name: str, project_dir: str | None, *, as_json: bool) -> None:
    from orchestrator.cli.console import print_json
    from orchestrator.execution.campaigns import begun_campaign, dispatcher_for, runs_to_resume
    from orchestrator.execution.readiness import argument_issues, campaign_issues
    from orchestrator.report.counting import counted
    from orchestrator.system.project import find_project
    from runners.contract.paths import run_id

    project = find_project(project_dir)
    rows, mended = runs_to_resume(name, project=project)
    campaign = begun_campaign(name, project=project)
    issues = campaign_issues(campaign)
    try:
        issues += argument_issues(campaign, dispatcher_for(campaign, project), ask=False)
    except MachineError as error:
        issues.append(Issue(f"it cannot be run here: {error}", hint=error.hint, severity="warning"))
    if as_json:
        runs = [{"run_id": run_id(row.experiment_id, row.cycle), "status": row.status} for row in rows]
        print_json({"campaign": name, "to_run": runs, "to_mend": mended, "issues": [asdict(issue) for issue in issues]})
        return
    click.echo(f"campaign {name}: {counted(len(rows), 'run')} left")
    for issue in issues:
        click.echo(f"{issue.severity}: {issue.describe(None)}")
    for line in mended:
        click.echo(f"to mend: {line}")
    for row in rows[:_SHOWN]:
        why = f" ({row.failure_kind})" if row.failure_kind else ""
        click.echo(f"  {row.status:<8} {run_id(row.experiment_id, row.cycle)}{why}")
    if len(rows) > _SHOWN:
        click.echo(f"  … and {len(rows) - _SHOWN:,} more (all of them: --json)")
