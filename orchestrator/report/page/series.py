"""The power of many runs, compressed one by one, for the page's script to decode when a run is opened."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis.groups import Group
from orchestrator.report.answers import Answers
from orchestrator.report.charts.power import Stretch, phase_rows
from orchestrator.report.power import MOST_SAMPLES, Power, Sample, power_of
from orchestrator.results.folders import CampaignFolder
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

_TICK_S = 0.001
_STEPS = 2000
"""Of power between 0 and a trace's highest: finer than a screen shows."""
_MOST_SAMPLES = 400_000
"""Of all runs together, which take about 2 MB."""
_LEAST_SAMPLES = 60
_FACTS = ("energy_j", "power_mean_w", "power_max_w", "duration_s", "output_tokens_per_s")


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run whose power the page can show."""

    run_id: str
    group: str
    """The label of its group."""
    title: str
    """Within its group."""
    data: str
    """What the script decodes: raw deflate of JSON, in base 64."""


def opened_runs(answers: Answers) -> list[OpenedRun]:
    """Of each run that was read whole and recorded its power, in the order of the ranking."""
    folder = CampaignFolder(answers.table.folder)
    sources = sum(len(result.sources) for result in answers.readings)
    most = max(_LEAST_SAMPLES, min(MOST_SAMPLES, _MOST_SAMPLES // max(sources, 1)))
    found = []
    for result in _in_order([one.group for one in answers.standings], answers.readings):
        power = power_of(folder.run_folder(result.experiment_id, result.cycle), result, most)
        if power:
            label = answers.labels[result.run_id]
            title = f"cycle {result.cycle}" + ("" if result.verdict == "good" else f" · {result.verdict}")
            found.append(OpenedRun(result.run_id, label, title, _packed(f"{label} · {title}", power, result)))
    return found


def deflated(text: str) -> str:
    """A text as the page's script decodes it: raw deflate, in base 64."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(squeezed.compress(text.encode()) + squeezed.flush()).decode()


def _in_order(groups: Sequence[Group], results: Sequence[RunResult]) -> list[RunResult]:
    """Every run that was read, those that no answer rests on last."""
    counting = (run for group in groups for run in group.frame["run_id"])
    place = {run: number for number, run in enumerate(counting)}
    return sorted(results, key=lambda result: place.get(result.run_id, len(place)))


def _packed(title: str, power: Power, result: RunResult) -> str:
    content = {
        "title": title,
        "description": f"Power over time of {title}, in watts, by source: "
        + "; ".join(f"{one.source.name} {_between(one.samples)}" for one in power.traces),
        "facts": _facts(power, result),
        "phases": phase_rows(
            [Stretch(mark.phase, round(mark.start_s, 3), round(mark.end_s, 3)) for mark in power.marks]
        ),
        "traces": [[one.source.name, *_steps(one.samples)] for one in power.traces],
    }
    return deflated(json.dumps(content, separators=(",", ":")))


def _between(samples: Sequence[Sample]) -> str:
    watts = [power_w for _, power_w in samples]
    return f"{min(watts):.3g} to {max(watts):.3g}"


def _steps(samples: Sequence[Sample]) -> tuple[float, list[int], list[int]]:
    """The watts of a step; times and powers as differences of whole steps: small numbers, which compress well."""
    step_w = max(max(power_w for _, power_w in samples) / _STEPS, 0.001)
    times = [round(t_s / _TICK_S) for t_s, _ in samples]
    powers = [round(power_w / step_w) for _, power_w in samples]
    return step_w, _differences(times), _differences(powers)


def _differences(values: Sequence[int]) -> list[int]:
    return [value - before for value, before in zip(values, [0, *values[:-1]], strict=True)]


def _facts(power: Power, result: RunResult) -> str:
    simulated = result.backend == "simulated"
    method = f" ({result.energy_method})" if result.energy_method in ("estimated", "simulated") else ""
    said: list[Any] = [
        f"{quantity.title} {quantity.show(value)} {quantity.unit}"
        + (" (simulated)" if simulated else method * quantity.of_energy)
        for quantity in (QUANTITIES[name] for name in _FACTS)
        if (value := quantity.of(result)) is not None
    ]
    for one in power.traces:
        if one.by_counter:
            said.append(f"{one.source.name}: watts from steps of its energy counter")
        if one.recorded > len(one.samples):
            said.append(f"{one.source.name}: {len(one.samples)} of {one.recorded:,} samples, the extremes kept")
    if power.marks_left_out:
        said.append(f"{power.marks_left_out:,} prefill and decode phases are not drawn")
    return " · ".join(said)
