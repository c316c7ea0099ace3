import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from orchestrator.analysis.drift import Drift, drift_of
from orchestrator.analysis.groups import Group, groups_of
from orchestrator.results.table import as_table
from tests.made import lognormal, made_results, points

METRIC = "energy_per_output_token_j"


def campaign(cycles: int, experiments: int = 4, sigma: float = 0.02, **options: Any) -> list[Group]:
    of = points([0.1 * 2**n for n in range(experiments)])
    quiet = [type(point)(point.of, point.joules_per_token, noise=lognormal(sigma)) for point in of]
    return groups_of(as_table(Path("made"), made_results("made", quiet, cycles, **options)))


def sure(drift: Drift | None) -> Drift:
    assert drift is not None
    return drift


@pytest.mark.parametrize("per_cycle", [0.02, -0.02])
@pytest.mark.parametrize("cycles", [4, 12])
def test_drift_is_found_with_its_size_and_direction(cycles: int, per_cycle: float) -> None:
    found = sure(drift_of(campaign(cycles, per_cycle=per_cycle, sigma=0.01), METRIC))
    assert found.found
    assert found.per_cycle == pytest.approx(per_cycle, rel=0.3)
    assert found.cycles == cycles


def test_without_drift_none_is_found_in_most_campaigns() -> None:
    found = [sure(drift_of(campaign(5, seed=seed), METRIC)).found for seed in range(40)]
    assert sum(found) <= 5


def test_of_one_experiment_it_is_the_t_test_of_a_regression() -> None:
    groups = campaign(8, experiments=1, per_cycle=0.01)
    found = sure(drift_of(groups, METRIC))
    frame = groups[0].frame
    line = stats.linregress(frame["cycle"], frame[METRIC].map(math.log))
    assert found.p_value == pytest.approx(line.pvalue)
    assert found.per_cycle == pytest.approx(math.expm1(line.slope))
    assert found.method == "t of a line over cycles, by cycles"


def test_what_meets_whole_cycles_at_random_makes_them_the_unit() -> None:
    groups = campaign(6, experiments=8, sigma=0.001)
    shared = {1: 1.02, 2: 1.05, 3: 0.99, 4: 1.06, 5: 1.02, 6: 1.05}
    for group in groups:
        group.frame[METRIC] *= group.frame["cycle"].map(shared)
    found = sure(drift_of(groups, METRIC))
    line = stats.linregress(list(shared), [math.log(factor) for factor in shared.values()])
    assert found.method == "t of a line over cycles, by cycles"
    assert found.p_value == pytest.approx(line.pvalue, rel=0.1)
    assert not found.found


def test_unlike_gpus_that_experiments_take_turns_on_are_no_drift_and_hide_none() -> None:
    on = {"gpus": ["GPU-a", "GPU-b", "GPU-c"], "gpu_factors": [1.0, 1.2, 0.9]}
    steady = sure(drift_of(campaign(7, experiments=3, sigma=0.005, **on), METRIC))
    drifting = sure(drift_of(campaign(7, experiments=3, sigma=0.005, per_cycle=0.005, **on), METRIC))
    assert not steady.found
    assert abs(steady.per_cycle) < 0.003
    assert drifting.found
    assert drifting.per_cycle == pytest.approx(0.005, rel=0.5)


def test_runs_that_are_missing_do_not_pass_for_drift() -> None:
    """The dear experiment lacks its first cycles, so the mean over runs rises; no experiment does."""
    groups = campaign(8, experiments=3)
    dear = groups[2]
    groups[2] = Group(dear.label, dear.key, dear.frame[dear.frame["cycle"] > 4])
    found = sure(drift_of(groups, METRIC))
    assert not found.found
    assert abs(found.per_cycle) < 0.01


@pytest.mark.parametrize("cycles", [1, 2])
def test_fewer_than_three_cycles_tell_nothing(cycles: int) -> None:
    assert drift_of(campaign(cycles), METRIC) is None


def test_nothing_measured_tells_nothing() -> None:
    groups = campaign(5)
    for group in groups:
        group.frame[METRIC] = None
    assert drift_of(groups, METRIC) is None
    assert drift_of([], METRIC) is None
    assert drift_of([Group(group.label, group.key, group.frame.head(0)) for group in groups], METRIC) is None


def test_each_experiment_once_tells_nothing() -> None:
    groups = [
        Group(group.label, group.key, group.frame[group.frame["cycle"] == cycle])
        for cycle, group in enumerate(campaign(4), start=1)
    ]
    assert drift_of(groups, METRIC) is None


def test_what_never_changes_does_not_drift() -> None:
    assert drift_of(campaign(5), "memory_peak_bytes") is None


def test_runs_of_zero_count_for_nothing() -> None:
    groups = campaign(6, per_cycle=0.02, sigma=0.01)
    before = sure(drift_of(groups[1:], METRIC))
    groups[0].frame[METRIC] = 0.0
    assert sure(drift_of(groups, METRIC)) == before
