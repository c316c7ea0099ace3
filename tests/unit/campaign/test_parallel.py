"""What is odd about several at once: arithmetic, and no look at the machine."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.parallel import parallel_issues
from orchestrator.campaign.validate import device_issues
from orchestrator.errors import Issue
from tests.builders import campaign

SIMULATED: dict[str, dict[str, Any]] = {"simulated": {}}


def issues(backends: dict[str, dict[str, Any]] = SIMULATED, **declared: Any) -> list[Issue]:
    file = campaign(backends=backends, **{"parallel": "per-gpu", **declared}).file
    grids, _ = resolve_grids(file)
    return [*device_issues(file, grids), *parallel_issues(file, grids)]


def test_cycles_that_are_no_multiple_of_the_gpus_are_told_of() -> None:
    (issue,) = issues(gpus=[0, 1, 2, 3], cycles=6)
    assert (issue.severity, issue.field, issue.hint) == ("warning", "cycles", "cycles: 8")
    assert "no experiment meets each of 4 GPUs equally often" in issue.message
    assert issues(gpus=[0, 1, 2, 3], cycles=8) == []


def test_experiments_of_several_gpus_meet_sets_of_them() -> None:
    (issue,) = issues({"vllm": {"tensor_parallel_size": 2}}, gpus=[0, 1, 2, 3], cycles=3)
    assert "each of 2 sets of 2 GPUs" in issue.message
    found = issues({"vllm": {"tensor_parallel_size": 2}}, gpus=[0, 1, 2, 3, 4], cycles=2)
    assert [(issue.field, issue.severity) for issue in found] == [("gpus", "warning")]
    assert "1 GPU of them idle" in found[0].message


def test_gpus_that_other_runs_work_on_are_not_idle() -> None:
    assert issues({"pytorch": {}}, gpus=[0, 1], cycles=2) == []


def test_one_gpu_is_one_at_a_time() -> None:
    (issue,) = issues(gpus=[0])
    assert (issue.field, issue.severity) == ("parallel", "warning")


@pytest.mark.parametrize("meter", ["rapl", "estimate", "codecarbon"])
def test_what_measures_the_whole_machine_is_refused(meter: str) -> None:
    (issue,) = issues(gpus=[0, 1], cycles=2, measurement={"meter": meter})
    assert (issue.severity, issue.field) == ("error", "measurement.meter")
    assert issues(gpus=[0, 1], parallel=None, measurement={"meter": meter}) != [issue]


def test_on_the_cpu_there_is_nothing_to_be_parallel_over() -> None:
    (issue,) = issues({"pytorch": {"device": "cpu"}})
    assert (issue.severity, issue.field) == ("error", "parallel")


def test_too_few_for_one_experiment_is_an_error_still() -> None:
    (issue, *_) = issues({"vllm": {"tensor_parallel_size": 4}}, gpus=[0, 1])
    assert issue.severity == "error"


def test_left_out_gpus_are_all_that_are_ours_which_the_machine_will_tell() -> None:
    assert issues({"vllm": {"tensor_parallel_size": 4}}) == []
