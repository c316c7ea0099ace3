"""``orchestrate campaign FILE``."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from orchestrator.campaign.schema import ContainerStrategy, DispatcherName
from orchestrator.cli.options import running_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, EXIT_WRONG_INPUT, InputError, MachineError
from runners.contract.messages import first_fault


@click.command("campaign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Call the campaign NAME, not as its file does: its results lie apart.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@running_options
def command(
    file: Path,
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
    """Run the campaign in FILE: every experiment, every cycle; go on with it if it was begun before.

    Ends with a table of results. Exits with 0 when all runs are complete, with 1 when some failed.
    """
    from orchestrator.campaign.load import load_campaign
    from orchestrator.cli import dry_run as dry
    from orchestrator.cli.consent import agreed, heeded
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import campaigns, dispatcher_for, run_campaign
    from orchestrator.execution.readiness import argument_issues, campaign_issues
    from orchestrator.system.project import find_project

    campaign = load_campaign(file)
    if name:
        try:
            campaign = campaign.renamed(name)
        except ValidationError as error:
            raise InputError(f"--name: {first_fault(error)}") from None
    project = find_project(project_dir)
    issues = campaign_issues(campaign)
    if dry_run:
        try:
            chosen = dispatcher_for(campaign, project, dispatch, container_strategy)
            how = f"{chosen.dispatching.dispatcher} ({chosen.how})"
            issues += argument_issues(campaign, chosen, ask=False)
        except MachineError as error:
            how = f"not here: {error}"
        dry.show(campaign, project, how, issues, as_json=as_json)
        refused = not force and any(issue.severity == "error" for issue in issues)
        return EXIT_WRONG_INPUT if refused else EXIT_DONE
    heeded(issues, force=force, quiet=quiet or as_json)
    dispatcher = agreed(
        dispatcher_for(campaign, project, dispatch, container_strategy),
        yes=yes,
        begun=campaign.name in campaigns(project),
        quiet=quiet or as_json,
    )
    with caught_signals() as interrupts, watching(quiet=quiet, verbose=verbose, as_json=as_json) as observer:
        ended = run_campaign(
            campaign,
            project=project,
            dispatcher=dispatcher,
            force=force,
            on_event=observer,
            should_stop=interrupts.came,
        )
    finish(campaign.name, project, quiet=quiet, as_json=as_json)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE
