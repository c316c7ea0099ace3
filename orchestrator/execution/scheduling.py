"""A campaign by the clock: when it is started, what became of a start that was missed, and what is known of it on disk.

Each start of a schedule that repeats is a campaign of its own. What is begun and what is next is written down before it
happens, so that whoever starts the schedule again goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal, Protocol

from pydantic import AwareDatetime, ValidationError

from orchestrator.campaign.schema import Schedule
from orchestrator.campaign.times import Times
from orchestrator.errors import InputError, InterruptedCampaignError, OrchestratorError
from orchestrator.execution.events import CampaignEnded
from orchestrator.files import write_durably
from runners.contract.messages import first_fault
from runners.contract.model import ContractModel

GRACE = timedelta(hours=1)
"""How late a start may be that was missed, where there is no window."""
_STEP_S = 0.2
_LOOK_BACK = timedelta(hours=26)
"""No window is open for longer."""
_STAMP = "%Y%m%dt%H%M%Sz"
LONGEST_NAME = 64 - len("-20261122t220000z")


@dataclass(frozen=True, slots=True)
class StartAwaited:
    """Nothing is run until then."""

    campaign: str
    at: datetime
    goes_on: bool
    """Whether the campaign was begun before, and only its window opens then."""


@dataclass(frozen=True, slots=True)
class StartsMissed:
    """Starts passed while nobody looked, or while an earlier one was still at work; they are not made up for."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class StartedLate:
    """A start was missed, and is made up for now."""

    campaign: str
    at: datetime
    """When it should have been."""


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """The campaign has runs left, and goes on when its window opens again."""

    campaign: str
    pending: int


@dataclass(frozen=True, slots=True)
class StartFailed:
    """A campaign could not be run to its end; the schedule goes on with the next start."""

    campaign: str
    message: str
    hint: str | None


ScheduleEvent = StartAwaited | StartsMissed | StartedLate | WindowClosed | StartFailed


class ScheduleObserver(Protocol):
    """Whoever shows what a schedule does."""

    def show(self, event: ScheduleEvent) -> None:
        """Something happened."""

    def awaiting(self, event: StartAwaited) -> AbstractContextManager[object]:
        """Nothing happens for as long as the context lasts."""
        return nullcontext()


class Standing(ContractModel):
    """Where a schedule stands: what is written down."""

    schema_version: Literal[1] = 1
    schedule: Schedule
    zone: str
    first: AwareDatetime
    """From which starts are counted."""
    due: AwareDatetime
    """The start that is next, or at work."""
    begun: str | None = None
    """The campaign that is at work for it."""


