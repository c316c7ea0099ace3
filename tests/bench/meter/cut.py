"""Windows cut afterwards from one recording: ours beside the ideal estimator, and whether the bounds hold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from orchestrator.system.simulated_gpu.settings import SimulatedGpu
from runners.contract.series import Series
from tests.bench.meter.figures import Spread, error_percent, spread, table
from tests.bench.meter.gpus import CURVES, Machine, machine
from tests.bench.meter.processes import Tool
from tests.bench.meter.recording import recorder
from tests.bench.meter.truth import ideal_energy_j, update_moments

LENGTHS_S = (0.3, 1.0, 3.0, 10.0)
PERIODS_S = (0.02, 0.1)
JITTER_S = 0.002
LEARNING_S = 3.0
"""From the sampler's start to the first window, in which it learns the counter's pace."""
MARGIN_S = 0.5
"""From the last window to the end of the recording."""
TARGET = 1.1


@dataclass(frozen=True)
class Cut:
    """The errors over many windows of one length, and how many were within their bounds."""

    ours: Spread
    ideal: Spread
    within: int

    @property
    def ratios(self) -> tuple[float, float]:
        """Ours over the ideal's: median and 95th percentile."""
        return self.ours.median / self.ideal.median, self.ours.p95 / self.ideal.p95


def cut(simulated: Machine, series: Series, first_s: float, last_s: float, nominal_s: float, count: int) -> Cut:
    """Cut so many windows, at random phase and 20 % longer or shorter, out of a recording."""
    random = Random(count)
    truth, gpu = simulated.truth, simulated.gpu
    updates_s = update_moments(simulated.an_update_s, gpu.counter_period_s, first_s, last_s)
    ours, ideal, within = [], [], 0
    for _ in range(count):
        length_s = nominal_s * random.uniform(0.8, 1.2)
        start_s = random.uniform(first_s, last_s - length_s)
        end_s = start_s + length_s
        true_j = truth.energy_j(start_s, end_s)
        energy = series.energy(start_s, end_s).energy
        assert energy.low is not None
        assert energy.high is not None
        ours.append(error_percent(energy.joules, true_j))
        ideal.append(error_percent(ideal_energy_j(truth, updates_s, start_s, end_s), true_j))
        within += energy.low <= true_j <= energy.high
    return Cut(spread(ours), spread(ideal), within)


def report(ours: Tool, peers: Sequence[Tool], scratch: Path, quick: bool) -> str:
    """The table: one recording for each curve and counter, all of them at the same time."""
    del ours, peers
    seconds, count = (20.0, 200) if quick else (200.0, 2000)
    kinds = [(curve, period_s, jitter_s) for jitter_s in (0.0, JITTER_S) for curve in CURVES for period_s in PERIODS_S]
    with ExitStack() as stack:
        machines = [
            machine(
                scratch / f"gpu-{number}",
                SimulatedGpu(curve=CURVES[curve], counter_period_s=period_s, counter_jitter_s=jitter_s),
            )
            for number, (curve, period_s, jitter_s) in enumerate(kinds)
        ]
        recorders = [
            stack.enter_context(recorder(simulated, scratch / f"sampler-{number}"))
            for number, simulated in enumerate(machines)
        ]
        first_s = time.monotonic() + LEARNING_S
        time.sleep(seconds)
        last_s = time.monotonic() - MARGIN_S
    rows: list[list[object]] = []
    for (curve, period_s, jitter_s), simulated, sampler in zip(kinds, machines, recorders, strict=True):
        (series,) = sampler.recording().series().values()
        for nominal_s in LENGTHS_S:
            found = cut(simulated, series, first_s, last_s, nominal_s, count)
            rows.append(_row(curve, period_s, jitter_s, nominal_s, found))
    header = ["curve", "counter period", "window", "n", "ours: median, % (quartiles)", "p95, %", "ideal: median, %"]
    header += ["p95, %", "ours ÷ ideal: median", "p95", "within [low, high]", "verdict"]
    note = (
        f"Recordings of {seconds:g} s, {len(kinds)} of them at the same time; lengths ± 20 %. The ideal estimator "
        "knows the exact moment and energy of each update and interpolates linearly; beside a counter with jitter it "
        f"has the same counter without. Held to: ratios ≤ {TARGET:g}, all within; with jitter to nothing."
    )
    return f"{table(header, rows)}\n\n{note}"


def _row(curve: str, period_s: float, jitter_s: float, nominal_s: float, found: Cut) -> list[object]:
    met = max(found.ratios) <= TARGET and found.within == found.ours.count
    counter = f"{period_s * 1e3:g} ms" + (f" ± {jitter_s * 1e3:g} ms" if jitter_s else "")
    return [
        curve,
        counter,
        f"{nominal_s:g} s",
        found.ours.count,
        found.ours,
        f"{found.ours.p95:.3g}",
        f"{found.ideal.median:.3g}",
        f"{found.ideal.p95:.3g}",
        *(f"{ratio:.3f}" for ratio in found.ratios),
        f"{100 * found.within / found.ours.count:.4g} %",
        "" if jitter_s else "ok" if met else "MISSED",
    ]
