"""Schedules over all kinds of clocks: when they start, and that no start is doubled, lost or outside of its window."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.times import Times, Window, moment_of, parse_duration, parse_time_of_day, parse_window

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = [BERLIN, NEW_YORK, LORD_HOWE, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Santiago"), UTC]

SPRING = date(2026, 3, 29)  # 02:00 -> 03:00 in Berlin
AUTUMN = date(2026, 10, 25)  # 03:00 -> 02:00

zones = st.sampled_from(ZONES)
clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
windows = st.builds(Window, clocks, clocks).filter(lambda window: window.opens != window.closes)
durations = st.one_of(
    st.integers(1, 8).map(lambda days: timedelta(days=days)),
    st.integers(60, 200_000).map(lambda s: timedelta(seconds=s)),
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def starts(times: Times, now: datetime, zone: ZoneInfo, number: int) -> list[datetime]:
    first = times.first_start(now, zone)
    found = [first]
    while len(found) < number:
        start = times.next_start(found[-1], first, zone)
        if start is None:
            break
        found.append(start)
    return found


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "24", "0s", "h", "1.5h", "30m1h", "-1h", "1 h", "367d", "999999999d", "२४h", "1h\n2m"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


def test_times_of_day() -> None:
    assert [parse_time_of_day(text) for text in ("22:00", "06:05", "6:05", "00:00", "23:59")] == [
        time(22),
        time(6, 5),
        time(6, 5),
        time(0),
        time(23, 59),
    ]


@pytest.mark.parametrize("text", ["", "22", "24:00", "22:60", "22:0", "10pm", "22:00:00", "-1:00", "\uff12\uff12:00"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="a time of day is HH:MM"):
        parse_time_of_day(text)


def test_windows() -> None:
    assert parse_window("22:00-06:00") == Window(time(22), time(6))
    assert parse_window("9:00 - 17:30") == Window(time(9), time(17, 30))
    assert parse_window("20:00-24:00") == Window(time(20), time(0))


@pytest.mark.parametrize("text", ["", "22:00", "22:00-", "-06:00", "22:00-06:00-08:00", "24:00-06:00", "night"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match="a window of the day is"):
        parse_window(text)


@pytest.mark.parametrize("text", ["22:00-22:00", "00:00-24:00"])
def test_a_window_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="closes at another time than it opens"):
        parse_window(text)


def test_a_time_of_day_that_is_never_in_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="at 12:00 is never between 22:00 and 06:00"):
        Times.parse("12:00", None, "22:00-06:00")


def test_a_time_that_does_not_exist_is_when_the_clock_jumps_over_it() -> None:
    assert moment_of(SPRING, time(2, 30), BERLIN) == utc(2026, 3, 29, 1)
    assert moment_of(SPRING, time(2, 0), BERLIN) == utc(2026, 3, 29, 1)
    assert moment_of(SPRING, time(1, 59), BERLIN) == utc(2026, 3, 29, 0, 59)
    assert moment_of(SPRING, time(3, 0), BERLIN) == utc(2026, 3, 29, 1)
    # 02:00 -> 02:30
    assert moment_of(date(2026, 10, 4), time(2, 15), LORD_HOWE) == utc(2026, 10, 3, 15, 30)


def test_a_time_that_exists_twice_is_the_first() -> None:
    assert moment_of(AUTUMN, time(2, 30), BERLIN) == utc(2026, 10, 25, 0, 30)
    assert moment_of(date(2026, 11, 1), time(1, 30), NEW_YORK) == utc(2026, 11, 1, 5, 30)


def test_every_24_hours_is_the_same_time_of_day_across_daylight_saving() -> None:
    found = starts(Times.parse("22:00", "24h", None), utc(2026, 3, 27, 12), BERLIN, 4)
    assert [start.astimezone(BERLIN).strftime("%d %H:%M %Z") for start in found] == [
        "27 22:00 CET", "28 22:00 CET", "29 22:00 CEST", "30 22:00 CEST",
    ]  # fmt: skip


def test_other_durations_are_time_that_passes() -> None:
    found = starts(Times.parse("22:00", "6h", None), utc(2026, 10, 24, 12), BERLIN, 4)
    assert [start.astimezone(BERLIN).strftime("%d %H:%M %Z") for start in found] == [
        "24 22:00 CEST", "25 03:00 CET", "25 09:00 CET", "25 15:00 CET",
    ]  # fmt: skip


def test_a_night_that_has_half_past_two_twice_starts_once_and_one_without_it_too() -> None:
    daily = Times.parse("02:30", "24h", None)
    autumn = starts(daily, utc(2026, 10, 23, 12), BERLIN, 3)
    assert autumn == [utc(2026, 10, 24, 0, 30), utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]
    spring = starts(daily, utc(2026, 3, 27, 12), BERLIN, 3)
    assert spring == [utc(2026, 3, 28, 1, 30), utc(2026, 3, 29, 1, 0), utc(2026, 3, 30, 0, 30)]


def test_what_falls_outside_of_the_window_is_left_out() -> None:
    found = starts(Times.parse("22:00", "5h", "22:00-06:00"), utc(2026, 6, 1, 12), UTC, 5)  # type: ignore[arg-type]
    assert [start.strftime("%d %H:%M") for start in found] == [
        "01 22:00",
        "02 03:00",
        "02 23:00",
        "03 04:00",
        "04 00:00",
    ]


def test_without_a_time_of_day_it_starts_at_once_or_when_the_window_opens() -> None:
    assert Times.parse(None, "24h", None).first_start(utc(2026, 6, 1, 12, 0, 3), UTC) == utc(2026, 6, 1, 12, 0, 3)
    nights = Times.parse(None, "24h", "22:00-06:00")
    assert nights.first_start(utc(2026, 6, 1, 12), UTC) == utc(2026, 6, 1, 22)
    assert nights.first_start(utc(2026, 6, 1, 23), UTC) == utc(2026, 6, 1, 23)
    assert nights.first_start(utc(2026, 6, 2, 5, 59), UTC) == utc(2026, 6, 2, 5, 59)
    assert nights.first_start(utc(2026, 6, 2, 6), UTC) == utc(2026, 6, 2, 22)


def test_a_night_in_the_window_is_as_long_as_the_clock_makes_it() -> None:
    night = parse_window("22:00-06:00")
    lengths = [
        (lambda span: span[1] - span[0])(night.span(day - timedelta(days=1), BERLIN)) for day in (SPRING, AUTUMN)
    ]
    assert lengths == [timedelta(hours=7), timedelta(hours=9)]


def test_a_window_that_the_clock_jumps_over_does_not_open_that_night() -> None:
    window = parse_window("02:10-02:50")
    assert window.next_open(utc(2026, 3, 28, 12), BERLIN) == utc(2026, 3, 30, 0, 10)
    assert not window.is_open(utc(2026, 3, 29, 1), BERLIN)


@given(moments, zones, clocks)
def test_a_moment_shows_the_time_of_day_it_stands_for_or_lies_where_the_clock_jumps(
    moment: datetime, zone: ZoneInfo, clock: time
) -> None:
    found = moment_of(moment.date(), clock, zone)
    shown = found.astimezone(zone)
    if shown.time() != clock:
        just_before = (found - timedelta(seconds=1)).astimezone(zone)
        assert just_before.time() < clock < shown.time()


@given(moments, zones, st.none() | clocks, durations, st.none() | windows)
def test_starts_go_forward_and_stay_in_the_window(
    now: datetime, zone: ZoneInfo, at: time | None, every: timedelta, window: Window | None
) -> None:
    if at and window and not window.holds(at):
        at = None
    times = Times(at, every, window)
    found = starts(times, now, zone, 30)
    assert found[0] >= now.replace(microsecond=0)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(times.allows(start, zone) for start in found)
    # None is left out: between two starts there is no moment whose next start is another.
    for earlier, later in pairwise(found):
        middle = earlier + (later - earlier) / 2
        assert times.next_start(middle, found[0], zone) == later
    if every % timedelta(days=1) == timedelta():
        days = [start.astimezone(zone).date() for start in found]
        assert len(set(days)) == len(days)


@given(moments, zones, clocks)
def test_each_day_has_its_start(now: datetime, zone: ZoneInfo, at: time) -> None:
    found = starts(Times(at, timedelta(days=1)), now, zone, 400)
    days = [start.astimezone(zone).date() for start in found]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


@given(moments, zones, windows)
def test_a_window_is_open_from_when_it_opens_until_it_closes(now: datetime, zone: ZoneInfo, window: Window) -> None:
    opens, closes = next(window.spans(now, zone))
    assert now < closes
    assert window.is_open(now, zone) == (opens <= now)
    assert window.is_open(opens, zone)
    assert window.is_open(closes - timedelta(seconds=1), zone)
    assert window.next_open(now, zone) == max(now, opens)