class StandingFile:
    """Keeps where a schedule stands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Standing | None:
        """What was written last; None where nothing was.

        Raises:
            InputError: it cannot be read as that.
        """
        try:
            return Standing.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise InputError(
                f"{self._path} does not say where a schedule stands: {first_fault(error)}",
                hint="move it away, and the schedule begins anew",
            ) from None

    def write(self, standing: Standing) -> None:
        """Write it down, so that it is there after any crash."""
        write_durably(self._path, standing.model_dump_json() + "\n")

    def remove(self) -> None:
        """Forget it: nothing is left to start."""
        self._path.unlink(missing_ok=True)


CarryOut = Callable[[str, bool, Callable[[], bool]], CampaignEnded]
"""Runs the campaign of that name, begun before or not, until told that nothing more may be started."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Scheduler:
    """Waits for each start, and has its campaign carried out."""

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        zone: tzinfo,
        file: StandingFile,
        carry_out: CarryOut,
        observer: ScheduleObserver,
        should_stop: Callable[[], bool],
        *,
        now: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._schedule = schedule
        self._times = Times.parse(schedule.at, schedule.every, schedule.between)
        self._zone = zone
        self._file = file
        self._carry_out = carry_out
        self._observer = observer
        self._should_stop = should_stop
        self._now = now
        self._sleep = sleep

    def run(self) -> CampaignEnded:
        """Start what is to be started, for as long as anything is.

        Returns:
            How the campaign ended, of a schedule that does not repeat.

        Raises:
            InterruptedCampaignError: it was asked to stop; started again it goes on from there.
            OrchestratorError: the campaign of a schedule that does not repeat could not be run, or no start is left.
        """
        standing = self._taken_up()
        goes_on = standing.begun is not None
        while True:
            standing = self._opened(standing) if standing.begun else self._begun(standing)
            campaign = standing.begun or self._name
            self._heed_stop(campaign)
            # Else it is of a schedule that was another then: it is finished, and the start of this one is still due.
            of_this = campaign == self._campaign_of(standing.due)
            repeats = self._times.every is not None
            ended = self._carried_out(campaign, goes_on, fatal=of_this and not repeats)
            if ended and ended.pending:
                self._observer.show(WindowClosed(campaign, ended.pending))
                goes_on = True
                continue
            if ended and of_this and not repeats:
                self._file.remove()
                return ended
            standing = self._next(standing) if of_this else standing.model_copy(update={"begun": None})
            self._file.write(standing)
            goes_on = False

    def _taken_up(self) -> Standing:
        """Where an earlier process left this schedule, else its beginning."""
        before = self._file.read()
        zone = str(self._zone)
        if before and (before.schedule, before.zone) == (self._schedule, zone):
            return before
        first = self._times.first_start(self._now(), self._zone)
        standing = Standing(
            schedule=self._schedule, zone=zone, first=first, due=first, begun=before.begun if before else None
        )
        self._file.write(standing)
        return standing

    def _begun(self, standing: Standing) -> Standing:
        """Wait for the start that is due, and write down that it is begun."""
        while True:
            now = self._now()
            if standing.due > now:
                self._wait_until(StartAwaited(self._campaign_of(standing.due), standing.due, goes_on=False))
            due = self._latest(standing)
            if self._may_still_start(due):
                break
            self._observer.show(StartsMissed(standing.due, due))
            standing = self._next(standing.model_copy(update={"due": due}))
            self._file.write(standing)
        if due > standing.due:
            last_missed = self._before(standing, due)
            self._observer.show(StartsMissed(standing.due, last_missed))
        campaign = self._campaign_of(due)
        if self._now() - due > timedelta(minutes=1):
            self._observer.show(StartedLate(campaign, due))
        self._heed_stop(campaign)  # else it would be begun, and made up for however late the schedule is taken up
        standing = standing.model_copy(update={"due": due, "begun": campaign})
        self._file.write(standing)
        return standing

    def _opened(self, standing: Standing) -> Standing:
        """Wait until the campaign that is begun may go on."""
        assert standing.begun is not None
        now = self._now()
        opening = self._times.between.next_open(now, self._zone) if self._times.between else now
        if opening > now:
            self._wait_until(StartAwaited(standing.begun, opening, goes_on=True))
        return standing

    def _carried_out(self, campaign: str, goes_on: bool, *, fatal: bool) -> CampaignEnded | None:
        """Run a campaign; None if it could not be, which may be fatal to the schedule."""
        try:
            return self._carry_out(campaign, goes_on, lambda: not self._times.allows(self._now(), self._zone))
        except (InterruptedCampaignError, BrokenPipeError):
            raise
        except (OrchestratorError, OSError) as error:
            if fatal:
                self._file.remove()
                raise
            hint = error.hint if isinstance(error, OrchestratorError) else None
            self._observer.show(StartFailed(campaign, str(error), hint))
            return None

    def _next(self, standing: Standing) -> Standing:
        """The start after the one that was due."""
        due = self._times.next_start(standing.due, standing.first, self._zone)
        if due is None and self._times.every is None:
            # Its only one was missed.
            due = self._times.first_start(self._now(), self._zone)
        if due is None:
            self._file.remove()
            raise InputError(
                f"no start of the schedule of {self._name!r} is left in its window",
                hint="let --every and --between fit each other",
            )
        return standing.model_copy(update={"due": due, "begun": None})

    def _latest(self, standing: Standing) -> datetime:
        """The last start that is due by now."""
        now, latest = self._now(), standing.due
        start = self._times.next_start(max(latest, now - _LOOK_BACK), standing.first, self._zone)
        while start is not None and start <= now:
            latest = start
            start = self._times.next_start(latest, standing.first, self._zone)
        return latest

    def _before(self, standing: Standing, due: datetime) -> datetime:
        """The last start before one that is later than the first that is due."""
        before = standing.due
        start = self._times.next_start(max(before, due - _LOOK_BACK), standing.first, self._zone)
        while start is not None and start < due:
            before = start
            start = self._times.next_start(before, standing.first, self._zone)
        return before

    def _may_still_start(self, due: datetime) -> bool:
        """Whether a start is not too late: its window is still open, or it has been due for an hour at most."""
        now, window = self._now(), self._times.between
        if window is None:
            return now - due <= GRACE
        return now < next(window.spans(due, self._zone))[1]

    def _wait_until(self, event: StartAwaited) -> None:
        """Sleep in short steps, looking at the clock: it may be set, and the machine suspended."""
        self._observer.show(event)
        with self._observer.awaiting(event):
            while self._now() < event.at:
                self._heed_stop(event.campaign)
                self._sleep(_STEP_S)

    def _heed_stop(self, campaign: str) -> None:
        if self._should_stop():
            raise InterruptedCampaignError(
                f"stopped before campaign {campaign!r} was started", hint="the same command goes on from here"
            )

    def _campaign_of(self, due: datetime) -> str:
        if self._times.every is None:
            return self._name
        return f"{self._name}-{due.astimezone(UTC).strftime(_STAMP)}"
