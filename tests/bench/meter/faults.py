"""One window for each thing that can go wrong: who gives a wrong figure without a word?"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from pathlib import Path
from typing import Any

from orchestrator.system.simulated_gpu.curves import Curve, Step
from orchestrator.system.simulated_gpu.settings import Change, Fault, SimulatedGpu
from tests.bench.meter.figures import error_percent, table
from tests.bench.meter.gpus import machine
from tests.bench.meter.ours import CHECKS
from tests.bench.meter.processes import Answers, Tool, driven
from tests.bench.meter.truth import Truth

LENGTH_S = 5.0
"""Of the window, which opens at the origin: the machine idled before, and is at work when it closes. Its power differs
before, within and after, so that what is missed or shifted shows."""
SET_UP_S = 20.0
"""From the start of the processes to the window: they have imported, started and tried what they need by then."""
WRONG_PERCENT = 5.0
"""More than the tool is off by on a GPU in order: what a method costs is the other table's matter."""

_LOAD = Curve((Step(0.6, 110.0), Step(1.8, 320.0), Step(0.6, 120.0), Step(600.0, 560.0)), before_w=90.0)
_BURSTS = Curve((Step(0.7, 900.0), Step(0.5, 300.0)), before_w=90.0)
# The limit that the GPU states is 700 W all the time: the setting only lets the curve pass.
_LIMIT = (Change("power_limit_w", 700.0, -inf),)

_IN_ORDER = "nothing"
CASES: dict[str, dict[str, Any]] = {
    _IN_ORDER: {},
    "GPU lost in the middle": {"faults": (Fault("lost", 2.0),)},
    "read errors at the start": {"faults": (Fault("error", -0.4, 1.0),)},
    "read errors in the middle": {"faults": (Fault("error", 1.5, 2.5),)},
    "read errors at the end": {"faults": (Fault("error", 4.6, 5.6),)},
    "counter stuck": {"faults": (Fault("stuck", 1.5),)},
    "counter reset": {"faults": (Fault("reset", 2.0),)},
    "counter missing": {"faults": (Fault("missing"),)},
    "permission denied": {"faults": (Fault("permission"),)},
    "publication 0.3 s late": {"counter_delay_s": 0.3},
    "power beyond the limit": {"curve": _BURSTS, "power_limit_w": 1000.0, "changes": _LIMIT},
}


class Outcome(Enum):
    """What a tool made of a fault."""

    RIGHT = "right"
    REFUSED = "refused"
    """No figure, an exception, or a failed check."""
    WARNED = "wrong, with a warning"
    SILENT = "WRONG"
    """Without a word."""


@dataclass(frozen=True)
class Case:
    """One tool on one fault."""

    outcome: Outcome
    error_percent: float
    said: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.outcome is Outcome.REFUSED:
            return str(self.outcome.value)
        error = f"{self.error_percent:.3g} %"
        return error if self.outcome is Outcome.RIGHT else f"{self.outcome.value}: {error}"


@dataclass(frozen=True)
class Usual:
    """A tool on a GPU in order."""

    error_percent: float
    said: frozenset[str]
    """The kinds of its warnings and failed checks: they are no sign of a fault."""


_UNKNOWN = Usual(inf, frozenset())


def judge(answers: Answers, truth: Truth, usual: Usual) -> Case:
    """What to call the answer to one window.

    Args:
        answers: of the tool, on a GPU with a fault.
        truth: what the GPU really spent.
        usual: what it says with nothing wrong.
    """
    said = [text for text in answers.signs if kind_of(text) not in usual.said]
    if answers.failure is not None or not answers.windows:
        return Case(Outcome.REFUSED, 100.0, [*said, answers.failure or "no answer"])
    window = answers.windows[0]
    failed = [check for check in window.get("failed", []) if kind_of(check) not in usual.said]
    error = error_percent(window["energy_j"], truth.energy_j(window["begun_s"], window["ended_s"]))
    if window["error"] is not None or failed:
        return Case(Outcome.REFUSED, error, [*said, *failed, *filter(None, [window["error"]])])
    if window["energy_j"] is None:
        return Case(Outcome.REFUSED, error, [*said, "no figure"])
    if error <= usual.error_percent + WRONG_PERCENT and _within(window, truth):
        return Case(Outcome.RIGHT, error, said)
    return Case(Outcome.WARNED if said else Outcome.SILENT, error, said)


def kind_of(text: str) -> str:
    """A warning without its figures."""
    return re.sub(r"[\d.]+", "#", text)


def _within(window: dict[str, Any], truth: Truth) -> bool:
    """Whether the bounds, of a tool that states them, hold the truth; a tool without bounds promises none."""
    true_j = truth.energy_j(window["begun_s"], window["ended_s"])
    low_j, high_j = window.get("low_j"), window.get("high_j")
    return (low_j is None or low_j <= true_j) and (high_j is None or true_j <= high_j)


def measure(tools: Sequence[Tool], scratch: Path, quick: bool) -> dict[str, dict[str, Case]]:
    """By case and tool; the first case has no fault and teaches what each tool always says."""
    cases = dict(list(CASES.items())[:4]) if quick else CASES
    usual: dict[str, Usual] = {}
    found: dict[str, dict[str, Case]] = {}
    for name, settings in cases.items():
        origin_s = time.monotonic() + SET_UP_S
        gpu = SimulatedGpu(**{"curve": _LOAD, **settings})
        simulated = machine(scratch / name.replace(" ", "-"), gpu, origin_s=origin_s)
        plans = [(tool, [(0.0, LENGTH_S)]) for tool in tools]
        found[name] = {}
        with driven(plans, simulated, scratch / f"{name}-tools") as drivers:
            for driver in drivers:
                driver.ready()
            if time.monotonic() > origin_s - 0.5:
                raise RuntimeError(f"setting up took longer than {SET_UP_S:g} s: this machine is too busy")
            for driver in drivers:
                driver.go(origin_s - 0.02)
            for driver in drivers:
                answers = driver.wait(origin_s)
                case = judge(answers, simulated.truth, usual.get(driver.tool.name, _UNKNOWN))
                found[name][driver.tool.name] = case
                if name == _IN_ORDER:
                    usual[driver.tool.name] = Usual(case.error_percent, frozenset(map(kind_of, case.said)))
    return found


def report(ours: Tool, peers: Sequence[Tool], scratch: Path, quick: bool) -> str:
    """The table of faults and tools, and how often each was wrong without a word."""
    tools = [replace(ours, arguments=(CHECKS,)), *peers]
    found = measure(tools, scratch, quick)
    names = [tool.name for tool in tools]
    rows: list[list[object]] = [[name, *(cases[tool] for tool in names)] for name, cases in found.items()]
    faults = [cases for name, cases in found.items() if name != _IN_ORDER]
    for outcome in (Outcome.SILENT, Outcome.WARNED):
        counts = [sum(cases[tool].outcome is outcome for cases in faults) for tool in names]
        rows.append([f"**{outcome.value}, of {len(faults)}**", *counts])
    silent = sum(cases[ours.name].outcome is Outcome.SILENT for cases in faults)
    in_order = found[_IN_ORDER][ours.name].outcome is Outcome.RIGHT
    verdict = "ok" if silent == 0 and in_order else "MISSED"
    note = (
        f"One window of {LENGTH_S:g} s each. Wrong: off by {WRONG_PERCENT:g} % more than with nothing wrong, or, of a "
        "tool that states bounds, outside them. Refused: no figure, an exception, or a failed critical check. A "
        "warning that a tool gives with nothing wrong, too, is no sign. Held to: ours never wrong without a "
        f"word, and right with nothing wrong: {verdict}."
    )
    said = [
        f"- {name}, {tool}: {'; '.join(dict.fromkeys(case.said))}"
        for name, cases in found.items()
        for tool, case in cases.items()
        if case.said and (name != _IN_ORDER or tool == ours.name)
    ]
    return "\n\n".join([table(["fault", *names], rows), note, "What was said:", "\n".join(said)])
