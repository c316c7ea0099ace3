"""A circuit breaker: while a machine ails, runs are not burnt on it one after another. Pure; the clock is handed in.

Closed, it counts runs that failed in a row of what tells of an ailing machine. Too many open it: nothing is started
for a while. Then one run probes, half open. If it comes through, the breaker closes; if it fails, it opens again for
twice as long; after so many such probes it is broken, and the campaign stops.
"""

from __future__ import annotations

from typing import Literal

from orchestrator.campaign.settings import Failures

State = Literal["closed", "open", "half-open", "broken"]


class Breaker:
    """The breaker of one campaign.

    Args:
        settings: when it opens, for how long, and when it gives up.
    """

    def __init__(self, settings: Failures) -> None:
        self._settings = settings
        self._failed: set[int] = set()
        self._until_s = 0.0
        self._probe: int | None = None
        self.state: State = "closed"
        self.failed_probes = 0

    @property
    def in_a_row(self) -> int:
        """How many runs failed so since the last that came through."""
        return len(self._failed)

    @property
    def pause_s(self) -> float:
        """How long it stays open, counted from when it opened last."""
        return self._settings.breaker_pause_s * 2.0**self.failed_probes

    @property
    def probes_left(self) -> int:
        """How many probes may still fail."""
        return self._settings.breaker_probes - self.failed_probes

    def may_start(self, now_s: float, at_work: int) -> bool:
        """Whether a run may be started; while it is not closed, only one alone, as a probe."""
        if self.state == "open":
            return now_s >= self._until_s and at_work == 0
        return self.state == "closed"

    def admits(self, run: int) -> bool:
        """Whether a run that paused since it was let through may still be started."""
        return self.state == "closed" or run == self._probe

    def started(self, run: int) -> None:
        """A run is started; the first one after a pause is the probe."""
        if self.state == "open":
            self.state, self._probe = "half-open", run

    def passed(self) -> bool:
        """A run came through, the probe or one that was at work meanwhile. Whether that closed the breaker."""
        was = self.state
        self._failed.clear()
        self.state, self._probe, self.failed_probes = "closed", None, 0
        return was != "closed"

    def failed(self, run: int, *, ailing: bool, now_s: float) -> bool:
        """An attempt at a run failed; a run that is tried again counts once. Whether that opened the breaker.

        A failure of the run's own says nothing of the machine: it neither counts nor clears the count, and as a probe
        it is void.
        """
        probed = self.state == "half-open" and run == self._probe
        if ailing:
            self._failed.add(run)
        if probed:
            self._probe = None
            if not ailing:
                self.state = "open"
                return False
            self.failed_probes += 1
            if self.failed_probes >= self._settings.breaker_probes:
                self.state = "broken"
                return False
        elif self.state != "closed" or not ailing or not self._too_many():
            return False
        self.state, self._until_s = "open", now_s + self.pause_s
        return True

    def _too_many(self) -> bool:
        most = self._settings.breaker
        return most is not None and len(self._failed) >= most
