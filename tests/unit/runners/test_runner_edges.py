"""The tracker of a counter's updates, on a simulated clock: what it sees, how sharply, and at what cost."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import pytest

from runners.contract.energy import CounterEdge
from runners.meters.edges import EdgeTracker

CALL_S = 0.00005
LEARNT_S = 3.0


class Watched(NamedTuple):
    """What a tracker made of a counter."""

    edges: list[CounterEdge]
    polls: list[float]
    updates: list[float]
    tracker: EdgeTracker

    def between(self, start_s: float, end_s: float) -> list[CounterEdge]:
        return [edge for edge in self.edges if start_s <= edge.latest_s < end_s]

    def polls_in(self, start_s: float, end_s: float) -> int:
        return sum(start_s <= poll_s < end_s for poll_s in self.polls)


def updates_at(period_s: float, seconds: float, jitter: float = 0.0, seed: int = 1) -> list[float]:
    """Moments of updates on a grid, each displaced by up to so many periods."""
    chance = random.Random(seed)
    count = int((seconds + 1) / period_s) + 2
    return [(n + 0.37 + chance.uniform(-jitter, jitter)) * period_s for n in range(count)]


def watch(
    updates: list[float],
    seconds: float,
    late_s: Callable[[float], float] = lambda due_s: 0.0,
    value_at: Callable[[int], float] = float,
    fails: Callable[[float], bool] = lambda t_s: False,
) -> Watched:
    """Runs a tracker as the meter does: it is polled when due, or a little later, and a poll takes a while.

    Args:
        updates: when the counter is updated.
        seconds: how long to watch.
        late_s: how much later than due a poll is made.
        value_at: the counter's value after so many updates.
        fails: whether a poll at a moment is not answered.
    """
    tracker = EdgeTracker(0.0)
    edges, polls, now_s = [], [], 0.0
    while now_s < seconds:
        now_s = max(now_s, tracker.due_s)
        now_s += late_s(now_s)
        polls.append(now_s)
        before_s, seen_s = now_s, now_s + CALL_S / 2
        now_s += CALL_S
        if fails(before_s):
            tracker.failed(now_s)
            continue
        edge = tracker.saw(before_s, now_s, value_at(bisect_right(updates, seen_s)))
        if edge:
            edges.append(edge)
    return Watched(edges, polls, updates, tracker)


def missed(watched: Watched, start_s: float, end_s: float) -> list[float]:
    """Updates within a stretch that no edge shows."""
    shown = {int(edge.energy_j) for edge in watched.edges}
    return [
        t_s for number, t_s in enumerate(watched.updates, start=1) if start_s <= t_s < end_s and number not in shown
    ]


def assert_brackets_hold(watched: Watched, start_s: float = 0.0) -> None:
    """Each edge's interval contains the update that it is of; its value says which that is."""
    for edge in watched.between(start_s, float("inf")):
        assert edge.earliest_s <= watched.updates[int(edge.energy_j) - 1] <= edge.latest_s


@pytest.mark.parametrize("period_s", [0.02, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.05])
def test_no_update_is_missed_while_polls_are_on_time(period_s: float, jitter: float) -> None:
    seconds = max(30.0, 40 * period_s)
    watched = watch(updates_at(period_s, seconds, jitter), seconds)
    learnt_s = max(LEARNT_S, 10 * period_s)
    assert missed(watched, 2 * period_s, seconds - 2 * period_s) == []
    assert_brackets_hold(watched)
    assert watched.tracker.period_s == pytest.approx(period_s, rel=0.02)
    assert len(watched.between(learnt_s, seconds)) == pytest.approx((seconds - learnt_s) / period_s, abs=2)


@pytest.mark.parametrize(
    ("period_s", "narrowest", "paired_per_s"), [(0.02, 0.06, 8), (0.1, 0.012, 8), (1.0, 0.002, 0.9)]
)
def test_updates_are_seen_sharply_and_of_fast_counters_some_of_them(
    period_s: float, narrowest: float, paired_per_s: float
) -> None:
    """Intervals in units of the period; of a counter of 20 ms at most ten updates a second are worth two polls."""
    seconds = max(30.0, 60 * period_s)
    watched = watch(updates_at(period_s, seconds), seconds)
    start_s = seconds / 2
    widths = [(edge.latest_s - edge.earliest_s) / period_s for edge in watched.between(start_s, seconds)]
    sharp = [width for width in widths if width <= narrowest]
    assert len(sharp) >= paired_per_s * (seconds - start_s)
    assert max(widths) < 1.2


@pytest.mark.parametrize(("period_s", "most_per_s"), [(0.02, 62), (0.1, 22), (1.0, 2.5)])
def test_the_number_of_polls_is_bounded(period_s: float, most_per_s: float) -> None:
    """An update costs one poll, and ten of them a second one more."""
    seconds = max(60.0, 60 * period_s)
    watched = watch(updates_at(period_s, seconds, 0.002), seconds)
    assert watched.polls_in(seconds / 2, seconds) <= most_per_s * seconds / 2


def test_jitter_costs_sharpness_and_not_updates() -> None:
    watched = watch(updates_at(0.1, 60, 0.1), 60)
    assert missed(watched, 1, 59) == []
    assert_brackets_hold(watched)
    assert median(edge.latest_s - edge.earliest_s for edge in watched.between(10, 60)) < 0.06
    assert watched.polls_in(10, 60) <= 50 * 40


@pytest.mark.parametrize("period_s", [0.02, 0.1])
def test_polls_that_are_a_little_late_miss_nothing(period_s: float) -> None:
    chance = random.Random(3)
    watched = watch(updates_at(period_s, 60), 60, late_s=lambda _: chance.choice([0, 0.0001, 0.0003, 0.001]))
    assert missed(watched, 1, 59) == []
    assert_brackets_hold(watched)
    assert watched.polls_in(10, 60) <= 50 * (3 / period_s)


@pytest.mark.parametrize("period_s", [0.02, 0.1])
def test_after_a_stall_of_the_sampler_it_goes_on_as_before(period_s: float) -> None:
    """Twice nothing is polled for 0.7 s. What was missed is within an interval that contains the last of it."""
    stalls = [10.0, 20.0]

    def late_s(due_s: float) -> float:
        if stalls and due_s > stalls[0]:
            stalls.pop(0)
            return 0.7
        return 0.0

    watched = watch(updates_at(period_s, 40), 40, late_s)
    assert not stalls
    assert_brackets_hold(watched)
    gone = missed(watched, 1, 39)
    assert gone
    assert all(10 <= t_s <= 10.8 or 20 <= t_s <= 20.8 for t_s in gone)
    wide = [edge for edge in watched.between(1, 40) if edge.latest_s - edge.earliest_s > 1.75 * period_s]
    assert len(wide) == 2
    assert watched.tracker.period_s == pytest.approx(period_s, rel=0.01)


def test_a_counter_that_drifts_is_followed() -> None:
    """Its period grows by 20 % within a minute."""
    updates, t_s = [], 0.0
    while t_s < 61:
        updates.append(t_s)
        t_s += 0.1 * (1 + 0.2 * t_s / 60)
    watched = watch(updates, 60)
    assert missed(watched, 1, 59) == []
    assert_brackets_hold(watched)
    assert watched.tracker.period_s == pytest.approx(0.12, rel=0.02)


def test_a_pace_that_changes_at_once_is_lost_and_found_again() -> None:
    updates = [*updates_at(0.02, 9), *(10.5 + n * 0.1 for n in range(300))]
    watched = watch(updates, 40)
    assert_brackets_hold(watched)
    assert watched.tracker.period_s == pytest.approx(0.1, rel=0.01)
    assert missed(watched, 10.6, 39) == []


def test_a_counter_that_stands_still_is_asked_seldom_and_found_again() -> None:
    """It stands still from 10 s to 40 s: an idle GPU of a driver that gates its counter."""
    grid = updates_at(0.1, 60)
    watched = watch([t_s for t_s in grid if not 10 < t_s < 40], 60)
    assert_brackets_hold(watched)
    assert watched.polls_in(15, 40) <= 25 * 51
    assert missed(watched, 42, 59) == []
    first = watched.between(40, 41)[0]
    assert first.latest_s - first.earliest_s <= 0.03, "asked every 20 ms meanwhile"
    assert watched.tracker.period_s == pytest.approx(0.1, rel=0.01)
    late = [edge.latest_s - edge.earliest_s for edge in watched.between(45, 60)]
    assert median(late) < 0.002


def test_a_counter_that_never_moves_is_no_load() -> None:
    watched = watch([], 60)
    assert watched.edges == []
    assert watched.tracker.period_s is None
    assert watched.polls_in(2, 60) <= 58 * 51


def test_a_reset_is_an_update_like_any_other_and_changes_no_pace() -> None:
    """The harness judges it by the value that fell."""
    watched = watch(updates_at(0.1, 40), 40, value_at=lambda number: float(number if number < 200 else number - 199))
    fell = [after for before, after in pairwise(watched.edges) if after.energy_j < before.energy_j]
    assert [edge.energy_j for edge in fell] == [1.0]
    (edge,) = fell
    assert edge.earliest_s <= watched.updates[199] <= edge.latest_s
    assert len(watched.between(3, 39)) == pytest.approx(360, abs=1)


@pytest.mark.parametrize("period_s", [0.001, 0.005])
def test_a_counter_faster_than_10_ms_counts_as_current_whenever_it_is_read(period_s: float) -> None:
    watched = watch(updates_at(period_s, 30), 30)
    settled = watched.between(2, 30)
    assert watched.polls_in(2, 30) == pytest.approx(28 * 50, rel=0.02)
    assert len(settled) == pytest.approx(28 * 50, rel=0.02)
    assert_brackets_hold(watched, start_s=2)
    assert all(edge.latest_s - edge.earliest_s <= period_s * 1.1 + CALL_S for edge in settled)


def test_a_poll_that_fails_is_made_again_soon_and_its_interval_allows_for_it() -> None:
    watched = watch(updates_at(0.1, 30), 30, fails=lambda t_s: 10 <= t_s < 11)
    assert_brackets_hold(watched)
    assert watched.polls_in(10, 11) <= 51
    gone = missed(watched, 1, 29)
    assert gone
    assert all(9.9 <= t_s < 11.1 for t_s in gone)
    assert watched.between(11, 11.1)[0].earliest_s < 10


def test_the_first_value_is_no_update() -> None:
    tracker = EdgeTracker(5.0)
    assert tracker.due_s == 5.0
    assert tracker.saw(5.0, 5.1, 3.0) is None
    assert tracker.due_s > 5.1
    assert tracker.saw(5.2, 5.3, 4.0) == CounterEdge(5.0, 5.3, 4.0)
