"""Charts of made-up answers, for tests of how they are specified and drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from orchestrator.analysis.best import Best, Ranked
from orchestrator.analysis.effects import Effect, Level
from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval
from orchestrator.analysis.summary import Summary
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.effects import effects_chart
from orchestrator.report.charts.front import Spot, front_chart
from orchestrator.report.charts.power import Sample, Stretch, power_chart
from orchestrator.report.charts.ranking import ranking_chart

HOSTILE = "模型 <img src=x onerror=alert(1)> \"'\\ ${x} </script> نموذج"
ENERGY = "energy_per_output_token_j"


def interval(estimate: float, share: float = 0.04) -> Interval:
    return Interval(estimate, estimate * (1 - share), estimate * (1 + share), 0.95, "log-t", 6)


def group(label: str, backend: str = "vllm", method: str | None = "counter") -> Group:
    return Group(label, {}, pd.DataFrame({"backend": [backend], "energy_method": [method]}))


def best(estimates: Sequence[float], labels: Sequence[str] = (), **of: str) -> Best:
    """A ranking in which those within 10 % of the first are not told apart from it."""
    names = [*labels, *(f"batch_size {2**number}" for number in range(len(labels), len(estimates)))]
    ranking = [
        Ranked(group(name, **of), interval(value), None if not place else value > 1.1 * estimates[0], estimate=value)
        for place, (name, value) in enumerate(zip(names, estimates, strict=True))
    ]
    return Best(ENERGY, "lower", ranking, "made up")


def spot(x: float | None, y: float | None, on_front: bool, number: int | None = None, label: str = "a") -> Spot:
    of = group(label)
    return Spot(_summary(of, "ttft_s.p50", x), _summary(of, ENERGY, y), on_front, number)


def _summary(of: Group, metric: str, value: float | None) -> Summary:
    return Summary(of, metric, 6, 6, value, value, None if value is None else interval(value), 0.02, None, None)


def effect(parameter: str, *ratios: float | None) -> Effect:
    levels = [Level(1, None, 6), *(Level(2**n, None if r is None else interval(r), 6) for n, r in enumerate(ratios, 1))]
    return Effect(parameter, levels)


def all_charts() -> list[Chart]:
    """One of each kind, with a name in it that is not to be taken for markup."""
    samples = [
        Sample(source, t / 10, 60 + more + (200 + 30 * math.sin(t / 9)) * (0 <= t <= 500))
        for source, more in (("GPU-1", 0), (HOSTILE, 40))
        for t in range(-200, 550)
    ]
    phases = [Stretch("baseline", -20, -15), Stretch("load", -15, -8), Stretch("window", 0, 50)]
    phases += [Stretch("prefill", start, start + 0.4) for start in range(0, 50, 2)]
    phases += [Stretch("decode", start + 0.4, start + 2.0) for start in range(0, 50, 2)]
    return [
        ranking_chart(best([0.31, 0.32, 0.4, 0.5], ["batch_size 8", HOSTILE])),
        front_chart([spot(0.05, 0.31, True, 1, HOSTILE), spot(0.04, 0.4, True, 2), spot(0.06, 0.5, False, 3)]),
        effects_chart([effect("batch_size", 0.7, 0.5), effect(HOSTILE, 1.01, None, 1.2)], ENERGY),
        power_chart(HOSTILE, samples, phases, "simulated"),
    ]


def bare_charts() -> list[Chart]:
    """Charts of as little as there can be: no front, a front of very many, no prefill or decode."""
    many = [spot(0.01 * number, 1 / number, True, number) for number in range(1, 130)]
    return [
        front_chart([spot(0.05, 0.31, False, 1)]),
        replace(front_chart(many), id="front-of-many"),
        power_chart("bare", [Sample("GPU-1", 0.0, 60.0)], [Stretch("window", 0.0, 1.0)]),
        ranking_chart(best([0.3])),
        effects_chart([effect("batch_size", 1.0)], ENERGY),
    ]
