"""What every dispatcher can do, whatever it starts runs in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from orchestrator.campaign.schema import Dispatching
from runners.contract.description import Description
from runners.contract.paths import ENV_CAMPAIGN_ID, ENV_CAMPAIGN_NAME, ENV_CYCLE, ENV_CYCLES, AttemptName
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
    host_sample_hz: float | None = None
    """How often the host samples the CPU's energy beside it; None: it does not."""

    @property
    def context(self) -> dict[str, str]:
        """The variables that tell a runner which campaign it is part of."""
        return {
            ENV_CAMPAIGN_ID: self.campaign,
            ENV_CAMPAIGN_NAME: self.campaign,
            ENV_CYCLE: str(self.name.cycle),
            ENV_CYCLES: str(self.cycles),
        }


class Ending(NamedTuple):
    """How an attempt that left no word ended, as far as whoever started it can tell."""

    exit_code: int | None
    """Negative for a signal; None if it was not our child."""
    out_of_memory: bool = False
    """Whether the kernel ended something in its container for want of memory."""


class LiveAttempt(Protocol):
    """An attempt that was started, by this process or by one that is gone."""

    @property
    def name(self) -> AttemptName:
        """Which attempt it is."""

    @property
    def age_s(self) -> float:
        """Seconds since it was started; below 0 while it is still to begin, once what it runs in has settled."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, but no longer than this; whether it has.

        Raises:
            MachineError: the machine started nothing, or what it started runs in does not answer.
        """

    def ending(self) -> Ending:
        """How it ended, once it has."""

    def owned(self, pids: Collection[int]) -> set[int]:
        """Which of these processes are its own, by the process ids of this machine. May be asked in another thread.

        Raises:
            MachineError: what it runs in does not answer.
        """

    def stop(self) -> None:
        """End it and all that it started, gently at first; return once everything is confirmed dead.

        Raises:
            MachineError: that cannot be confirmed.
        """


class Dispatcher(Protocol):
    """A way to start the runs of one campaign. One serves all of them."""

    @property
    def dispatching(self) -> Dispatching:
        """As it was chosen."""

    @property
    def how(self) -> str:
        """What it starts, in a few words for the screen."""

    @property
    def caveat(self) -> str | None:
        """What speaks against measuring this way; None if nothing does."""

    def missing_images(self) -> Sequence[str]:
        """The images that have to be built before anything can start, by their backends."""

    def build_images(self, *, quiet: bool, should_stop: Callable[[], bool]) -> None:
        """Build those, the progress going to standard error unless it is to be quiet.

        Raises:
            MachineError: that failed.
            InterruptedCampaignError: ``should_stop`` said so.
        """

    def check(self, gpus: Sequence[Gpu]) -> None:
        """Look whether runs can be started on these GPUs, or on the CPU if there are none; starts nothing.

        Raises:
            MachineError: something is missing.
        """

    def open(self) -> None:
        """Make ready what all runs share, once this orchestrator holds the campaign.

        Raises:
            MachineError: a run would not find what it needs.
        """

    def close(self) -> None:
        """End what :meth:`open` or a run left standing."""

    def seen_as(self, path: Path) -> str:
        """Where a runner sees a file or folder that the campaign names."""

    def image_digest(self, backend: str) -> str | None:
        """The image that runs of a backend are started in; None where there is none."""

    def description(self, backend: str, *, ask: bool = True) -> Description | None:
        """What a runner of a backend says of itself where its runs are started.

        Args:
            backend: one of the campaign's, after :meth:`check`.
            ask: whether it may be asked, which imports the engine; else None unless it is known already.

        Raises:
            MachineError: it does not say, or runs cannot be started so.
        """

    @property
    def samples_cpu(self) -> bool:
        """Whether the CPU's energy is sampled beside a run, which cannot read it from where it is."""

    def start(self, attempt: Attempt) -> LiveAttempt:
        """Start an attempt.

        Raises:
            MachineError: the machine starts nothing.
        """

    def find_live(self, attempts: Path) -> Sequence[LiveAttempt]:
        """Attempts working below this folder that an earlier orchestrator left alive.

        Remains of attempts whose runner is dead are stopped, and not among them.
        """
