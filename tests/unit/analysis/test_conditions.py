from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.conditions import Condition, groups_meeting, parse_condition, runs_meeting, unmet
from orchestrator.analysis.groups import Choice, groups_of
from orchestrator.errors import InputError
from orchestrator.results.table import RunTable, as_table
from tests.builders import experiment, run_result


def latency(p95: float) -> dict[str, float]:
    return {"mean": p95, "p50": p95, "p90": p95, "p95": p95, "p99": p95}


@pytest.fixture
def table() -> RunTable:
    fast = experiment("pytorch", batch_size=2, dtype="float32", torch_compile=True)
    runs = [
        run_result(fast, cycle=1, order_index=0, ttft_s=latency(0.1)),
        run_result(fast, cycle=2, order_index=1, ttft_s=latency(0.6)),
        run_result(fast, cycle=3, order_index=2, ttft_s=None),
        run_result(experiment("vllm"), order_index=3, ttft_s=latency(0.9)),
    ]
    return as_table(Path("base"), runs)


def holding(table: RunTable, *texts: str) -> list[bool]:
    found = runs_meeting(table, [parse_condition(text) for text in texts]).frame
    return [number in set(found["order_index"]) for number in table.frame["order_index"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft_s.p95 < 0.5", Condition("ttft_s.p95", "<", "0.5")),
        ("a>=1e-3", Condition("a", ">=", "1e-3")),
        (" dtype = 'bfloat16' ", Condition("dtype", "=", "bfloat16")),
        ("model != org/a b", Condition("model", "!=", "org/a b")),
        ("模型 == ब<", Condition("模型", "==", "ब<")),
    ],
)
def test_a_condition_is_a_name_a_sign_and_a_value(text: str, expected: Condition) -> None:
    assert parse_condition(text) == expected


@pytest.mark.parametrize("text", ["", "ttft_s.p95", "< 0.5", "ttft_s.p95 <", "a b < 1", "a = "])
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="is no condition") as refused:
        parse_condition(text)
    assert "ttft_s.p95 < 0.5" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("swap = 1", [1, 2, 3]),
        ("swap != 1", [0, 4, 5]),
        ("swap = true", [0]),
        ("swap = a", [5]),
        ("swap > 1", [4]),
        ("swap < 2", [1, 2, 4]),
    ],
)
def test_of_values_of_several_types_those_that_are_like_it_are_compared(text: str, expected: list[int]) -> None:
    values = [True, 1, 1.0, "1", 1.5, "a", None]
    runs = [
        run_result(experiment("vllm", engine_args={"swap": value}), order_index=place)
        for place, value in enumerate(values)
    ]
    found = runs_meeting(as_table(Path("base"), runs), [parse_condition(text)]).frame
    assert found["order_index"].tolist() == expected


def test_a_value_like_none_of_the_column_is_refused(table: RunTable) -> None:
    for text in ("ttft_s.p95 < fast", "ttft_s.p95 < nan", "cycle > nan"):
        with pytest.raises(InputError, match="is a number, and"):
            holding(table, text)


def test_what_is_missing_meets_no_condition(table: RunTable) -> None:
    assert holding(table, "ttft_s.p95 < 0.5") == [True, False, False, False]
    assert holding(table, "ttft_s.p95 >= 0.5") == [False, True, False, True]
    assert holding(table, "batch_size != 7") == [True, True, True, False]


def test_parameters_are_compared_as_they_are_shown(table: RunTable) -> None:
    assert holding(table, "dtype = float32") == [True, True, True, False]
    assert holding(table, "torch_compile = true", "batch_size <= 2.0") == [True, True, True, False]
    assert holding(table, "backend != pytorch") == [False, False, False, True]


@pytest.mark.parametrize("text", ["ttft_s.p95 < 500ms", "dtype < float32", "nothing = 1", "p95 < 1"])
def test_what_cannot_be_compared_is_refused(table: RunTable, text: str) -> None:
    with pytest.raises(InputError):
        holding(table, text)


def test_a_group_is_judged_by_its_median_and_told_what_was_seen(table: RunTable) -> None:
    fast, slow = groups_of(table)
    condition = parse_condition("ttft_s.p95 < 0.5")
    assert condition.of_figure(table.frame.columns)
    assert not parse_condition("dtype = x").of_figure(table.frame.columns)
    assert condition.seen(fast) == pytest.approx(0.35)
    assert unmet(fast, [condition, parse_condition("dtype = float32")]) == []
    assert unmet(slow, [condition, parse_condition("batch_size = 2")]) == ["ttft_s.p95 < 0.5: 0.9", "batch_size = 2: —"]


def test_groups_are_picked_by_their_medians_and_their_runs_by_parameters_only(table: RunTable) -> None:
    conditions = [parse_condition("ttft_s.p95 < 0.5"), parse_condition("dtype = float32")]
    (found,) = groups_meeting(table, [], Choice(), conditions)
    assert found.frame["order_index"].tolist() == [0, 1, 2]
    assert groups_meeting(table, [], Choice(), [parse_condition("ttft_s.p95 < 0.3")]) == []
