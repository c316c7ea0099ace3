"""A schedule over days and deaths, on a clock that the tests turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.campaign.schema import Schedule
from orchestrator.errors import InputError, InterruptedCampaignError, MachineError
from orchestrator.execution.events import CampaignEnded
from orchestrator.execution.scheduling import (
    ScheduleEvent,
    ScheduleObserver,
    Scheduler,
    StandingFile,
    StartAwaited,
    StartedLate,
    StartFailed,
    StartsMissed,
    WindowClosed,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process died here."""


class World:
    """A clock, a disk, and campaigns that take their time; it outlives every process."""

    def __init__(self, file: Path) -> None:
        self.now = NOON
        self.file = file
        self.ends = NOON + timedelta(days=4)
        self.takes = HOUR
        self.runs = 1
        self.done: dict[str, int] = {}
        """Runs that are complete, of each campaign."""
        self.begun_at: dict[str, datetime] = {}
        self.calls: list[tuple[str, bool]] = []
        self.events: list[ScheduleEvent] = []
        self.fails: dict[str, Exception] = {}
        self.kill_at: set[int] = set()
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps in self.kill_at:
            raise Killed

    def sleep(self, seconds: float) -> None:
        awaited = [event.at for event in self.events if isinstance(event, StartAwaited)][-1]
        left = awaited - self.now
        self.now += left if left < timedelta(minutes=5) else left / 2
        if self.now - left < self.ends < self.now:
            self.now = self.ends
        self.step()

    def carry_out(self, name: str, goes_on: bool, until: Callable[[], bool]) -> CampaignEnded:
        self.step()
        self.calls.append((name, goes_on))
        self.begun_at.setdefault(name, self.now)
        if name in self.fails:
            raise self.fails[name]
        while self.done.setdefault(name, 0) < self.runs and not until():
            if self.now >= self.ends:
                raise InterruptedCampaignError("stopped")
            self.now += self.takes / self.runs
            self.done[name] += 1
            self.step()
        return CampaignEnded(name, self.done[name], 0, self.runs - self.done[name])

    def process(self, **schedule: str) -> CampaignEnded:
        """Start the command, until it ends or the test's time is up."""
        world = self

        class Seen(ScheduleObserver):
            def show(self, event: ScheduleEvent) -> None:
                world.events.append(event)

        class Disk(StandingFile):
            def write(self, standing: object) -> None:
                world.step()
                super().write(standing)  # type: ignore[arg-type]
                world.step()

        return Scheduler(
            "nightly",
            Schedule(**schedule),
            UTC,
            Disk(self.file),
            self.carry_out,
            Seen(),
            lambda: self.now >= self.ends,
            now=lambda: self.now,
            sleep=self.sleep,
        ).run()

    def until_stopped(self, **schedule: str) -> None:
        with pytest.raises(InterruptedCampaignError):
            self.process(**schedule)

    def seen(self, kind: type) -> list[ScheduleEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "standing.json")


def test_a_start_that_a_stop_came_before_is_not_made_up_for_days_later(world: World) -> None:
    world.takes, world.ends = 2 * HOUR, NOON + HOUR
    world.until_stopped(every="1h")  # while the first is at work, with the second due
    assert list(world.done) == ["nightly-20260601t120000z"]
    world.now, world.ends = NOON + timedelta(days=3, minutes=90), NOON + timedelta(days=3, minutes=91)
    world.takes = timedelta(minutes=1)
    world.until_stopped(every="1h")
    assert "nightly-20260601t130000z" not in world.done
    assert "nightly-20260601t140000z" not in world.done


def test_each_start_is_a_campaign_of_its_own(world: World) -> None:
    world.until_stopped(at="22:00", every="24h")
    assert world.calls == [(f"nightly-2026060{day}t220000z", False) for day in (1, 2, 3, 4)]
    assert [at.hour for at in world.begun_at.values()] == [22] * 4


def test_once_is_the_campaign_itself_and_leaves_nothing_to_go_on_with(world: World) -> None:
    ended = world.process(at="22:00")
    assert (ended.campaign, ended.completed) == ("nightly", 1)
    assert not world.file.exists()


def test_in_a_window_it_goes_on_night_by_night_until_it_is_complete(world: World) -> None:
    world.takes, world.runs = 20 * HOUR, 20
    world.ends += timedelta(days=10)
    ended = world.process(between="22:00-06:00")
    assert world.calls == [("nightly", False), ("nightly", True), ("nightly", True)]
    assert [(event.pending) for event in world.seen(WindowClosed)] == [12, 4]  # type: ignore[attr-defined]
    assert (ended.completed, ended.pending) == (20, 0)
    assert world.now == datetime(2026, 6, 4, 2, tzinfo=UTC)


def test_what_the_window_cut_short_is_finished_before_the_next_start(world: World) -> None:
    world.takes, world.runs = 10 * HOUR, 10
    world.until_stopped(at="22:00", every="24h", between="22:00-06:00")
    first, second, third = (f"nightly-2026060{day}t220000z" for day in (1, 2, 3))
    assert world.calls[:5] == [(first, False), (first, True), (second, False), (second, True), (third, False)]
    # The second night's start waits for two hours, which its window allows.
    assert world.begun_at[second] == datetime(2026, 6, 3, 0, tzinfo=UTC)
    assert [event.campaign for event in world.seen(StartedLate)][:1] == [second]  # type: ignore[attr-defined]


def test_a_start_that_was_missed_is_made_up_for_within_the_hour(world: World) -> None:
    world.ends = NOON + HOUR
    world.until_stopped(at="22:00", every="24h")
    world.now, world.ends = NOON + 10.5 * HOUR, NOON + 20 * HOUR
    world.until_stopped(at="22:00", every="24h")
    assert world.begun_at == {"nightly-20260601t220000z": NOON + 10.5 * HOUR}
    assert world.seen(StartedLate)


def test_a_start_that_was_missed_for_longer_is_told_and_left_out(world: World) -> None:
    world.ends = NOON + HOUR
    world.until_stopped(at="22:00", every="24h")
    world.now, world.ends = NOON + timedelta(days=2), NOON + timedelta(days=3)
    world.until_stopped(at="22:00", every="24h")
    assert list(world.begun_at) == ["nightly-20260603t220000z"]
    assert world.seen(StartsMissed) == [StartsMissed(NOON + 10 * HOUR, NOON + 34 * HOUR)]


def test_a_start_that_was_missed_is_made_up_for_while_its_window_is_open(world: World) -> None:
    world.ends = NOON + HOUR
    world.until_stopped(at="22:00", every="24h", between="22:00-06:00")
    world.now, world.ends = NOON + 38.5 * HOUR, NOON + 42 * HOUR
    world.until_stopped(at="22:00", every="24h", between="22:00-06:00")
    # Of two nights the second; the first has passed.
    assert world.begun_at == {"nightly-20260602t220000z": NOON + 38.5 * HOUR}
    assert world.seen(StartsMissed) == [StartsMissed(NOON + 10 * HOUR, NOON + 10 * HOUR)]


def test_a_single_start_that_was_missed_is_awaited_anew(world: World) -> None:
    world.ends = NOON + HOUR
    world.until_stopped(at="22:00")
    world.now, world.ends = NOON + 20 * HOUR, NOON + timedelta(days=3)
    assert world.process(at="22:00").completed == 1
    assert world.begun_at == {"nightly": NOON + 34 * HOUR}


def test_starts_that_come_while_one_is_at_work_are_not_piled_up(world: World) -> None:
    world.takes, world.ends = 2.5 * HOUR, NOON + 9 * HOUR
    world.until_stopped(every="1h")
    assert [(at - NOON) / HOUR for at in world.begun_at.values()] == [0, 2.5, 5, 7.5]
    assert len(set(world.begun_at)) == len(world.calls)


def test_a_start_that_fails_does_not_end_the_schedule(world: World) -> None:
    world.fails = {"nightly-20260602t220000z": MachineError("no GPU", hint="bring one")}
    world.until_stopped(at="22:00", every="24h")
    assert list(world.done) == [f"nightly-2026060{day}t220000z" for day in (1, 3, 4)]
    assert world.seen(StartFailed) == [StartFailed("nightly-20260602t220000z", "no GPU", "bring one")]


def test_nor_does_a_disk_that_is_full(world: World) -> None:
    world.fails = {"nightly-20260602t220000z": OSError(28, "No space left on device")}
    world.until_stopped(at="22:00", every="24h")
    assert list(world.done) == [f"nightly-2026060{day}t220000z" for day in (1, 3, 4)]
    assert world.seen(StartFailed)


def test_whoever_reads_its_output_gone_it_ends_and_can_go_on(world: World) -> None:
    world.fails = {"nightly-20260602t220000z": BrokenPipeError(32, "Broken pipe")}
    with pytest.raises(BrokenPipeError):
        world.process(at="22:00", every="24h")
    world.fails = {}
    world.until_stopped(at="22:00", every="24h")
    assert list(world.done) == [f"nightly-2026060{day}t220000z" for day in (1, 2, 3, 4)]


def test_a_single_start_that_fails_does_and_is_not_made_up_for(world: World) -> None:
    world.fails = {"nightly": MachineError("no GPU", hint="bring one")}
    with pytest.raises(MachineError, match="no GPU"):
        world.process(at="22:00")
    world.fails = {}
    world.process(at="22:00")
    assert world.calls == [("nightly", False), ("nightly", False)]
    assert world.now == NOON + 35 * HOUR


def test_a_schedule_that_was_changed_finishes_what_is_begun_and_then_starts(world: World) -> None:
    world.runs, world.kill_at = 2, {6}
    with pytest.raises(Killed):
        world.process(every="24h")
    assert world.done == {"nightly-20260601t120000z": 1}
    ended = world.process(at="22:00")
    assert world.calls[1:] == [("nightly-20260601t120000z", True), ("nightly", False)]
    assert ended.campaign == "nightly"
    assert world.begun_at["nightly"] == NOON + 10 * HOUR


def test_what_is_no_standing_is_refused(world: World) -> None:
    world.file.write_text("{}")
    with pytest.raises(InputError, match="does not say where a schedule stands"):
        world.process(every="24h")


@settings(max_examples=20)
@given(st.sets(st.integers(1, 60), max_size=8), st.sampled_from(["3h", "24h"]), st.booleans())
def test_killed_at_any_moment_no_start_is_lost_and_none_is_repeated(
    tmp_path_factory: pytest.TempPathFactory, kills: set[int], every: str, windowed: bool
) -> None:
    schedule = {"every": every} | ({"between": "11:00-09:00"} if windowed else {})
    straight, killed = (World(tmp_path_factory.mktemp("schedule") / "standing.json") for _ in range(2))
    for world in (straight, killed):
        world.takes, world.runs, world.ends = timedelta(minutes=30), 3, NOON + timedelta(days=1)
    straight.until_stopped(**schedule)
    killed.kill_at = kills
    while True:
        try:
            killed.until_stopped(**schedule)
        except Killed:
            continue
        break
    assert killed.done == straight.done
    assert set(killed.done.values()) == {3}
    fresh = [name for name, goes_on in killed.calls if not goes_on]
    assert len(fresh) == len(set(fresh))
