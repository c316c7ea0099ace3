"""``orchestrate campaign FILE…``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import Running, campaign_options
from orchestrator.errors import EXIT_WRONG_INPUT, InputError


@click.command("campaign")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Call the campaign NAME, not as its file does: its results lie apart.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@click.option("--resume", "must_exist", is_flag=True, help="Only go on with it: refuse one that was never begun.")
@campaign_options
def command(
    files: tuple[Path, ...],
    name: str | None,
    dry_run: bool,
    must_exist: bool,
    running: Running,
) -> int:
    """Run the campaign in FILE: every experiment, every cycle; go on with it if it was begun before.

    Several files, or a folder of them, are all checked first, then run one after another.

    Ends with a table of results. Exits with 0 when all runs are complete, with 1 when some failed.
    """
    from orchestrator.cli import dry_run as dry
    from orchestrator.cli.several import load_all, run_one, run_several
    from orchestrator.execution.campaigns import campaigns
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.results.known_issues import known_issues
    from orchestrator.system.project import find_project

    loaded = load_all(files, name)
    project = find_project(running.project_dir)
    known_issues(project.folder)
    if must_exist:
        begun = set(campaigns(project))
        new = [campaign.name for campaign in loaded if campaign.name not in begun]
        if new:
            raise InputError(
                f"never begun in {project.results}: {', '.join(new)}", hint="leave --resume out to begin it"
            )
    issues = [campaign_issues(campaign) for campaign in loaded]
    if dry_run:
        refused = dry.show_all(list(zip(loaded, issues, strict=True)), project, running)
        return EXIT_WRONG_INPUT if refused else 0
    if len(loaded) == 1:
        return run_one(loaded[0], issues[0], project, running)
    return run_several(list(zip(loaded, issues, strict=True)), project, running)
