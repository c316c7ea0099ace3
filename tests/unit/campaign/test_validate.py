"""GPUs that a campaign names, held against what its experiments work on: arithmetic, and no look at the machine."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.validate import device_issues, require_sound
from orchestrator.errors import FileError, Issue
from orchestrator.execution.single import single_run
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.base import OptionsRule
from tests.builders import campaign


def found(of: Campaign) -> list[Issue]:
    grids, _ = resolve_grids(of.file)
    return device_issues(of.file, grids)


def issues(gpus: list[int] | None = None, **backends: dict[str, Any]) -> list[Issue]:
    return found(campaign(backends=backends, **({} if gpus is None else {"gpus": gpus})))


@pytest.mark.parametrize(
    ("gpus", "backends", "hint"),
    [
        (None, {"vllm": {"tensor_parallel_size": 2}}, "write gpus: [0, 1]"),
        ([0], {"vllm": {"tensor_parallel_size": 2}}, "write gpus: [0, 1]"),
        ([3, 1], {"vllm": {"tensor_parallel_size": 4}}, "write gpus: [3, 1, 0, 2]"),
        ([0, 1], {"vllm": {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}}, "write gpus: [0, 1, 2, 3]"),
        ([0, 1], {"tensorrt": {"tensor_parallel_size": [1, 4]}}, "write gpus: [0, 1, 2, 3]"),
        ([0, 1], {"pytorch": {}, "vllm": {"tensor_parallel_size": 3}}, "write gpus: [0, 1, 2]"),
        (None, {"pytorch": {"tensor_parallel_size": 2}}, "write gpus: [0, 1], or device: cpu"),
    ],
)
def test_too_few_gpus_are_an_error_that_says_what_to_write(
    gpus: list[int] | None, backends: dict[str, Any], hint: str
) -> None:
    (issue,) = issues(gpus, **backends)
    assert issue.severity == "error"
    assert issue.field == f"backends.{max(backends)}"
    assert issue.hint == hint
    with pytest.raises(FileError, match="works on"):
        require_sound([issue])


@pytest.mark.parametrize(
    ("gpus", "backends", "hint"),
    [
        ([0, 1], {"pytorch": {}}, "write gpus: [0]"),
        ([2, 5, 7], {"vllm": {"tensor_parallel_size": [1, 2]}}, "write gpus: [2, 5]"),
        ([0], {"pytorch": {"device": "cpu"}}, "leave them out"),
    ],
)
def test_gpus_that_stay_idle_are_a_warning(gpus: list[int], backends: dict[str, Any], hint: str) -> None:
    (issue,) = issues(gpus, **backends)
    assert (issue.severity, issue.field, issue.hint) == ("warning", "gpus", hint)
    require_sound([issue])


@pytest.mark.parametrize(
    ("gpus", "backends"),
    [
        (None, {"pytorch": {}}),
        (None, {"pytorch": {"device": "cpu"}}),
        ([1], {"pytorch": {}}),
        ([0, 1], {"vllm": {"tensor_parallel_size": [1, 2]}}),
        ([0, 1], {"pytorch": {}, "vllm": {"tensor_parallel_size": 2}}),
        ([0, 1, 2], {"simulated": {}}),
        ([0, 1], {"pytorch": {}, "simulated": {}}),
    ],
)
def test_what_fits_is_not_mentioned(gpus: list[int] | None, backends: dict[str, Any]) -> None:
    assert issues(gpus, **backends) == []


def test_an_experiment_that_somebody_wrote_out_is_named() -> None:
    point = {"backend": "vllm", "tensor_parallel_size": 8}
    (issue,) = found(campaign(experiments=[point], gpus=[0]))
    assert issue.field == "experiments[0]"


def test_one_run_is_told_its_flags() -> None:
    (issue,) = found(single_run("vllm", "org/model", {"tensor_parallel_size": 2}))
    assert issue.hint == "--gpu 0 --gpu 1"
    (issue,) = found(single_run("pytorch", "org/model", {"data_parallel_size": 2}))
    assert issue.hint == "--gpu 0 --gpu 1, or --device cpu"


def test_points_that_a_rule_drops_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"tensor_parallel_size": [1, 2], "pipeline_parallel_size": [1, 2]}
    assert [issue.severity for issue in issues([0, 1], vllm=axes)] == ["error"]
    both = OptionsRule[Any]("not-both", "", lambda o: o.tensor_parallel_size * o.pipeline_parallel_size > 2)
    monkeypatch.setitem(OPTIONS_RULES, "vllm", (both,))
    assert issues([0, 1], vllm=axes) == []


def test_an_engine_that_takes_all_gpus_leaves_none_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "gpus_needed", None)
    assert issues([0, 1, 2], pytorch={}) == []
