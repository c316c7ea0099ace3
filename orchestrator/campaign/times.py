"""Times of day, durations, windows of the day, and when a schedule starts next. Pure: moment and zone are given.

Moments are UTC and aware. A time of day is what a clock on the wall shows, whatever summer time does to it: one that a
night leaves out is taken at the moment when the clock jumps over it, and one that a night has twice is taken once, the
first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count

_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
LONGEST = timedelta(days=366)
_HORIZON = timedelta(days=4 * 366)
"""Beyond which no start is looked for."""


def parse_time_of_day(text: str) -> time:
    """The time of day that ``HH:MM`` stands for.

    Raises:
        ValueError: it is none.
    """
    found = _TIME_OF_DAY.fullmatch(text.strip())
    if not found:
        raise ValueError("a time of day is HH:MM, such as 22:00")
    return time(int(found[1]), int(found[2]))


def parse_duration(text: str) -> timedelta:
    """The duration that days, hours, minutes and seconds stand for, such as ``24h``, ``90s`` or ``1h30m``.

    Raises:
        ValueError: it is none, or not between a second and 366 days.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError("a duration is a number of d, h, m or s, such as 24h, 90m, 7d or 1h30m")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        duration = timedelta.max
    if not _SECOND <= duration <= LONGEST:
        raise ValueError("a duration is between 1s and 366d")
    return duration


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the day, every day; across midnight if it closes before it opens."""

    opens: time
    closes: time

    def span(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        """When the window of a day opens and closes; at once where the clock jumps over all of it."""
        opens, closes = moment_of(day, self.opens, zone), moment_of(day, self.closes, zone)
        return (opens, closes) if self.opens < self.closes else (opens, moment_of(day + _DAY, self.closes, zone))

    def spans(self, moment: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        """The windows from the one that may still be open at a moment on, one a day; none that is empty."""
        today = moment.astimezone(zone).date()
        for days in count(-1):
            opens, closes = self.span(today + days * _DAY, zone)
            if moment < closes and opens < closes:
                yield opens, closes

    def holds(self, clock: time) -> bool:
        """Whether a time of day lies in it."""
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes

    def is_open(self, moment: datetime, zone: tzinfo) -> bool:
        """Whether a moment lies in it."""
        return next(self.spans(moment, zone))[0] <= moment

    def next_open(self, moment: datetime, zone: tzinfo) -> datetime:
        """The moment itself if the window is open then, else when it opens."""
        return max(moment, next(self.spans(moment, zone))[0])


def parse_window(text: str) -> Window:
    """The window that ``HH:MM-HH:MM`` stands for; it may close at 24:00.

    Raises:
        ValueError: it is none.
    """
    opens, dash, closes = text.partition("-")
    try:
        if not dash:
            raise ValueError
        window = Window(parse_time_of_day(opens), time() if closes.strip() == "24:00" else parse_time_of_day(closes))
    except ValueError:
        raise ValueError("a window of the day is HH:MM-HH:MM, such as 22:00-06:00") from None
    if window.opens == window.closes:
        raise ValueError("a window closes at another time than it opens; without one, runs start at any time")
    return window


@dataclass(frozen=True, slots=True)
class Times:
    """When a campaign is started."""

    at: time | None = None
    """At this time of day; None: at once."""
    every: timedelta | None = None
    """And again after so long; None: once."""
    between: Window | None = None
    """In this window of the day only; None: at any time."""

    def __post_init__(self) -> None:
        if self.at is not None and self.between is not None and not self.between.holds(self.at):
            raise ValueError(
                f"at {self.at:%H:%M} is never between {self.between.opens:%H:%M} and {self.between.closes:%H:%M}"
            )

    @classmethod
    def parse(cls, at: str | None, every: str | None, between: str | None) -> Times:
        """From texts.

        Raises:
            ValueError: one of them is wrong, or the window never holds the time of day.
        """
        return cls(
            None if at is None else parse_time_of_day(at),
            None if every is None else parse_duration(every),
            None if between is None else parse_window(between),
        )

    def first_start(self, now: datetime, zone: tzinfo) -> datetime:
        """The first start, from which all others are counted: now or later, on a whole second."""
        if self.at is not None:
            days = (now.astimezone(zone).date() + days * _DAY for days in count(-1))
            starts = (moment_of(day, self.at, zone) for day in days)
            return next(start for start in starts if start > now and self.allows(start, zone))
        now = now.replace(microsecond=0)
        return self.between.next_open(now, zone) if self.between else now

    def next_start(self, after: datetime, first: datetime, zone: tzinfo) -> datetime | None:
        """The start that follows a moment; None if there is none.

        Where starts are whole days apart they keep their time of day, else the time that has passed counts.

        Args:
            after: the moment; it is itself no answer.
            first: the first start.
            zone: whose clock counts.
        """
        if after < first:
            return first
        if self.every is None:
            return None
        starts = (
            self._daily(after, first, zone) if self.every % _DAY == timedelta() else self._elapsed(after, first, zone)
        )
        for start in starts:
            if start > after + _HORIZON:
                return None
            if start > after and self.allows(start, zone):
                return start
        return None

    def allows(self, moment: datetime, zone: tzinfo) -> bool:
        """Whether runs may be started at a moment."""
        return self.between is None or self.between.is_open(moment, zone)

    def _daily(self, after: datetime, first: datetime, zone: tzinfo) -> Iterator[datetime]:
        assert self.every is not None
        began = first.astimezone(zone)
        clock = self.at or began.time()
        passed = (after.astimezone(zone).date() - began.date()) // self.every
        for number in count(max(1, passed)):
            yield moment_of(began.date() + number * self.every, clock, zone)

    def _elapsed(self, after: datetime, first: datetime, zone: tzinfo) -> Iterator[datetime]:
        assert self.every is not None
        moment = after
        while True:
            start = first + ((moment - first) // self.every + 1) * self.every
            yield start
            # What lies before the next opening is not gone through one by one.
            opening = self.between.next_open(start, zone) if self.between else start
            moment = max(start, opening - timedelta.resolution)


def moment_of(day: date, clock: time, zone: tzinfo) -> datetime:
    """When the clock of a zone first shows a time on a day; where it never does, when it jumps over it."""
    wall = datetime.combine(day, clock)
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    if early >= late or late.astimezone(zone).replace(tzinfo=None) == wall:
        return late
    # The clock jumps between the two readings of a time that does not exist.
    before = early.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late
