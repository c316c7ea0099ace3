"""Live windows at random phase and of random length: every tool beside every other, on both curves."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from orchestrator.system.simulated_gpu.settings import SimulatedGpu
from tests.bench.meter.figures import Spread, error_percent, spread, table
from tests.bench.meter.gpus import CURVES, machine
from tests.bench.meter.processes import Driven, Tool, driven
from tests.bench.meter.truth import Truth

LENGTHS_S = (0.3, 1.0, 3.0, 10.0)
COUNTER_PERIOD_S = 0.1
GAP_S = 0.6
"""Between two windows of a process: more than any tool takes to end one and begin the next."""


@dataclass(frozen=True)
class Planned:
    """One window of a process."""

    nominal_s: float
    start_s: float
    length_s: float


def plan(lengths_s: Sequence[float], count: int, seed: int) -> list[Planned]:
    """So many windows a length, shuffled; each 20 % longer or shorter and up to 0.2 s later than its turn."""
    random = Random(seed)
    nominal = [length_s for length_s in lengths_s for _ in range(count)]
    random.shuffle(nominal)
    windows: list[Planned] = []
    turn_s = 0.0
    for nominal_s in nominal:
        window = Planned(nominal_s, turn_s + random.uniform(0, 0.2), nominal_s * random.uniform(0.8, 1.2))
        windows.append(window)
        turn_s = window.start_s + window.length_s + GAP_S - 0.2
    return windows


@dataclass(frozen=True)
class Errors:
    """A tool's errors at one length on one curve."""

    curve: str
    tool: str
    version: str
    nominal_s: float
    spread: Spread
    missing: int
    """Windows without a figure; each counts as an error of 100 %."""


def measure(ours: Tool, peers: Sequence[Tool], count: int, lengths_s: Sequence[float], scratch: Path) -> list[Errors]:
    """Everything at once: a process for each tool, curve, and half of the lengths (the longest beside the others)."""
    halves = [half for half in (lengths_s[:-1], lengths_s[-1:]) if half]
    found: list[Errors] = []
    with ExitStack() as stack:
        running: list[tuple[str, Truth, list[Planned], Driven]] = []
        for name, curve in CURVES.items():
            gpu = SimulatedGpu(curve=curve, counter_period_s=COUNTER_PERIOD_S)
            simulated = machine(scratch / name.replace(" ", "-"), gpu)
            for rank, half in enumerate(halves):
                plans = [plan(half, count, seed=rank * 100 + position) for position in range(1 + len(peers))]
                tools = [
                    (tool, [(window.start_s, window.length_s) for window in windows])
                    for tool, windows in zip((ours, *peers), plans, strict=True)
                ]
                drivers = stack.enter_context(driven(tools, simulated, scratch / f"{name}-{rank}"))
                running += [(name, simulated.truth, *pair) for pair in zip(plans, drivers, strict=True)]
        for *_, driver in running:
            driver.ready()
        origin_s = time.monotonic() + 1
        for *_, driver in running:
            driver.go(origin_s)
        for name, truth, windows, driver in running:
            found += _errors(name, truth, windows, driver, origin_s)
    return found


def _errors(name: str, truth: Truth, windows: list[Planned], driver: Driven, origin_s: float) -> list[Errors]:
    answers = driver.wait(origin_s)
    if answers.failure is not None or len(answers.windows) != len(windows):
        raise RuntimeError(f"{driver.tool.name} on the {name}: {answers.failure or 'not all windows came back'}")
    by_length: dict[float, list[float]] = {}
    missing: dict[float, int] = {}
    for planned, seen in zip(windows, answers.windows, strict=True):
        error = error_percent(seen["energy_j"], truth.energy_j(seen["begun_s"], seen["ended_s"]))
        by_length.setdefault(planned.nominal_s, []).append(error)
        missing[planned.nominal_s] = missing.get(planned.nominal_s, 0) + (not seen["energy_j"])
    return [
        Errors(name, driver.tool.name, answers.version, nominal_s, spread(errors), missing[nominal_s])
        for nominal_s, errors in sorted(by_length.items())
    ]


def verdict(found: Sequence[Errors], ours: str, curve: str, nominal_s: float, longest_s: float) -> str:
    """Ours against the best of the peers: below it on median and p95; not above it in the longest windows."""
    same = [errors for errors in found if errors.curve == curve and errors.nominal_s == nominal_s]
    own = next(errors.spread for errors in same if errors.tool == ours)
    others = [errors.spread for errors in same if errors.tool != ours]
    pairs = [
        (own.median, min(other.median for other in others)),
        (own.p95, min(other.p95 for other in others)),
    ]
    met = all(a <= b if nominal_s >= longest_s else a < b for a, b in pairs)
    return "ok" if met else "MISSED"


def report(ours: Tool, peers: Sequence[Tool], scratch: Path, quick: bool) -> str:
    """The table, and beside it what ran at the same time."""
    lengths_s, count = (LENGTHS_S[:2], 10) if quick else (LENGTHS_S, 60)
    begun_s, busy_s = time.monotonic(), _busy_s()
    found = measure(ours, peers, count, lengths_s, scratch)
    busy = (_busy_s() - busy_s) / (time.monotonic() - begun_s) / (os.cpu_count() or 1)
    rows: list[list[object]] = []
    for curve in CURVES:
        for nominal_s in lengths_s:
            same = [errors for errors in found if (errors.curve, errors.nominal_s) == (curve, nominal_s)]
            for errors in sorted(same, key=lambda errors: (errors.tool != ours.name, errors.spread.median)):
                held = verdict(found, ours.name, curve, nominal_s, 10.0) if errors.tool == ours.name else ""
                shown = [errors.spread.count, errors.spread, f"{errors.spread.p95:.3g}", errors.missing or "", held]
                rows.append([curve, f"{nominal_s:g} s", errors.tool, errors.version, *shown])
    header = ["curve", "window", "tool", "version", "n", "median error, % (quartiles)", "p95, %"]
    header += ["no figure", "verdict"]
    note = (
        f"All at the same time, each window's phase its own: {2 * (1 + len(peers))} processes on the windows up to "
        f"{lengths_s[-2]:g} s beside as many on those of {lengths_s[-1]:g} s; the machine was {busy:.0%} busy, set-up "
        f"included. Counter period {COUNTER_PERIOD_S * 1e3:.0f} ms; lengths ± 20 %. Held to: below every peer, median "
        "and p95; at 10 s not above the best."
    )
    return f"{table(header, rows)}\n\n{note}"


def _busy_s() -> float:
    """CPU seconds that the whole machine has spent on anything."""
    user, nice, system, _, _, *rest = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    ticks = sum(map(int, (user, nice, system, *rest[:2])))
    return ticks / os.sysconf("SC_CLK_TCK")
