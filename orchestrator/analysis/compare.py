"""Two groups of runs held against each other: how their ratio lies, how surely, and whether that can be told."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from orchestrator.analysis.comparable import blocks_among, reading_of, runs_of, unlike
from orchestrator.analysis.contrast import Contrast, contrast
from orchestrator.analysis.difference import Difference, difference_of
from orchestrator.analysis.groups import Choice, Group
from orchestrator.analysis.inference import Tested, tests_of
from orchestrator.analysis.interval import LEVEL, Interval
from orchestrator.analysis.outputs import outputs_of, same_output
from orchestrator.analysis.power import cycles_to_tell
from orchestrator.analysis.summary import meter_bounds, typical_interval, was_looked_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA: Final = 1 - LEVEL
"""How often anything at all is told apart, of all that is asked for together, where nothing differs."""

MEASURED: Final = Choice()
"""The choice that is made where none is: good runs, measured joules, environments apart."""

_Bounds = tuple[float | None, float | None]
Verdict = Literal["lower", "higher", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of ``b`` ÷ that of ``a``; what cannot be said is None."""

    a: Group
    b: Group
    metric: str
    ratio: Interval | None
    """Of b ÷ a."""
    design: str
    """How it was compared: ``paired by cycle``, ``paired by cycle, blocked by GPU``, ``unpaired``."""
    p_value: float | None
    p_adjusted: float | None
    """By Holm's step-down, over all comparisons that were asked for together."""
    verdict: Verdict
    """What b is, beside a."""
    cycles_more: int | None
    """How many further cycles of both would tell, at 80 % power, were the ratio as seen; None: told, or over 1000."""
    same_output: bool | None
    """None where they were not asked the same."""
    why_not: str = ""
    """Why the two are not compared at all, in words; empty where they are."""
    typical_a: Interval | None = None
    """Of the cycles that the ratio rests on; where it is blocked by GPU, as if on an average one."""
    typical_b: Interval | None = None
    difference: Difference | None = None
    meter_low: float | None = None
    """The meters' own bounds: the ratio lies between what is seen times this and times the next, were their errors
    independent. Errors that both share, as those of one meter do, cancel."""
    meter_high: float | None = None
    unlike_gpus: bool = False
    """They ran on unlike GPUs, and nothing tells what these add: part of the difference may be theirs."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One pair in one metric, before all are judged together."""

    a: Group
    b: Group
    metric: str
    found: Contrast | None
    why_not: str


