"""What happens while a campaign runs, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runners.contract.events import RunnerEvent
from runners.contract.paths import FailureKind
from runners.contract.request import Gap
from runners.contract.result import RunResult


@dataclass(frozen=True, slots=True)
class CampaignStarted:
    """A campaign is under way, new or resumed."""

    campaign: str
    runs: int
    completed: int
    to_run: int
    cycles: int
    dispatcher: str
    how: str
    """What the dispatcher starts, in a few words."""
    device: str
    results: Path
    mended: tuple[str, ...]
    """What the reconciliation with the folders found and did, in words."""
    unneeded: int = 0
    """Runs of experiments that are known well enough without them."""
    until: str | None = None
    """What ends the repetitions, in words; then ``runs``, ``to_run`` and ``cycles`` are the most that there can be."""


@dataclass(frozen=True, slots=True)
class CycleStarted:
    """The first run of a cycle is next."""

    cycle: int
    cycles: int


@dataclass(frozen=True, slots=True)
class GpuAwaited:
    """Before the next run something on its GPU has to pass."""

    what: str
    patience_s: float
    """After which it is refused."""


@dataclass(frozen=True, slots=True)
class GapStarted:
    """A pause before what comes next; with ``until_cool`` it may end early."""

    between: Literal["experiments", "cycles"]
    duration_s: float
    """What is left of it; a part may have passed."""
    until_cool: bool
    gpus: tuple[int, ...] = ()
    """The indices of those that rest."""


@dataclass(frozen=True, slots=True)
class GapEnded:
    """The pause is over."""

    gap: Gap
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run was started, or one left alive was taken over."""

    experiment_id: str
    cycle: int
    attempt: int
    position: int
    """Its place among all runs of the campaign, counted from 1."""
    runs: int
    adopted: bool
    gpus: tuple[int, ...] = ()
    """The indices of those that it got."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The runner said something."""

    experiment_id: str
    cycle: int
    progress: RunnerEvent


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """A run's folder is published."""

    experiment_id: str
    cycle: int
    folder: Path
    result: RunResult


@dataclass(frozen=True, slots=True)
class RunFailed:
    """An attempt gave no result."""

    experiment_id: str
    cycle: int
    attempt: int
    kind: FailureKind
    message: str
    hint: str | None
    folder: Path


@dataclass(frozen=True, slots=True)
class RunRetried:
    """An attempt gave no result, of what may pass: the run is tried again."""

    failure: RunFailed
    wait_s: float
    """After which it may be."""
    retries_left: int


@dataclass(frozen=True, slots=True)
class ExperimentKnown:
    """An experiment is known as well as ``until`` wants it: its further runs are not needed."""

    experiment_id: str
    runs: int
    """That tell it."""
    relative_half_width: float | None
    spared: int
    """Further runs of it."""
    method: str | None
    """How the energy was come by, where the metric is one of energy."""


@dataclass(frozen=True, slots=True)
class ExperimentGivenUp:
    """No run of an experiment told anything in as many cycles as it is run at least: its further runs are left out."""

    experiment_id: str
    failed: int
    spared: int
    """Further runs of it."""
    why: str
    """In words, to follow "since"."""


@dataclass(frozen=True, slots=True)
class ExperimentReopened:
    """An experiment that was to be run no more is: a run that was at work meanwhile shows that it is not known."""

    experiment_id: str
    runs: int
    relative_half_width: float | None
    needed: int
    """Further runs of it, at most."""
    method: str | None


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """So many runs failed in a row of what ails the machine that nothing is started for a while."""

    in_a_row: int
    last: RunFailed
    pause_s: float
    """After which one run probes whether it is over."""
    probes_left: int


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """A probe came through: the campaign goes on."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about how the campaign goes on that its user should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What was not known before is estimated now, from the first runs of a campaign."""

    runs: int
    """Those that it is estimated from."""
    left: int
    left_s: float
    spent_j: float | None
    """By those runs, as a rough figure for each as a whole; None: not measured."""
    left_j: float | None
    method: str | None
    """How the energy was come by."""
    above: tuple[str, ...]
    """What of it is so much that it would have been asked about before the start, in words."""
    at_most: bool = False
    """Whether fewer may do, by ``until``."""


@dataclass(frozen=True, slots=True)
class CampaignEnded:
    """Nothing more is started."""

    campaign: str
    completed: int
    failed: int
    pending: int
    """Left for another time, because it was told to end before them."""
    unneeded: int = 0
    """Not run, because their experiments are known well enough."""
    unsure: tuple[str, ...] = ()
    """Experiments that are not known as well as ``until`` wants them after all their cycles."""


@dataclass(frozen=True, slots=True)
class Notified:
    """Others were told how the campaign ended, or could not be."""

    notice: str
    webhook: str
    """As it may be shown."""
    delivered: bool
    attempts: tuple[str, ...]
    """What came of each try, in words."""


CampaignEvent = (
    CampaignStarted
    | CycleStarted
    | GpuAwaited
    | GapStarted
    | GapEnded
    | RunStarted
    | RunProgress
    | RunCompleted
    | RunFailed
    | RunRetried
    | ExperimentKnown
    | ExperimentGivenUp
    | ExperimentReopened
    | BreakerOpened
    | BreakerClosed
    | Notice
    | Foreseen
    | CampaignEnded
    | Notified
)
Observer = Callable[[CampaignEvent], None]
