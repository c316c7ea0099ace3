"""``orchestrate campaign FILE``."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from orchestrator.cli.options import Running, campaign_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, EXIT_WRONG_INPUT, InputError, MachineError
from runners.contract.messages import first_fault


@click.command("campaign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Call the campaign NAME, not as its file does: its results lie apart.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@campaign_options
def command(
    file: Path,
    name: str | None,
    dry_run: bool,
    running: Running,
) -> int:
    """Run the campaign in FILE: every experiment, every cycle; go on with it if it was begun before.

    Ends with a table of results. Exits with 0 when all runs are complete, with 1 when some failed.
    """
    from orchestrator.campaign.load import load_campaign
    from orchestrator.cli import dry_run as dry
    from orchestrator.cli.consent import agreed, chosen, consented, heeded
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import campaigns, run_campaign
    from orchestrator.execution.preflight.forecast import Forecast
    from orchestrator.execution.preflight.look import preflight
    from orchestrator.execution.readiness import argument_issues, campaign_issues
    from orchestrator.system.project import find_project

    campaign = load_campaign(file)
    if name:
        try:
            campaign = campaign.renamed(name)
        except ValidationError as error:
            raise InputError(f"--name: {first_fault(error)}") from None
    project = find_project(running.project_dir)
    issues = campaign_issues(campaign)
    if dry_run:
        in_containers = False
        try:
            dispatcher = chosen(campaign, project, running)
            how = f"{dispatcher.dispatching.dispatcher} ({dispatcher.how})"
            in_containers = dispatcher.dispatching.dispatcher == "compose"
            issues += argument_issues(campaign, dispatcher, ask=False)
        except MachineError as error:
            how = f"not here: {error}"
        ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags, keep=False)
        issues += ahead.issues
        dry.show(campaign, ahead, how, issues, excess=ahead.excess(project.config), as_json=running.as_json)
        refused = not running.force and any(issue.severity == "error" for issue in issues)
        return EXIT_WRONG_INPUT if refused else EXIT_DONE
    heeded(issues, force=running.force, quiet=running.silent)
    dispatcher, begun = chosen(campaign, project, running), campaign.name in campaigns(project)
    in_containers = dispatcher.dispatching.dispatcher == "compose"
    ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags)
    consented(ahead, project.config, running, begun=begun)
    dispatcher = agreed(dispatcher, yes=running.yes, begun=begun, quiet=running.silent)
    with (
        caught_signals() as interrupts,
        watching(running) as observer,
    ):
        ended = run_campaign(
            campaign,
            project=project,
            dispatcher=dispatcher,
            force=running.force,
            flags=running.flags,
            on_event=Forecast(observer, ahead, project.config),
            should_stop=interrupts.came,
        )
    finish(campaign.name, project, quiet=running.quiet, as_json=running.as_json)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE
