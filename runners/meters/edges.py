"""When to poll an energy counter so that every update is seen, and seen sharply, at little cost. Pure.

A counter is updated at a steady pace. The tracker first polls fast, to learn period and phase; then it polls
just before and just after each update that it expects, and follows the pace as it drifts.
"""

from __future__ import annotations

from collections import deque

from runners.contract.energy import CounterEdge, period_of

_LEARN_STEP_S = 0.001
_LEARN_EDGES = 12
_LEARN_S = 0.5
_STILL_S = 1.0
_STILL_STEP_S = 0.02
_FASTEST_PERIOD_S = 0.01
_CURRENT_STEP_S = 0.02
_LEAST_MARGIN_S = 0.0004
_MOST_MARGIN = 0.25
_PAIRS_PER_S = 10.0
_MEMORY = 16
_LOST_PERIODS = 3.0
_MOST_LATE_S = 0.002
_LATE_GAIN = 0.05


class EdgeTracker:
    """The polls of one counter. Feed it each poll; it says which updates were seen, and when to poll next.

    Updates are bracketed by two polls close together ten times a second at most; of faster counters, each
    further update is polled once, and its moment follows from the pace. A counter that is faster than 10 ms
    counts as current whenever it is read.

    Args:
        now_s: CLOCK_MONOTONIC.
    """

    def __init__(self, now_s: float) -> None:
        self.due_s = now_s
        """When to poll next, on CLOCK_MONOTONIC."""
        self.period_s: float | None = None
        """The learned period; None until it is learned."""
        self._value: float | None = None
        self._polled_s = now_s
        self._changed_s = now_s
        self._learned: list[CounterEdge] = []
        self._pace = _Pace()
        self._margin_s = _LEAST_MARGIN_S
        self._paired_s = now_s
        self._ahead = False
        self._late_s = 0.0

    def saw(self, before_s: float, after_s: float, energy_j: float) -> CounterEdge | None:
        """Takes a poll in.

        Args:
            before_s: when the counter was asked.
            after_s: when it had answered.
            energy_j: its value.

        Returns:
            The update that it shows, if it shows one.
        """
        late_s = before_s - self.due_s
        if late_s < _MOST_LATE_S:
            self._late_s += _LATE_GAIN * (late_s - self._late_s)
        edge = None
        if self._value is not None and energy_j != self._value:
            edge = CounterEdge(self._polled_s, after_s, energy_j)
            self._changed_s = after_s
        self._value, self._polled_s = energy_j, before_s
        if self.period_s is None:
            self._learn(edge, after_s)
        elif self.period_s < _FASTEST_PERIOD_S:
            self.due_s = max(self.due_s + _CURRENT_STEP_S, after_s)
            return CounterEdge(before_s - self.period_s, after_s, energy_j) if edge else None
        elif edge:
            if late_s - self._late_s < self._margin_s:  # a poll that was itself late tells nothing of the pace
                self._adjust(edge, self.period_s)
            self._expect(after_s)
        else:
            self._wait(after_s, self.period_s)
        return edge

    def failed(self, now_s: float) -> None:
        """The counter could not be read: it is asked again a little later."""
        self.due_s = now_s + _STILL_STEP_S

    def _learn(self, edge: CounterEdge | None, now_s: float) -> None:
        still = now_s - self._changed_s > _STILL_S
        self.due_s = now_s + (_STILL_STEP_S if still else _LEARN_STEP_S)
        if edge:
            self._learned.append(edge)
        if len(self._learned) <= _LEARN_EDGES or now_s - self._learned[0].latest_s < _LEARN_S:
            return
        seen = self._learned[1:]  # the first was bracketed by whatever came before
        self.period_s = period_of(seen)
        self._learned = []
        if self.period_s >= _FASTEST_PERIOD_S:
            self._pace = _Pace()
            for one in seen:
                self._pace.note(_middle(one), self.period_s)
            self._margin_s = _LEARN_STEP_S
            self._expect(now_s)

    def _wait(self, now_s: float, period_s: float) -> None:
        """Plans the next poll while the expected update has not come."""
        if now_s - self._changed_s > _LOST_PERIODS * period_s:
            self.period_s = None
            self._learned = []
            self.due_s = now_s + _LEARN_STEP_S
        elif self._ahead:
            self._ahead = False
            self.due_s = max(self._expected_s + self._margin_s - self._late_s, now_s)
        else:
            self._widen(period_s)
            self.due_s = now_s + self._margin_s

    def _adjust(self, edge: CounterEdge, period_s: float) -> None:
        """Learns from an update that was seen."""
        if self._ahead:
            # It had come already when the poll ahead of it was made.
            self._pace.note(edge.latest_s - 2 * self._margin_s, period_s)
            self._widen(period_s)
        elif edge.latest_s - edge.earliest_s < period_s / 2:
            self._pace.note(_middle(edge), period_s)
            self._paired_s = edge.latest_s
            self._margin_s = max(0.93 * self._margin_s, _LEAST_MARGIN_S)
        self.period_s = self._pace.period_s(period_s)

    def _widen(self, period_s: float) -> None:
        """Leaves more room around the next update."""
        self._margin_s = min(1.5 * self._margin_s, _MOST_MARGIN * period_s)

    def _expect(self, now_s: float) -> None:
        """Plans the polls around the next update."""
        assert self.period_s is not None
        self._expected_s = self._pace.next_s(now_s + self._margin_s, self.period_s)
        self._ahead = self._expected_s - self._paired_s > 1 / _PAIRS_PER_S - self.period_s / 2
        margin_s = -self._margin_s if self._ahead else self._margin_s
        self.due_s = max(self._expected_s + margin_s - self._late_s, now_s)


class _Pace:
    """The line through the latest updates' moments: their period is its slope."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, float]] = deque(maxlen=_MEMORY)

    def note(self, moment_s: float, period_s: float) -> None:
        """Adds the moment of an update, which is some whole number of periods after the one before it."""
        if not self._seen:
            self._seen.append((0, moment_s))
            return
        number, last_s = self._seen[-1]
        self._seen.append((number + max(round((moment_s - last_s) / period_s), 1), moment_s))

    def period_s(self, default_s: float) -> float:
        """The slope; ``default_s`` with fewer than two moments."""
        return self._line()[1] or default_s

    def next_s(self, after_s: float, period_s: float) -> float:
        """The first expected moment after one."""
        moment_s, _ = self._line()
        return moment_s + max(-(-(after_s - moment_s) // period_s), 0) * period_s

    def _line(self) -> tuple[float, float]:
        """The fitted moment of the latest update, and the slope."""
        count = len(self._seen)
        origin_s = self._seen[0][1]
        mean_number = sum(number for number, _ in self._seen) / count
        mean_s = sum(moment_s - origin_s for _, moment_s in self._seen) / count
        spread = sum((number - mean_number) ** 2 for number, _ in self._seen)
        slope_s = 0.0
        if spread:
            slope_s = sum((n - mean_number) * (t - origin_s - mean_s) for n, t in self._seen) / spread
        return origin_s + mean_s + slope_s * (self._seen[-1][0] - mean_number), slope_s


def _middle(edge: CounterEdge) -> float:
    return (edge.earliest_s + edge.latest_s) / 2
