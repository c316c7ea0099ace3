"""What a campaign ends with on the screen: its table, and where to look further."""

from __future__ import annotations

import click

from orchestrator.cli.console import print_table
from orchestrator.execution.campaigns import campaign_status
from orchestrator.manifest.store import Status
from orchestrator.report.loading import load_results
from orchestrator.report.tables import summary
from orchestrator.system.project import Project


def finish(name: str, project: Project, *, quiet: bool, as_json: bool) -> None:
    """Print the table of a campaign that has ended, and what failed in it."""
    if quiet or as_json:
        return
    results = load_results(name, project=project)
    if results:
        click.echo()
        print_table(summary(name, results))
    counts = campaign_status(name, project=project).counts
    failed = counts[Status.FAILED]
    if failed:
        click.echo(f"{failed} of {sum(counts.values())} runs failed; `orchestrate resume {name}` tries them again.")
    click.echo(f"Each run: orchestrate results list {name}")
