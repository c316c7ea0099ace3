"""Campaigns from their files to their ends: one, or several after one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import ValidationError

from orchestrator.campaign.document import read_document
from orchestrator.campaign.kinds import kind_of
from orchestrator.campaign.load import load_campaign
from orchestrator.campaign.schema import Campaign
from orchestrator.cli.consent import agreed, changes_agreed, chosen, consented, heeded
from orchestrator.cli.console import print_table, watching
from orchestrator.cli.ending import finish
from orchestrator.cli.interrupts import caught_signals
from orchestrator.cli.options import Running
from orchestrator.dispatch.base import Dispatcher
from orchestrator.errors import (
    EXIT_DONE,
    EXIT_RUNS_FAILED,
    InputError,
    InterruptedCampaignError,
    Issue,
    OrchestratorError,
)
from orchestrator.execution.campaigns import campaigns, run_campaign
from orchestrator.execution.events import CampaignEnded
from orchestrator.execution.preflight.forecast import Forecast
from orchestrator.execution.preflight.look import Preflight, preflight
from orchestrator.report.counting import counted
from orchestrator.report.tables import Column, Table
from orchestrator.system.project import Project
from runners.contract.messages import first_fault

_SUFFIXES = (".yaml", ".yml")
_NAMES = "give each campaign a name of its own: by it their results are told apart"


def load_all(paths: Sequence[Path], name: str | None = None) -> list[Campaign]:
    """The campaigns of these files, a folder standing for all of its own; every fault of every file is told.

    Args:
        paths: files and folders.
        name: what the one campaign is to be called in place of its name; None: as its file calls it.

    Raises:
        InputError: a file is missing or wrong, two campaigns have one name, or a name is given to several.
    """
    files = [file for path in paths for file in _files(path)]
    if name and len(files) > 1:
        raise InputError("--name names one campaign, and several are given", hint="run that one alone")
    loaded: list[Campaign] = []
    faults: list[InputError] = []
    first: dict[str, Path] = {}
    for file in files:
        try:
            campaign = _load(file, name)
            if campaign.name in first:
                raise InputError(
                    f"{file}: its name {campaign.name!r} is that of {first[campaign.name]} too", hint=_NAMES
                )
        except InputError as error:
            faults.append(error)
        else:
            first[campaign.name] = file
            loaded.append(campaign)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InputError("\n".join(map(str, faults)), hint="; ".join(dict.fromkeys(f.hint for f in faults if f.hint)))
    return loaded


def _load(file: Path, name: str | None) -> Campaign:
    campaign = load_campaign(file)
    try:
        return campaign.renamed(name) if name else campaign
    except ValidationError as error:
        raise InputError(f"--name: {first_fault(error)}") from None


def _files(path: Path) -> Iterator[Path]:
    """A file itself, or the campaign files of a folder by their names; hidden ones are passed over."""
    try:
        if not path.is_dir():
            yield path
            return
        there = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.name.startswith("."))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the path, which is told of when it is read
        yield path
        return
    found = [file for file in there if not _is_base(file)]
    if not found:
        raise InputError(f"the folder {path} holds no campaign file", hint="campaign files end in .yaml or .yml")
    yield from found


def _is_base(file: Path) -> bool:
    """Whether it is there for others to extend; what cannot be read is told of when it is loaded."""
    try:
        return kind_of(read_document(file).data) == "base"
    except InputError:
        return False


@dataclass(frozen=True, slots=True)
class _Agreed:
    """A campaign to which everything that had to be asked was agreed."""

    campaign: Campaign
    dispatcher: Dispatcher
    ahead: Preflight
    accept_changes: bool


def run_one(campaign: Campaign, issues: Sequence[Issue], project: Project, running: Running) -> int:
    """Run a campaign and show what became of it; the exit code."""
    ended = _carried_out(_asked(campaign, issues, project, running), project, running)
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE


def run_several(found: Sequence[tuple[Campaign, Sequence[Issue]]], project: Project, running: Running) -> int:
    """Run campaigns one after another, once all that has to be asked was; the worst of their exit codes.

    A campaign that cannot be run, or that the machine stops, keeps none of the others from being tried: each looks
    for itself whether the machine has what it needs. An interruption stops them all.
    """
    faults = []
    for campaign, issues in found:
        try:
            heeded(issues, force=running.force, quiet=True)
        except InputError as error:
            faults.append(f"campaign {campaign.name}: {error}")
    if faults:
        raise InputError("\n".join(faults))
    ready = [_asked(campaign, issues, project, running) for campaign, issues in found]
    worst, rows = EXIT_DONE, []
    for number, each in enumerate(ready, start=1):
        if not running.silent:
            click.echo(f"{chr(10) * (number > 1)}=== Campaign {number} of {len(ready)}: {each.campaign.name} ===")
        try:
            ended = _carried_out(each, project, running)
        except InterruptedCampaignError:
            rows += [[each.campaign.name, "stopped"], *([left.campaign.name, "not begun"] for left in ready[number:])]
            _tell(rows, running)
            raise
        except OrchestratorError as error:
            click.echo(f"error: {error}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            worst = max(worst, error.exit_code)
            rows.append([each.campaign.name, f"stopped: {str(error).splitlines()[0]}"])
            continue
        failed = f", {ended.failed:,} failed" if ended.failed else ""
        rows.append([each.campaign.name, f"{counted(ended.completed, 'run')} complete{failed}"])
        worst = max(worst, EXIT_RUNS_FAILED if ended.failed else EXIT_DONE)
    _tell(rows, running)
    return worst


def _asked(campaign: Campaign, issues: Sequence[Issue], project: Project, running: Running) -> _Agreed:
    heeded(issues, force=running.force, quiet=running.silent)
    accept_changes = changes_agreed(campaign, project, running)
    dispatcher, begun = chosen(campaign, project, running), campaign.name in campaigns(project)
    in_containers = dispatcher.dispatching.dispatcher == "compose"
    ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags)
    consented(ahead, project.config, running, begun=begun)
    dispatcher = agreed(dispatcher, yes=running.yes, begun=begun, quiet=running.silent)
    return _Agreed(campaign, dispatcher, ahead, accept_changes)


def _carried_out(of: _Agreed, project: Project, running: Running) -> CampaignEnded:
    with (
        caught_signals() as interrupts,
        watching(running) as observer,
    ):
        ended = run_campaign(
            of.campaign,
            project=project,
            dispatcher=of.dispatcher,
            force=running.force,
            accept_changes=of.accept_changes,
            flags=running.flags,
            on_event=Forecast(observer, of.ahead, project.config),
            should_stop=interrupts.came,
        )
    finish(of.campaign.name, project, quiet=running.quiet, as_json=running.as_json)
    return ended


def _tell(rows: Sequence[Sequence[str]], running: Running) -> None:
    if not running.silent:
        click.echo()
        print_table(Table("Campaigns", [Column("campaign"), Column("what became of it", prose=True)], rows))
