"""In-memory stand-ins for what a dispatcher starts, behind the protocols of orchestrator.dispatch.base."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.dispatch.base import Ending, LiveAttempt
from runners.contract.paths import AttemptName


@dataclass(eq=False)
class FakeAttempt:
    """An attempt that lives until its script is played: one step a wait, then it has ended."""

    name: AttemptName
    script: list[Callable[[], object]] = field(default_factory=list)
    code: int | None = 0
    age_s: float = 0.0
    stopped: bool = False
    pids: set[int] = field(default_factory=set)

    def wait(self, timeout_s: float) -> bool:
        if self.stopped or not self.script:
            return True
        self.script.pop(0)()
        return False

    def ending(self) -> Ending:
        return Ending(-15 if self.stopped else self.code)

    def owned(self, pids: Collection[int]) -> set[int]:
        return set(pids) & self.pids

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeDispatcher:
    """Knows what is alive, and no more."""

    live: list[FakeAttempt] = field(default_factory=list)

    def find_live(self, attempts: Path) -> Sequence[LiveAttempt]:
        return [attempt for attempt in self.live if not attempt.stopped]
