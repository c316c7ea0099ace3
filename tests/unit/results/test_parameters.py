"""Parameters by their names, and which of them make a table's columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.report.frames import load_frame
from orchestrator.report.runs import run_list as run_list_of
from orchestrator.report.tables import Table
from orchestrator.report.tables import summary as summary_of
from orchestrator.results.parameters import parameters
from orchestrator.results.table import as_table
from orchestrator.results.varied import varied_among, varied_parameters
from runners.contract.paths import RESULT, RUNS
from runners.contract.result import RunResult
from tests.builders import experiment, run_result


def vllm(order_index: int, **options: Any) -> RunResult:
    return run_result(experiment("vllm", **options), order_index=order_index)


def run_list(name: str, results: Sequence[RunResult]) -> Table:
    return run_list_of(as_table(Path(name), results))


def summary(name: str, results: Sequence[RunResult]) -> Table:
    return summary_of(as_table(Path(name), results))


def titles(results: Sequence[RunResult]) -> list[str]:
    """Of what varies, which results and a frame of them agree on."""
    table = as_table(Path("base"), results)
    found = varied_among(result.experiment for result in results)
    assert found == varied_parameters(table.frame, table.parameters)
    return [parameter.title for parameter in found]


def cells(table: Table, title: str) -> list[str]:
    index = [column.title for column in table.columns].index(title)
    return [row[index] for row in table.rows]


def test_what_is_passed_on_has_a_name_of_its_own() -> None:
    run = vllm(0, engine_args={"swap": 512, "rope": {"b": 1, "a": [2]}})
    found = parameters(run)
    assert found["vllm.engine_args.swap"] == 512
    assert found["vllm.engine_args.rope"] == '{"a": [2], "b": 1}'
    assert "vllm.engine_args" not in found


@pytest.mark.parametrize("table_of", [summary, run_list])
def test_an_argument_that_is_passed_on_in_some_runs_only_is_a_column(table_of: Any) -> None:
    runs = [vllm(0), vllm(1, engine_args={"swap": 1}), vllm(2, engine_args={"swap": None})]
    table = table_of("base", [*runs, run_result(experiment("pytorch"), order_index=3)])
    assert cells(table, "swap") == ["—", "1", "—", ""]


def test_what_is_passed_on_alike_is_no_column() -> None:
    runs = [vllm(number, engine_args={"swap": 1, "n": number}) for number in range(2)]
    assert titles(runs) == ["n"]


def test_backends_share_the_column_of_a_name_that_they_share() -> None:
    runs = [
        run_result(experiment("pytorch", dtype="float32", batch_size=4), order_index=0),
        vllm(1, dtype="bfloat16", max_num_seqs=8),
    ]
    table = summary("base", runs)
    assert [column.title for column in table.columns][:3] == ["backend", "dtype", "runs"]
    assert cells(table, "dtype") == ["float32", "bfloat16"]


def test_a_column_that_would_be_called_like_another_has_its_whole_name() -> None:
    runs = [
        vllm(0, engine_args={"batch_size": "x"}),
        vllm(1, engine_args={"batch_size": "y"}),
        *(run_result(experiment("pytorch", batch_size=size), order_index=size) for size in (2, 3)),
    ]
    assert {"batch_size", "engine_args.batch_size"} <= set(titles(runs))


def test_a_frame_has_a_column_for_each_argument_and_no_value_where_there_is_none(tmp_path: Any) -> None:
    for number, run in enumerate([vllm(0, engine_args={"swap": 1}), run_result(experiment("pytorch"))]):
        folder = tmp_path / RUNS / f"{run.experiment_id}" / f"c{number + 1:03d}"
        folder.mkdir(parents=True)
        (folder / RESULT).write_text(json.dumps(run.model_dump(mode="json")))
    frame = load_frame(tmp_path)
    assert sorted(frame["vllm.engine_args.swap"].isna()) == [False, True]
    assert set(frame["pytorch.dtype"].dropna()) == {"bfloat16"}
