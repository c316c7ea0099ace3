"""What the user is told and asked before anything starts: what is odd, may images be built, may containers persist."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.validate import require_sound
from orchestrator.cli.console import print_lines
from orchestrator.cli.interrupts import caught_signals
from orchestrator.cli.options import Running
from orchestrator.dispatch.base import Dispatcher
from orchestrator.errors import InputError, Issue, MachineError
from orchestrator.execution.campaigns import dispatcher_for
from orchestrator.execution.changes import changes_of, require_comparable
from orchestrator.execution.preflight.look import Preflight
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.config import CONFIG_FILE, UserConfig
from orchestrator.system.project import Project


def heeded(issues: Sequence[Issue], *, force: bool, quiet: bool) -> None:
    """Show what is odd about a campaign, unless it is to be refused for it.

    Args:
        issues: what was found.
        force: whether what is wrong is borne.
        quiet: show only what is wrong.

    Raises:
        FileError: something is wrong, and not to be borne.
    """
    if not force:
        require_sound(issues)
    for issue in issues:
        if issue.severity == "error":
            print_lines([f"warning: forced in spite of an error: {issue.describe(None)}"], to_stderr=True)
        elif not quiet:
            print_lines([f"warning: {issue.describe(None)}"], to_stderr=True)


def consented(ahead: Preflight, config: UserConfig, running: Running, *, begun: bool) -> None:
    """Tell what is ahead, and ask where it is much.

    Args:
        ahead: what is known of the campaign.
        config: says from when on it is much.
        running: how the command was called.
        begun: whether the campaign is under way, so that it was agreed to then.

    Raises:
        FileError: something is wrong, and not to be borne.
        InputError: the user does not agree, or cannot be asked.
    """
    heeded([*ahead.issues, *ahead.unfit()], force=running.force, quiet=running.silent)
    if not running.silent:
        print_lines((f"ahead: {line}" for line in ahead.lines()), to_stderr=True)
    much = ahead.excess(config)
    if not much or begun:
        return
    if not confirmed("Start it?", running.yes, "\n".join(f"this is much: {line}" for line in much)):
        raise InputError(
            f"not started: {'; '.join(much)}",
            hint=f"--yes starts it all the same; {CONFIG_FILE} says from when on it is asked",
        )


def chosen(campaign: Campaign, project: Project, running: Running) -> Dispatcher:
    """The dispatcher that serves a campaign, by the flags, else by the user config, else by default."""
    return dispatcher_for(campaign, project, running.dispatch, running.container_strategy)


def agreed(dispatcher: Dispatcher, *, yes: bool, quiet: bool, begun: bool = False) -> Dispatcher:
    """The dispatcher, once the user agrees to what it needs and its images are built.

    Args:
        dispatcher: that is to serve.
        yes: whether the user agreed beforehand.
        quiet: show no progress.
        begun: whether the campaign is under way, so that how its runs are started was agreed to then.

    Raises:
        InputError: the user does not agree, or cannot be asked.
        MachineError: images are missing and may not be built.
    """
    if dispatcher.caveat and not confirmed("Go on?", yes or begun, f"warning: {dispatcher.caveat}"):
        raise InputError(
            f"{dispatcher.caveat}; not started", hint="--yes agrees; --container-strategy ephemeral has no such effect"
        )
    missing = dispatcher.missing_images()
    if missing:
        services = " ".join(missing)
        if not confirmed("Build now? It may take minutes and several GB.", yes, f"missing images: {services}"):
            raise MachineError(
                f"missing images: {services}", hint=f"build them: docker compose build {services}; or agree with --yes"
            )
        with caught_signals() as interrupts:
            dispatcher.build_images(quiet=quiet, should_stop=interrupts.came)
    return dispatcher


def changes_agreed(campaign: Campaign, project: Project, running: Running) -> bool:
    """Whether what changed in a campaign's file since it was begun is to be taken over; shown, and asked for.

    Returns:
        True where it was agreed to; False where nothing changed that would have to be.

    Raises:
        InputError: it is not agreed to, or nobody can be asked, or its runs could not be compared.
    """
    found = changes_of(campaign, CampaignFolder(project.results / campaign.name))
    if found is None:
        return False
    require_comparable(campaign.name, found)
    about = "\n".join([f"campaign {campaign.name!r} was begun, and its file changed since", *found.lines()])
    if not found.touches_runs:
        if not running.silent:
            print_lines([f"changed in the file, and holds from now on: {', '.join(found.fields)}"], to_stderr=True)
        return False
    if not confirmed("Take it over?", running.yes, about):
        raise InputError(
            f"{about}\nnot started",
            hint="--yes takes the changes over; --name NAME measures anew beside it",
        )
    return True


def confirmed(question: str, agreed: bool, about: str) -> bool:
    """Whether the user agrees; nobody at a terminal means no.

    Args:
        question: that is answered by yes or no.
        agreed: whether it was agreed to beforehand.
        about: what has to be known to answer.
    """
    if not agreed and not sys.stdin.isatty():
        return False
    print_lines(about.splitlines(), to_stderr=True)
    return agreed or click.confirm(question, err=True)
