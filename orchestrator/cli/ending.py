"""What a campaign ends with on the screen: its table, what failed and why, and where to look further."""

from __future__ import annotations

import click

from orchestrator.cli.console import near, print_lines, print_table
from orchestrator.errors import InputError
from orchestrator.execution.campaigns import campaign_runs, campaign_status, existing
from orchestrator.execution.precision import precision_of
from orchestrator.manifest.store import Status
from orchestrator.report.counting import some_of
from orchestrator.report.engine_messages import message_notes
from orchestrator.report.failed import failure_summary
from orchestrator.report.loading import load_table
from orchestrator.report.precision import precision_lines, progress_of
from orchestrator.report.tables import shortened, summary
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.known_issues import KnownIssue, known_issues
from orchestrator.system.project import Project

_MOST_ROWS = 100


def finish(name: str, project: Project, *, quiet: bool, as_json: bool) -> None:
    """Print the table of a campaign that has ended, and what failed in it."""
    if quiet or as_json:
        return
    folder = existing(project, name)
    table = load_table(name, project=project)
    planned = table.frame[~table.frame["retired"].astype(bool)]
    gone = len(table.frame) - len(planned)
    issues: list[KnownIssue] = []
    try:
        issues = known_issues(project.folder)
    except InputError as error:  # changed for the worse while the campaign ran
        click.echo(f"messages and failures are not held against known issues: {error}", err=True)
    if len(planned):
        click.echo()
        print_table(
            shortened(
                summary(table, message_notes(planned["engine_messages"].tolist(), issues)),
                _MOST_ROWS,
                f"experiments: orchestrate results list {name}",
            )
        )
    lines = [f"left out: {fault}" for fault in table.faults]
    if gone:
        lines.append(
            f"{gone:,} complete {'run' if gone == 1 else 'runs'} retired, no longer in the campaign file:"
            " left out of the table"
        )
    status = campaign_status(name, project=project)
    failed = campaign_runs(name, project=project, status=Status.FAILED)
    precision = precision_of(CampaignFolder(folder), project.results_index(name))
    if precision:
        progress = progress_of(precision, campaign_runs(name, project=project))
        lines += precision_lines(name, precision.until, progress)
    lines += failure_summary(name, status.runs, failed, status.recovered, near(folder), issues)
    if failed:
        runs = some_of(len(failed), status.runs, "run")
        lines.append(f"{runs} failed; `orchestrate resume {name}` tries them again.")
    print_lines([*lines, f"Each run: orchestrate results list {name}"])
