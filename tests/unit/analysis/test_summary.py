from __future__ import annotations

import math
from pathlib import Path
from statistics import geometric_mean

import pytest

from orchestrator.analysis.cycles import per_cycle
from orchestrator.analysis.groups import Group, groups_of
from orchestrator.analysis.summary import summarise
from orchestrator.results.table import as_table
from runners.contract.result import RunResult
from tests.builders import experiment, run_result
from tests.made import made_results, points

METRIC = "energy_per_output_token_j"


def group_of(results: list[RunResult], *by: str) -> Group:
    (group,) = groups_of(as_table(Path("base"), results), by)
    return group


def runs(values: dict[tuple[int, int], float], metric: str = METRIC) -> list[RunResult]:
    """Runs of experiment n in cycle c."""
    return [
        run_result(experiment(batch_size=number), cycle=cycle, order_index=place, **{metric: value})
        for place, ((number, cycle), value) in enumerate(values.items())
    ]


def test_figures_of_one_experiment_are_those_of_its_cycles() -> None:
    found = summarise(group_of(runs({(1, 1): 1.0, (1, 2): 2.0, (1, 3): 4.0})), METRIC)
    assert (found.runs, found.cycles, found.median) == (3, 3, 2.0)
    assert found.mean == pytest.approx(7 / 3)
    assert found.spread == pytest.approx(math.sqrt(7 / 3) / (7 / 3))
    assert found.interval is not None
    assert found.interval.estimate == pytest.approx(2.0)


def test_the_repetition_is_the_cycle_however_many_experiments_are_taken_together() -> None:
    results = made_results("made", points([0.5, 0.4, 0.3, 0.2]), 3)
    found = summarise(group_of(results, "backend"), METRIC)
    assert (found.runs, found.cycles) == (12, 3)
    assert found.interval is not None
    assert found.interval.count == 3
    assert found.interval.estimate == pytest.approx(
        geometric_mean(result.energy_per_output_token_j or 0 for result in results)
    )


def test_an_experiment_that_is_missing_in_a_cycle_is_no_effect_of_the_cycle() -> None:
    """Experiment 2 spends ten times as much, cycle 2 a tenth more: also where it did not run."""
    whole = {(1, 1): 1.0, (2, 1): 10.0, (1, 2): 1.1, (2, 2): 11.0, (1, 3): 1.0, (2, 3): 10.0}
    whole |= {(one + 2, cycle): 3 * joules for (one, cycle), joules in whole.items()}
    full = per_cycle(group_of(runs(whole), "backend").frame, METRIC)
    some = per_cycle(group_of(runs({key: whole[key] for key in whole if key != (2, 2)}), "backend").frame, METRIC)
    assert some.to_dict() == pytest.approx(full.to_dict())
    assert full.to_dict() == pytest.approx({1: math.sqrt(30), 2: 1.1 * math.sqrt(30), 3: math.sqrt(30)})


def test_what_was_not_measured_is_none_and_never_zero() -> None:
    nothing = summarise(group_of([run_result(energy_per_output_token_j=None)]), METRIC)
    assert (nothing.runs, nothing.cycles) == (0, 0)
    assert {nothing.mean, nothing.median, nothing.interval, nothing.spread, nothing.meter_low} == {None}
    once = summarise(group_of([run_result()]), METRIC)
    assert (once.mean, once.interval, once.spread) == (0.5, None, None)


def test_figures_at_or_below_zero_are_averaged_as_they_are() -> None:
    adjusted = "energy_adjusted_j"
    values = {(1, 1): -1.0, (2, 1): 3.0, (1, 2): 0.0, (2, 2): 4.0}
    found = summarise(group_of(runs(values, adjusted), "backend"), adjusted)
    assert (found.cycles, found.mean) == (2, pytest.approx(1.5))


def test_the_meters_bounds_are_factors_that_no_repetition_narrows() -> None:
    bounds = {"energy_j": 100.0, "energy_low_j": 98.0, "energy_high_j": 103.0}
    group = group_of([run_result(cycle=cycle, order_index=cycle, **bounds) for cycle in range(1, 9)])
    energy = summarise(group, METRIC)
    assert (energy.meter_low, energy.meter_high) == (pytest.approx(0.98), pytest.approx(1.03))
    rate = summarise(group, "tokens_per_j")
    assert (rate.meter_low, rate.meter_high) == (pytest.approx(1 / 1.03), pytest.approx(1 / 0.98))
    assert summarise(group, "ttft_s.p50").meter_low is None
    unknown = group_of([run_result(energy_low_j=None), run_result(cycle=2, order_index=1)])
    assert summarise(unknown, METRIC).meter_low is None
