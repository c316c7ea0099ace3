"""``orchestrate resume NAME --wipe``: what it would do, whether that is wanted, and where the results are then."""

from __future__ import annotations

import click

from orchestrator.cli.consent import confirmed
from orchestrator.cli.options import Running
from orchestrator.errors import InputError
from orchestrator.execution.wipe import Wiping, wipe, wiping
from orchestrator.report.counting import counted
from orchestrator.system.project import Project


def wipe_campaign(name: str, project: Project, running: Running, *, dry_run: bool) -> None:
    """Forget a campaign, once that is agreed to.

    Raises:
        InputError: there is no such campaign, or it is not agreed to.
        InUseError: an orchestrator is at work on it.
        MachineError: what is at work of it cannot be stopped.
    """
    from orchestrator.cli.console import print_json

    if dry_run:
        found = wiping(name, project)
        if running.as_json:
            would = {"complete": found.complete, "attempts": found.attempts, "results": found.folder.path}
            print_json({"campaign": name, "would_move": would})
        else:
            click.echo(_about(found))
        return

    def agreed(found: Wiping) -> bool:
        return confirmed("Wipe it?", running.yes, _about(found))

    target = wipe(name, project, agreed)
    if target is None:
        raise InputError(
            f"campaign {name!r} is left as it is", hint=f"agree with --yes: orchestrate resume {name} --wipe --yes"
        )
    if running.as_json:
        print_json({"campaign": name, "moved_to": str(target)})
    elif not running.quiet:
        click.echo(f"campaign {name} is forgotten; its results are in {target}")


def _about(found: Wiping) -> str:
    return (
        f"campaign {found.name}: {counted(found.complete, 'complete run')} and"
        f" {counted(found.attempts, 'other attempt')} in"
        f" {found.folder.path}\nare moved aside, not deleted; its manifest is forgotten, what is still at work stopped"
    )
