from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.groups import Choice, LeftOut, for_ranking, groups_of
from orchestrator.errors import InputError
from orchestrator.results.table import RunTable, as_table
from runners.contract.request import Experiment
from runners.contract.result import RunResult
from tests.builders import experiment, run_result
from tests.made import made_results, points

SMALL, LARGE = experiment(batch_size=1), experiment(batch_size=8)


def table_of(results: Sequence[RunResult], **options: Any) -> RunTable:
    return as_table(Path("base"), results, **options)


def run(of: Experiment, order_index: int, environment_id: str = "e", **changes: Any) -> RunResult:
    environment = {**run_result().environment.model_dump(), "environment_id": environment_id}
    return run_result(of, order_index=order_index, environment=environment, **changes)


def labels(results: Sequence[RunResult], *by: str, **choice: bool) -> list[str]:
    return [group.label for group in groups_of(table_of(results), by, Choice(**choice))]


def test_by_default_an_experiment_is_a_group_in_the_order_of_the_campaign() -> None:
    groups = groups_of(table_of(made_results("made", points([0.5, 0.4, 0.3]), 3)))
    assert [group.label for group in groups] == ["batch_size 1", "batch_size 2", "batch_size 4"]
    assert [group.frame["cycle"].tolist() for group in groups] == [[1, 2, 3]] * 3
    assert {group.frame["experiment_id"].unique().item() for group in groups} == {
        group.key["experiment_id"] for group in groups
    }


def test_true_is_not_taken_together_with_1() -> None:
    values = [1, True, 0, False, None]
    runs = [run(experiment("vllm", engine_args={"swap": value}), place) for place, value in enumerate(values)]
    assert labels(runs, "swap") == ["swap 1", "swap true", "swap 0", "swap false", "swap —"]


def test_words_stand_for_themselves_and_figures_carry_their_names() -> None:
    runs = [
        run(experiment("pytorch", dtype="float32", batch_size=2, torch_compile=True), 0),
        run(experiment("pytorch", dtype="float32", batch_size=4), 1),
        run(experiment("vllm", dtype="bfloat16", max_model_len=64), 2),
        run(experiment("vllm", dtype="bfloat16"), 3),
    ]
    assert labels(runs) == [
        "pytorch · float32 · batch_size 2 · torch_compile true",
        "pytorch · float32 · batch_size 4 · torch_compile false",
        "vllm · bfloat16 · max_model_len 64",
        "vllm · bfloat16 · max_model_len —",
    ]


def test_a_word_that_two_parameters_have_carries_the_name_of_each() -> None:
    runs = [
        run(experiment("vllm", dtype="bfloat16", engine_args={"cache_dtype": "float16"}), 0),
        run(experiment("vllm", dtype="float16", engine_args={"cache_dtype": "bfloat16"}), 1),
    ]
    assert labels(runs) == ["dtype bfloat16 · cache_dtype float16", "dtype float16 · cache_dtype bfloat16"]


def test_where_nothing_varies_the_label_says_what_ran() -> None:
    assert labels([run(SMALL, 0)]) == ["simulated · org/model"]


def test_names_in_any_script_and_with_markup_are_data() -> None:
    runs = [run(experiment(model=model), number) for number, model in enumerate(("<b>&amp;", "模型/ब", "a" * 90))]
    assert labels(runs) == ["model <b>&amp;", "model 模型/ब", f"model {'a' * 90}"]


def test_experiments_are_grouped_by_what_is_unique_of_a_name() -> None:
    runs = [
        run(experiment("pytorch", dtype="float32"), 0),
        run(experiment("vllm", dtype="float32"), 1),
        run(experiment("vllm", dtype="bfloat16"), 2),
        run(SMALL, 3),
    ]
    assert labels(runs, "dtype") == ["float32", "bfloat16", "dtype —"]
    assert labels(runs, "backend", "dtype") == [
        "pytorch · float32", "vllm · float32", "vllm · bfloat16", "simulated · dtype —",
    ]  # fmt: skip
    (first, *_) = groups_of(table_of(runs), ["dtype"])
    assert first.key["dtype"] == "float32"
    assert "experiment_id" not in first.key
    with pytest.raises(InputError):
        labels(runs, "nothing")


def test_suspect_and_retired_runs_are_left_out_and_counted_unless_asked_for() -> None:
    runs = [run(SMALL, cycle - 1, cycle=cycle, verdict="suspect" if cycle < 3 else "good") for cycle in range(1, 5)]
    table = table_of(runs, retired={(runs[0].experiment_id, cycle) for cycle in (2, 4)})
    (group,) = groups_of(table)
    assert group.frame["cycle"].tolist() == [3]
    assert [(one.reason.split(":")[0], one.runs) for one in group.left_out] == [("retired", 2), ("suspect", 1)]
    (group,) = groups_of(table, choice=Choice(suspect=True))
    assert group.frame["cycle"].tolist() == [1, 3]


def test_a_group_of_suspect_runs_only_is_there_and_empty() -> None:
    empty, full = groups_of(table_of([run(SMALL, 0, verdict="suspect"), run(LARGE, 1)]))
    assert (empty.label, len(empty.frame), empty.left_out) == ("batch_size 1", 0, [LeftOut("suspect", 1)])
    assert "energy_j" in empty.frame
    assert len(full.frame) == 1


def test_no_runs_make_no_groups() -> None:
    assert groups_of(table_of([])) == []
    assert groups_of(table_of([]), ["batch_size"][:0]) == []


def test_unlike_environments_are_not_pooled_unless_asked_for() -> None:
    runs = [run(SMALL, 0, "aaaaaaaaaa", cycle=1), run(SMALL, 1, "bbbbbbbbbb", cycle=2), run(LARGE, 2, "aaaaaaaaaa")]
    assert labels(runs) == [
        "batch_size 1 · environment aaaaaaaa",
        "batch_size 1 · environment bbbbbbbb",
        "batch_size 8",
    ]
    assert labels(runs, "backend") == ["simulated · environment aaaaaaaa", "simulated · environment bbbbbbbb"]
    assert labels(runs, pooled=True) == ["batch_size 1", "batch_size 8"]
    (pooled, _) = groups_of(table_of(runs), choice=Choice(pooled=True))
    assert "environment_id" not in pooled.key


def test_backends_and_numbers_of_gpus_bring_their_own_environment_and_may_share_a_group() -> None:
    gpu = {"name": "a GPU", "energy_j": 1.0, "energy_low_j": 1.0, "energy_high_j": 1.0}
    runs = [
        run(experiment("pytorch"), 0, "a"),
        run(experiment("vllm"), 1, "b", gpus=[{**gpu, "uuid": "1"}]),
        run(experiment("vllm", tensor_parallel_size=2), 2, "c", gpus=[{**gpu, "uuid": uuid} for uuid in "12"]),
    ]
    assert labels(runs, "model") == ["org/model"]
    assert labels([*runs, run(experiment("pytorch"), 3, "d", cycle=2)], "model") == [
        f"org/model · environment {name}" for name in "abcd"
    ]


def test_estimated_joules_are_not_ranked_unless_asked_for() -> None:
    runs = [run(SMALL, 0, energy_method="estimated"), run(SMALL, 1, cycle=2), run(SMALL, 2, cycle=3)]
    (group,) = groups_of(table_of(runs))
    ranked = for_ranking(group, "energy_per_output_token_j")
    assert ranked.frame["cycle"].tolist() == [2, 3]
    assert ranked.left_out == [LeftOut("energy estimated", 1)]
    assert for_ranking(group, "ttft_s.p50") is group
    assert for_ranking(group, "energy_j", Choice(estimated=True)) is group
