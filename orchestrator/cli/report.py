"""``orchestrate report``: what a campaign tells, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.answers import estimated_option, group_by_option, pool_option, suspect_option, where_option
from orchestrator.cli.options import project_option
from orchestrator.errors import EXIT_DONE

if TYPE_CHECKING:
    from orchestrator.report.writing import Form


@click.command("report", short_help="Write what a campaign tells as one HTML file, or as Markdown.")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write it; - for standard output. [default: report.html or report.md beside the results]",
)
@click.option(
    "form",
    "--format",
    type=click.Choice(["html", "markdown"]),
    help="[default: as the file's name ends, else html]",
)
@click.option("--chart", metavar="FILE", help="Draw the main chart too, into a .png or .svg file.")
@click.option(
    "--metric", metavar="QUANTITY", help="What to rank by. [default: energy_per_output_token_j, where measured]"
)
@group_by_option
@where_option
@suspect_option
@estimated_option
@pool_option
@project_option
def command(
    name: str,
    output: str | None,
    form: Form | None,
    chart: str | None,
    metric: str | None,
    group_by: tuple[str, ...],
    where: tuple[str, ...],
    suspect: bool,
    estimated: bool,
    pool_environments: bool,
    project_dir: str | None,
) -> int:
    """Write what the campaign NAME tells: one self-contained HTML file, or Markdown.

    It says which configuration is best and how surely, what cannot be told apart, at what latency, and what it rests
    on. The file needs no network and asks for none.
    """
    from orchestrator.analysis.groups import Choice
    from orchestrator.cli.console import near
    from orchestrator.execution.campaigns import existing
    from orchestrator.report.answers import Asked, answers_of
    from orchestrator.report.writing import NAMES, check_picture, form_of, rendered, write_picture, write_report
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    asked = Asked(metric, group_by, where, Choice(suspect, estimated, pool_environments))
    picture = Path(chart) if chart is not None else None
    if output == "-":
        if picture is not None:
            check_picture(picture)
        answers = answers_of(name, asked, project=project)
        if picture is not None:
            write_picture(answers, picture)
        click.echo(rendered(answers, form_of(form, None), picture=picture), nl=False)
        return EXIT_DONE
    target = Path(output) if output is not None else existing(project, name) / NAMES[form_of(form, None)]
    write_report(name, target, asked, form=form, picture=picture, project=project)
    if picture is not None:
        click.echo(f"Chart: {near(picture)}")
    click.echo(f"Report: {near(target)} ({_size(target.stat().st_size)})")
    return EXIT_DONE


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 2**20 else f"{max(size_bytes / 2**10, 1):.0f} KiB"
