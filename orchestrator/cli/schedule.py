"""``orchestrate schedule FILE``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import Running, campaign_options
from orchestrator.errors import EXIT_DONE, EXIT_RUNS_FAILED, InputError, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.campaign.schema import Campaign, Schedule
    from orchestrator.dispatch.base import Dispatcher
    from orchestrator.execution.events import CampaignEnded
    from orchestrator.execution.scheduling import CarryOut, Standing
    from orchestrator.system.project import Project

_SHOWN = 5


@click.command("schedule")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--at", metavar="HH:MM", help="Start at this time of the day, by this machine's clock. [default: at once]"
)
@click.option("--every", metavar="DURATION", help="Start again after so long: 24h, 90m, 7d, 1h30m. [default: once]")
@click.option(
    "--between", metavar="HH:MM-HH:MM", help="Start runs in this window of the day only. [default: at any time]"
)
@click.option("--dry-run", is_flag=True, help=f"Show the next {_SHOWN} starts, and run nothing.")
@click.option("--next", "shown", type=click.IntRange(1, 1000), metavar="N", help="Show the next N starts likewise.")
@campaign_options
def command(
    file: Path,
    at: str | None,
    every: str | None,
    between: str | None,
    dry_run: bool,
    shown: int | None,
    running: Running,
) -> int:
    """Run the campaign in FILE by the clock, until it is interrupted.

    What is not given as a flag is taken from the file's `schedule:`. With --every each start is a campaign of its own,
    named after the file's and the start's time in UTC. Without it the campaign is run once; with --between night by
    night, until it is complete. The same command started again goes on from where it was.
    """
    from orchestrator.campaign.load import load_campaign
    from orchestrator.campaign.schema import NAME_PATTERN
    from orchestrator.cli.consent import agreed, changes_agreed, chosen, consented, heeded
    from orchestrator.cli.console import ScheduleLines
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.campaigns import campaigns
    from orchestrator.execution.preflight.look import preflight
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.execution.scheduling import LONGEST_NAME, Scheduler, StandingFile
    from orchestrator.manifest.lock import held
    from orchestrator.results.known_issues import known_issues
    from orchestrator.system.clock import local_zone
    from orchestrator.system.project import find_project

    campaign = load_campaign(file)
    schedule = _settled(campaign, at, every, between)
    zone = local_zone()
    if schedule.every and len(campaign.name) > LONGEST_NAME:
        raise InputError(
            f"{campaign.name!r} is too long: each start adds its time to the name, and {NAME_PATTERN} is what fits",
            hint=f"use a name of at most {LONGEST_NAME} characters",
        )
    project = find_project(running.project_dir)
    folder = project.state / "_schedules" / campaign.name
    standing = StandingFile(folder / "standing.json")
    if dry_run or shown:
        _list_starts(schedule, zone, standing.read(), shown or _SHOWN, as_json=running.as_json)
        return EXIT_DONE
    heeded(campaign_issues(campaign), force=running.force, quiet=running.silent)
    known_issues(project.folder)
    # Now, while somebody may be there to answer. What is at work goes on as it began.
    stands = standing.read()
    at_work = stands is not None and stands.begun is not None
    accept_changes = not schedule.every and not at_work and changes_agreed(campaign, project, running)
    dispatcher, begun = chosen(campaign, project, running), campaign.name in campaigns(project)
    in_containers = dispatcher.dispatching.dispatcher == "compose"
    ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags)
    consented(ahead, project.config, running, begun=begun)
    agreed(dispatcher, yes=running.yes, begun=begun, quiet=running.silent)
    project.prepare()
    hint = "only one process can carry a schedule out; stop the other, or give the campaign another name:"
    with held(folder, f"the schedule of {campaign.name!r} is in use", hint), caught_signals() as interrupts:
        ended = Scheduler(
            campaign.name,
            schedule,
            zone,
            standing,
            _carry_out(file, campaign, project, running, accept_changes, interrupts.came),
            ScheduleLines(running, zone),
            interrupts.came,
        ).run()
    return EXIT_RUNS_FAILED if ended.failed else EXIT_DONE


def _settled(campaign: Campaign, at: str | None, every: str | None, between: str | None) -> Schedule:
    """The file's schedule, with the flags over it.

    Raises:
        InputError: a flag is wrong, or neither says when.
    """
    from pydantic import ValidationError

    from orchestrator.campaign.schema import Schedule
    from runners.contract.messages import validation_messages

    declared = campaign.file.schedule
    flags = {"at": at, "every": every, "between": between}
    settled = {
        **(declared.model_dump() if declared else {}),
        **{key: flag for key, flag in flags.items() if flag is not None},
    }
    if all(value is None for value in settled.values()):
        raise InputError(
            "when is the campaign to run?", hint="give --at, --every or --between, or a schedule: in the campaign file"
        )
    try:
        return Schedule.model_validate(settled)
    except ValidationError as error:
        (path, message), *_ = validation_messages(error)
        raise InputError(f"--{path[0]}: {message}" if path else message) from None


def _carry_out(
    file: Path,
    begun_as: Campaign,
    project: Project,
    running: Running,
    accept_changes: bool,
    should_stop: Callable[[], bool],
) -> CarryOut:
    """How a start is carried out: by the file as it is then, or as the campaign was begun."""
    from orchestrator.campaign.load import load_campaign
    from orchestrator.cli.consent import chosen, heeded
    from orchestrator.cli.console import watching
    from orchestrator.cli.ending import finish
    from orchestrator.execution.campaigns import begun_campaign, campaigns, resume, run_campaign
    from orchestrator.execution.notices import Notices
    from orchestrator.execution.readiness import campaign_issues

    def prepared(campaign_name: str, goes_on: bool) -> tuple[Campaign, Dispatcher]:
        campaign = begun_campaign(campaign_name, project=project) if goes_on else load_campaign(file)
        if not goes_on and campaign.name != begun_as.name:
            raise InputError(
                f"{file} named campaign {begun_as.name!r} when its schedule was started, and now {campaign.name!r}",
                hint="give it back its name, or start the schedule anew",
            )
        if campaign.name != campaign_name:
            campaign = campaign.renamed(campaign_name)
        heeded(campaign_issues(campaign), force=running.force, quiet=running.silent)
        return campaign, chosen(campaign, project, running)

    def carry_out(campaign_name: str, goes_on: bool, until: Callable[[], bool]) -> CampaignEnded:
        goes_on = goes_on and campaign_name in campaigns(project)
        try:
            campaign, dispatcher = prepared(campaign_name, goes_on)
        except OrchestratorError as error:
            with watching(running) as observer:
                Notices.of(begun_as.renamed(campaign_name), project, running.flags, observer, should_stop).stopped(
                    error
                )
            raise
        with watching(running) as observer:
            if goes_on:
                ended = resume(
                    campaign_name,
                    project=project,
                    dispatcher=dispatcher,
                    force=running.force,
                    flags=running.flags,
                    on_event=observer,
                    should_stop=should_stop,
                    until=until,
                )
            else:
                ended = run_campaign(
                    campaign,
                    project=project,
                    dispatcher=dispatcher,
                    force=running.force,
                    accept_changes=accept_changes,
                    flags=running.flags,
                    on_event=observer,
                    should_stop=should_stop,
                    until=until,
                )
        if not ended.pending:
            finish(campaign_name, project, quiet=running.quiet, as_json=running.as_json)
        return ended

    return carry_out


def _list_starts(schedule: Schedule, zone: tzinfo, standing: Standing | None, number: int, *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from orchestrator.campaign.times import Times
    from orchestrator.cli.console import print_json, wall_clock

    times = Times.parse(schedule.at, schedule.every, schedule.between)
    now = datetime.now(UTC)
    begun = standing if standing and (standing.schedule, standing.zone) == (schedule, str(zone)) else None
    first = begun.first if begun else times.first_start(now, zone)
    starts = [(times.next_start(now, first, zone) if begun else None) or first]
    while len(starts) < number and (start := times.next_start(starts[-1], first, zone)):
        starts.append(start)
    if as_json:
        print_json({"schedule": schedule.model_dump(), "starts": [start.isoformat() for start in starts]})
        return
    for start in starts:
        click.echo(f"{wall_clock(start, zone)} ({start:%Y-%m-%d %H:%M:%S} UTC)")
