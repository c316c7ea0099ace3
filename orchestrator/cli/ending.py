"""What a campaign ends with on the screen: its table, and where to look further."""

from __future__ import annotations

import click

from orchestrator.cli.console import print_table
from orchestrator.errors import InputError
from orchestrator.execution.campaigns import campaign_runs, campaign_status, existing
from orchestrator.manifest.store import Status
from orchestrator.report.engine_messages import message_notes
from orchestrator.report.failed import failed_runs
from orchestrator.report.tables import summary
from orchestrator.results.known_issues import KnownIssue, known_issues
from orchestrator.results.reading import readable_results
from orchestrator.system.project import Project


def finish(name: str, project: Project, *, quiet: bool, as_json: bool) -> None:
    """Print the table of a campaign that has ended, and what failed in it."""
    if quiet or as_json:
        return
    results, faults = readable_results(existing(project, name))
    issues: list[KnownIssue] = []
    try:
        issues = known_issues(project.folder)
    except InputError as error:  # changed for the worse while the campaign ran
        click.echo(f"messages and failures are not held against known issues: {error}", err=True)
    if results:
        click.echo()
        print_table(summary(name, results, message_notes(results, issues)))
    for fault in faults:
        click.echo(f"left out: {fault}")
    counts = campaign_status(name, project=project).counts
    failed = counts[Status.FAILED]
    if failed:
        print_table(failed_runs(name, campaign_runs(name, project=project, status=Status.FAILED), issues))
        click.echo(f"{failed} of {sum(counts.values())} runs failed; `orchestrate resume {name}` tries them again.")
    click.echo(f"Each run: orchestrate results list {name}")
