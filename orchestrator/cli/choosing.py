"""Which campaign `resume` goes on with where none is named: the one that is unfinished, or one from a menu."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import click

from orchestrator.cli.asking import can_ask
from orchestrator.cli.console import print_table
from orchestrator.errors import InputError, OrchestratorError
from orchestrator.execution.campaigns import campaign_status, unfinished_campaigns
from orchestrator.manifest.store import Status
from orchestrator.report.tables import Column, Table
from orchestrator.system.project import Project


@dataclass(frozen=True, slots=True)
class _Unfinished:
    name: str
    counts: dict[Status, int] | None
    """None where there is no manifest that tells."""
    last_at: datetime | None


def choose_unfinished(project: Project, *, quiet: bool) -> str | None:
    """The name of a campaign to go on with; None where there is none, or the user wants none.

    Args:
        project: whose campaigns.
        quiet: do not say that there is none.

    Raises:
        InputError: there are several, and nobody can be asked.
    """
    names = unfinished_campaigns(project)
    if not names:
        if not quiet:
            click.echo(f"nothing to resume in {project.results}")
        return None
    if len(names) == 1:
        return names[0]
    if not can_ask():
        raise InputError(
            f"several campaigns are unfinished: {', '.join(names)}", hint="name one: orchestrate resume NAME"
        )
    found = sorted((_seen(name, project) for name in names), key=_age, reverse=True)
    print_table(_menu(found), to_stderr=True)
    return _answer([each.name for each in found])


def _seen(name: str, project: Project) -> _Unfinished:
    try:
        status = campaign_status(name, project=project)
    except OrchestratorError:
        return _Unfinished(name, None, None)
    return _Unfinished(name, status.counts, status.last_at)


def _age(each: _Unfinished) -> tuple[float, str]:
    return (each.last_at.timestamp() if each.last_at else 0.0, each.name)


def _menu(found: list[_Unfinished]) -> Table:
    rows = []
    for number, each in enumerate(found, start=1):
        counts = ["?", "?", "?"]
        if each.counts:
            pending = each.counts[Status.PENDING] + each.counts[Status.RUNNING]
            counts = [str(each.counts[Status.COMPLETED]), str(each.counts[Status.FAILED]), str(pending)]
        last = f"{each.last_at.astimezone():%Y-%m-%d %H:%M}" if each.last_at else "—"
        rows.append([str(number), each.name, *counts, last])
    columns = [Column("", True), Column("campaign"), Column("complete", True), Column("failed", True)]
    return Table("Unfinished campaigns", [*columns, Column("pending", True), Column("last worked on")], rows)


def _answer(names: list[str]) -> str | None:
    """Ask until the answer is a number of the menu, a name in it, or that nothing is wanted."""
    while True:
        said = click.prompt(f"Which one? 1-{len(names)}, or q", err=True).strip()
        if said.lower() in ("q", "quit"):
            return None
        if said in names:
            return str(said)
        if said.isascii() and said.isdecimal() and 1 <= int(said[:9]) <= len(names):
            return names[int(said[:9]) - 1]
        click.echo(f"{said!r} is none of them", err=True)