def compare_groups(
    pairs: Sequence[tuple[Group, Group]],
    metrics: Iterable[str],
    choice: Choice = MEASURED,
    among: Iterable[Group] = (),
) -> list[Comparison]:
    """Compare each pair in each metric.

    Spread of these figures is relative, so their logs are compared: the ratio is that of geometric means. Groups of
    one campaign are paired by cycle, those of unlike ones are not. What GPUs add is taken out as the effect of a block.
    Interval and p-value are Student's t of the logs, and BCa where there are 20 cycles
    (:func:`~orchestrator.analysis.inference.tests_of`). Verdicts hold together: Holm, Scandinavian Journal of
    Statistics 6 (1979) 65-70. Each interval holds by itself.

    Args:
        pairs: the reference of each, and what is held against it.
        metrics: names of quantities.
        choice: which runs are used; estimated joules are not compared unless asked for.
        among: further groups of the same campaigns, whose runs help to tell GPUs apart.

    Returns:
        A comparison for each metric of the first pair, then of the second, and so on.
    """
    groups = {id(group): group for pair in pairs for group in pair} | {id(group): group for group in among}
    runs = {key: runs_of(group) for key, group in groups.items()}
    by_metric = []
    for metric in dict.fromkeys(metrics):
        readings = {key: reading_of(of_group, metric, choice) for key, of_group in runs.items()}
        blocks = blocks_among(readings.values())
        cases = []
        for a, b in pairs:
            of_a, of_b = readings[id(a)], readings[id(b)]
            why_not, found = unlike(of_a, of_b), None
            if of_a.sample is not None and of_b.sample is not None and not why_not:
                found = contrast(of_a.sample, of_b.sample, blocks)
                why_not = "" if found else "fewer than 2 cycles"
            cases.append(_Case(a, b, metric, found, why_not))
        by_metric.append(cases)
    return _judged([case for of_pair in zip(*by_metric, strict=True) for case in of_pair])


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for there being several, by Holm's step-down; in the order they came in."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _judged(cases: Sequence[_Case]) -> list[Comparison]:
    contrasts = [case.found for case in cases if case.found]
    tests = tests_of(contrasts, LEVEL)
    adjusted = holm([test.p_value for test in tests])
    untold = [
        found for found, test, p in zip(contrasts, tests, adjusted, strict=True) if p > ALPHA and test.p_value < 1
    ]
    still_open = sum(p > ALPHA for p in adjusted)
    more = dict(zip(map(id, untold), cycles_to_tell(untold, ALPHA / max(still_open, 1)), strict=True))
    results = iter(zip(tests, adjusted, strict=True))
    held = {id(group): group for case in cases for group in (case.a, case.b)}
    outputs = {key: outputs_of(group) for key, group in held.items()}
    bounds = {(key, name): meter_bounds(held[key], name) for key, name in _each_metric(cases)}
    typical = _Typical({key for key, group in held.items() if was_looked_at(group.frame)})
    compared = []
    for case in cases:
        same = same_output(outputs[id(case.a)], outputs[id(case.b)])
        if case.found is None:
            compared.append(_untold(case, same))
        else:
            test, p_value = next(results)
            meters = bounds[id(case.a), case.metric], bounds[id(case.b), case.metric]
            compared.append(_told(case, case.found, test, p_value, more.get(id(case.found)), same, meters, typical))
    return compared


def _each_metric(cases: Sequence[_Case]) -> Iterable[tuple[int, str]]:
    """Each group, by its identity in memory, with each metric that it is compared in."""
    return {(id(group), case.metric): None for case in cases for group in (case.a, case.b) if case.found}


def _untold(case: _Case, same: bool | None) -> Comparison:
    return Comparison(case.a, case.b, case.metric, None, "", None, None, "cannot tell", None, same, case.why_not)


def _told(
    case: _Case,
    found: Contrast,
    test: Tested,
    p_adjusted: float,
    more: int | None,
    same: bool | None,
    meters: tuple[_Bounds, _Bounds],
    typical: _Typical,
) -> Comparison:
    verdict: Verdict = "cannot tell"
    if p_adjusted <= ALPHA:
        verdict = "lower" if found.mean < 0 else "higher"
    of_a, of_b = (typical.interval(group, logs) for group, logs in ((case.a, found.a), (case.b, found.b)))
    (low_a, high_a), (low_b, high_b) = meters
    return Comparison(
        case.a,
        case.b,
        case.metric,
        Interval(math.exp(found.mean), math.exp(test.low), math.exp(test.high), LEVEL, test.method, found.count),
        found.design,
        test.p_value,
        p_adjusted,
        verdict,
        more,
        same,
        typical_a=of_a,
        typical_b=of_b,
        difference=difference_of(of_a, of_b, found, test) if of_a and of_b else None,
        meter_low=low_b / high_a if low_b is not None and high_a else None,
        meter_high=high_b / low_a if high_b is not None and low_a else None,
        unlike_gpus=found.unlike_gpus,
    )


class _Typical:
    """Intervals of typical values, each made once: a reference is in many pairs."""

    def __init__(self, looked_at: Collection[int]) -> None:
        self._looked_at = looked_at
        self._known: dict[tuple[int, bytes], Interval | None] = {}

    def interval(self, group: Group, logs: NDArray[np.float64]) -> Interval | None:
        import numpy as np

        key = id(group), logs.tobytes()
        if key not in self._known:
            self._known[key] = typical_interval(np.exp(logs).tolist(), id(group) in self._looked_at)
        return self._known[key]
