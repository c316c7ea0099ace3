"""Ctrl-C, SIGTERM and a terminal that closes: noted, so that the run in flight can be stopped and recorded."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from orchestrator.errors import InterruptedCampaignError


class Interrupts:
    """Which signal came, if any."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def came(self) -> bool:
        """Whether to stop."""
        return self.signal is not None


@contextmanager
def caught_signals() -> Iterator[Interrupts]:
    """Note these signals instead of dying of them, and exit with 128 plus the signal: 130, 143 or 129."""
    interrupts = Interrupts()

    def note(number: int, _: FrameType | None) -> None:
        interrupts.signal = interrupts.signal or number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield interrupts
    except InterruptedCampaignError as error:
        error.exit_code = 128 + (interrupts.signal or signal.SIGINT)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
