"""Shows what a campaign of several runs at once tells, step by step, to whoever runs this in a terminal.

Each line of standard input goes one step on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.cli.console import watching
from orchestrator.cli.options import Running
from orchestrator.execution.events import (
    BreakerClosed,
    BreakerOpened,
    CampaignEvent,
    CampaignStarted,
    CycleStarted,
    GapEnded,
    GapStarted,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunRetried,
    RunStarted,
)
from runners.contract.events import RunnerEvent
from runners.contract.paths import FailureKind
from runners.contract.request import Gap
from tests.builders import experiment, identity, run_result

CYCLE = 2
RESULTS = Path("results/parallel").resolve()


def name(slot: int) -> str:
    return identity(experiment(batch_size=slot + 1, tokens_per_s=100.0))


def started(slot: int) -> RunStarted:
    return RunStarted(name(slot), CYCLE, 1, slot + 1, 24, adopted=False, gpus=(slot,))


def progress(slot: int, done: int) -> RunProgress:
    said = RunnerEvent(event="progress", phase="window", done=done, total=32, power_w=231.4 + slot)
    return RunProgress(name(slot), CYCLE, said)


def failed(slot: int) -> RunFailed:
    folder = RESULTS / "attempts" / f"{name(slot)}.c002.a1"
    return RunFailed(name(slot), CYCLE, 1, FailureKind.CRASHED, "died of [red]that[/red]", "see its log", folder)


def completed(slot: int) -> RunCompleted:
    result = run_result(experiment(batch_size=slot + 1, tokens_per_s=100.0), cycle=CYCLE, energy_method="simulated")
    return RunCompleted(name(slot), CYCLE, RESULTS / "runs" / name(slot) / "c002", result)


STEPS: list[list[CampaignEvent]] = [
    [
        CampaignStarted("parallel", 24, 8, 16, 3, "local", "a subprocess a run", "8 × Simulated GPU", RESULTS, ()),
        CycleStarted(CYCLE, 3),
        *(started(slot) for slot in range(8)),
        *(progress(slot, slot + 3) for slot in range(8)),
    ],
    [completed(0), RunRetried(failed(1), 10.0, 1), failed(2)],
    [GapStarted("experiments", 30.0, True, (0,)), GapStarted("experiments", 30.0, False, (1,))],
    [GapEnded(Gap(between="experiments", duration_s=12.0, ended_by="cool"), (0,)), started(0)],
    [BreakerOpened(5, failed(3), 60.0, 3)],
    [BreakerClosed()],
]


def main() -> None:
    """Take one step after another."""
    modes = set(sys.argv[1:])
    running = Running(None, None, None, False, False, "quiet" in modes, "verbose" in modes, "json" in modes)
    with watching(running) as observer:
        for step in STEPS:
            for event in step:
                observer(event)
            sys.stdin.readline()


if __name__ == "__main__":
    main()
