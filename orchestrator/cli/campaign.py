"""``orchestrate campaign FILE``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import running_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED


@click.command("campaign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@running_options
def command(
    file: Path,
    dry_run: bool,
    project_dir: str | None,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Run the campaign in FILE: every experiment, every cycle; go on with it if it was begun before.

    Ends with a table of results. Exits with 0 when all runs are complete, with 1 when some failed.
    """
    from orchestrator.campaign.load import load_campaign
    from orchestrator.cli import dry_run as dry
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import run_campaign
    from orchestrator.system.project import find_project

    campaign = load_campaign(file)
    project = find_project(project_dir)
    if dry_run:
        dry.show(campaign, project, as_json=as_json)
        return EXIT_DONE
    with caught_signals() as interrupts, watching(quiet=quiet, verbose=verbose, as_json=as_json) as observer:
        ended = run_campaign(campaign, project=project, on_event=observer, should_stop=interrupts.came)
    finish(campaign.name, project, quiet=quiet, as_json=as_json)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE
