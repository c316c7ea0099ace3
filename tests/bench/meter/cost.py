"""What the sampler takes of a core at 10 Hz, when each call takes 50 µs, and whether it misses an update."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median

from orchestrator.system.simulated_gpu.settings import SimulatedGpu
from runners.contract.energy import CounterEdge
from tests.bench.meter.figures import table
from tests.bench.meter.gpus import CURVES, Machine, machine
from tests.bench.meter.processes import Tool
from tests.bench.meter.recording import Recorder, recorder
from tests.bench.meter.truth import update_moments

CALL_S = 50e-6
PERIODS_S = (0.02, 0.1)
GPUS = (1, 2)
LEARNING_S = 3.0
TARGET_PERCENT = 1.0


def missed(simulated: Machine, edges: Sequence[CounterEdge]) -> int:
    """How many updates the sampler did not see, between the first and the last that it saw."""
    first_s, last_s = edges[0].latest_s, edges[-1].latest_s
    moments = update_moments(simulated.an_update_s, simulated.gpu.counter_period_s, first_s, last_s)
    return sum(first_s < moment_s <= last_s for moment_s in moments) - (len(edges) - 1)


def _share(sampler: Recorder, seconds: float) -> float:
    """What it takes of a core from now on, in percent."""
    begun_s, cpu_s = time.monotonic(), sampler.cpu_s()
    time.sleep(seconds)
    return 100 * (sampler.cpu_s() - cpu_s) / (time.monotonic() - begun_s)


def report(ours: Tool, peers: Sequence[Tool], scratch: Path, quick: bool) -> str:
    """The table: one recording after another."""
    del ours, peers
    seconds, runs = (5.0, 1) if quick else (15.0, 3)
    rows: list[list[object]] = []
    for period_s, count in product(PERIODS_S, GPUS):
        shares: list[float] = []
        learning: list[float] = []
        unseen = seen = 0
        for run in range(runs):
            folder = scratch / f"{period_s}-{count}-{run}"
            gpu = SimulatedGpu(curve=CURVES["square wave"], counter_period_s=period_s)
            simulated = machine(folder / "gpus", gpu, count, CALL_S)
            with recorder(simulated, folder / "sampler", count) as sampler:
                learning.append(_share(sampler, LEARNING_S) / count)
                shares.append(_share(sampler, seconds) / count)
            for series in sampler.recording().series().values():
                unseen += missed(simulated, series.edges)
                seen += len(series.edges)
        met = median(shares) <= TARGET_PERCENT and unseen == 0
        rows.append(
            [
                f"{period_s * 1e3:g} ms",
                count,
                runs,
                f"{median(shares):.2f} ({min(shares):.2f} – {max(shares):.2f})",
                f"{median(learning):.1f}",
                f"{unseen} of {seen}",
                "ok" if met else "MISSED",
            ]
        )
    header = ["counter period", "GPUs", "n", "% of one core a GPU: median (least – most)"]
    header += [f"in the first {LEARNING_S:g} s", "updates missed", "verdict"]
    note = (
        f"Each call of NVML takes {CALL_S * 1e6:.0f} µs of CPU time; {seconds:g} s a run, as the kernel counts it, "
        f"after the first {LEARNING_S:g} s, in which the sampler learns the counters' pace; updates are counted from "
        f"the first sample on. Held to: ≤ {TARGET_PERCENT:g} %, none missed."
    )
    return f"{table(header, rows)}\n\n{note}"
