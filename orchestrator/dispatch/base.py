"""What every dispatcher can do, whatever it starts runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runners.contract.paths import AttemptName
from runners.contract.request import Gpu


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a run, ready to be started: its folder holds the request."""

    name: AttemptName
    folder: Path
    backend: str
    campaign: str
    cycles: int
    gpus: tuple[Gpu, ...]


class LiveAttempt(Protocol):
    """An attempt that was started, by this process or by one that is gone."""

    @property
    def name(self) -> AttemptName:
        """Which attempt it is."""

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has."""

    def exit_code(self) -> int | None:
        """Its exit code once it has ended, negative for a signal; None if it was not our child."""

    def stop(self) -> None:
        """End it and all that it started, gently at first; return once everything is confirmed dead."""


class Dispatcher(Protocol):
    """A way to start runs. One serves a whole campaign."""

    name: str

    def missing(self, backend: str) -> tuple[str, str] | None:
        """What a backend lacks here, and what to do about it; None if it can be started."""

    def start(self, attempt: Attempt) -> LiveAttempt:
        """Start an attempt."""

    def find_live(self, attempts: Path) -> Sequence[LiveAttempt]:
        """Attempts working below this folder that an earlier orchestrator left alive.

        Remains of attempts whose runner is dead are stopped, and not among them.
        """
