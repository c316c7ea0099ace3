from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.report.runs import run_list as run_list_of
from orchestrator.report.tables import Table, run_details, value_of
from orchestrator.report.tables import summary as summary_of
from orchestrator.results.parameters import parameters
from orchestrator.results.table import as_table
from runners.contract.request import Experiment
from runners.contract.result import RunResult
from tests.builders import experiment, run_result


def result(joules: float | None, of: Experiment | None = None, **changes: Any) -> RunResult:
    return run_result(of, energy_per_output_token_j=joules, **changes)


def run_list(name: str, results: Sequence[RunResult]) -> Table:
    return run_list_of(as_table(Path(name), results))


def summary(name: str, results: Sequence[RunResult]) -> Table:
    return summary_of(as_table(Path(name), results))


def titles(table: Table) -> list[str]:
    """The headings without their units."""
    return [re.split(r"\n| \[", column.title)[0] for column in table.columns]


def column(table: Table, title: str) -> list[str]:
    index = titles(table).index(title)
    return [row[index] for row in table.rows]


def test_what_varies_is_a_column_and_what_does_not_is_none() -> None:
    small = experiment("pytorch", batch_size=1, torch_compile=True, workload={"prompts": 64})
    large = experiment("pytorch", batch_size=8, torch_compile=False, workload={"prompts": 32})
    table = summary("base", [run_result(small), run_result(large, order_index=1)])
    assert titles(table)[:4] == ["prompts", "batch_size", "torch_compile", "runs"]
    assert column(table, "batch_size") == ["1", "8"]
    assert column(table, "torch_compile") == ["true", "false"]


def test_parameters_of_one_backend_are_empty_for_the_other() -> None:
    runs = [run_result(experiment(spread=s), order_index=n) for n, s in enumerate((0.1, 0.2))]
    table = summary("base", [*runs, run_result(experiment("pytorch"), order_index=2)])
    assert column(table, "spread") == ["0.1", "0.2", ""]
    assert column(table, "backend") == ["simulated", "simulated", "pytorch"]


def test_figures_are_medians_over_cycles() -> None:
    table = summary("base", [result(joules, cycle=cycle) for cycle, joules in enumerate((9.0, 1.0, 2.0), 1)])
    assert column(table, "energy") == ["2"]
    assert column(table, "runs") == ["3"]


def test_suspect_runs_are_left_out_and_counted() -> None:
    runs = [result(1.0, cycle=1), result(3.0, cycle=2), result(100.0, cycle=3, verdict="suspect")]
    table = summary("base", runs)
    assert column(table, "energy") == ["2"]
    assert column(table, "runs") == ["2 of 3"]
    assert any(note.startswith("1 of 3 runs is suspect") for note in table.notes)


def test_an_experiment_with_suspect_runs_only_is_shown_and_said_to_be() -> None:
    table = summary("base", [result(100.0, verdict="suspect")])
    assert column(table, "energy") == ["100"]
    assert any("1 of 1 run is suspect" in note for note in table.notes)


def test_what_was_not_measured_is_a_dash_and_never_zero() -> None:
    unmeasured = result(None, energy_method=None, energy_j=None, ttft_s=None, memory_peak_bytes=None)
    for table in (summary("base", [unmeasured]), run_list("base", [unmeasured])):
        assert {*column(table, "energy"), *column(table, "TTFT"), *column(table, "memory")} == {"—"}
        assert column(table, "method") == ["—"]
        assert any("energy was not measured in 1 of 1" in note for note in table.notes)


def test_a_cycle_without_a_figure_is_no_zero_in_the_median() -> None:
    table = summary("base", [result(joules, cycle=cycle) for cycle, joules in enumerate((None, 4.0, 4.0), 1)])
    assert column(table, "energy") == ["4"]


@pytest.mark.parametrize("method", ["estimated", "simulated"])
@pytest.mark.parametrize("table_of", [summary, run_list])
def test_estimated_and_simulated_figures_always_say_so(method: str, table_of: Any) -> None:
    real = experiment("pytorch")
    table = table_of("base", [result(1.0, real, cycle=1), result(1.0, real, cycle=2, energy_method=method)])
    assert any(method in note and "1 of 2 runs" in note for note in table.notes)
    assert any(method in cell for cell in column(table, "method"))


def test_measured_figures_carry_no_remark() -> None:
    assert summary("base", [result(1.0, experiment("pytorch"))]).notes == []


def test_rows_stand_in_the_order_of_the_campaign() -> None:
    runs = [
        result(1.0, experiment(batch_size=2), order_index=1),
        result(2.0, experiment(batch_size=1), order_index=0),
        result(3.0, experiment(batch_size=1), order_index=2, cycle=2),
    ]
    assert column(summary("base", runs), "batch_size") == ["1", "2"]
    assert column(run_list("base", runs), "batch_size") == ["1", "2", "1"]


def test_details_show_all_that_was_measured_and_every_check() -> None:
    failed = {"name": "no_throttling", "passed": False, "severity": "critical", "observed": "12 % throttled"}
    who, declared, measured, checks = run_details(run_result(checks=[failed], warnings=["hot"], verdict="suspect"))
    assert ["verdict", "suspect"] in who.rows
    assert ["simulated.batch_size", "1"] in declared.rows
    assert ["energy", "1024", "J", "energy_j"] in measured.rows
    assert not any(row[3] == "cpu_energy_j" for row in measured.rows)
    assert measured.notes == ["warning: hot"]
    assert checks.rows == [["no_throttling", "FAILED (critical)", "12 % throttled"]]


def test_runs_of_the_same_prompts_that_gave_different_texts_are_told_of() -> None:
    real = experiment("pytorch")
    other = experiment("pytorch", dtype="float32")
    alike = [result(1.0, real, cycle=1, output_sha256="a" * 64), result(1.0, other, output_sha256="a" * 64)]
    assert summary("base", alike).notes == []
    differing = result(1.0, other, cycle=2, output_sha256="b" * 64)
    for table in (summary("base", [*alike, differing]), run_list("base", [*alike, differing])):
        assert table.notes == [
            "outputs differ: the same prompts to org/model gave 2 different texts in 3 runs"
            " (aaaaaaaaaaaa in 2, bbbbbbbbbbbb in 1)"
        ]


def test_outputs_of_other_prompts_are_not_compared() -> None:
    asked = [experiment("pytorch", workload={"prompts": prompts}) for prompts in (31, 32)]
    runs = [result(1.0, of, output_sha256=digit * 64) for of, digit in zip(asked, "ab", strict=True)]
    longer = result(1.0, asked[0], cycle=2, output_sha256="c" * 64, requests=64)
    unknown = result(1.0, asked[0], cycle=3, output_sha256=None)
    assert summary("base", [*runs, longer, unknown]).notes == []


def test_details_show_the_hash_of_the_output() -> None:
    who = run_details(run_result(output_sha256="c" * 64, output_tokens=2048))[0]
    assert ["output", "2048 tokens, sha256 cccccccccccc"] in who.rows
    assert ["output", "2048 tokens"] in run_details(run_result(output_sha256=None, output_tokens=2048))[0].rows


def test_values_and_parameters_by_name() -> None:
    run = run_result(ttft_s=None)
    assert value_of(run, "e2e_s.p99") == 0.04
    assert value_of(run, "ttft_s.p50") is None
    assert parameters(run)["simulated.batch_size"] == 1
    assert parameters(run)["workload.prompts"] == 32


def test_runs_of_unlike_environments_are_not_pooled() -> None:
    here = result(1.0)
    there = result(3.0, cycle=2, environment={**here.environment.model_dump(), "environment_id": "f" * 16})
    table = summary("n", [here, there])
    assert column(table, "runs") == ["1", "1"]
    assert any("2 unlike environments" in note for note in table.notes)


def test_two_engines_have_an_environment_each_and_that_is_no_remark() -> None:
    here = result(1.0)
    there = result(
        3.0, experiment("pytorch"), environment={**here.environment.model_dump(), "environment_id": "f" * 16}
    )
    assert not any("environments" in note for note in summary("n", [here, there]).notes)


@pytest.mark.parametrize("table_of", [summary, run_list])
def test_the_queue_is_shown_beside_the_ttft_that_it_is_part_of_where_an_engine_tells_it(table_of: Any) -> None:
    queue_s = {"mean": 0.5, "p50": 0.25, "p90": 1.0, "p95": 1.0, "p99": 1.0}
    table = table_of("base", [result(1.0, queue_s=queue_s), result(1.0, experiment("pytorch"), order_index=1)])
    assert titles(table)[titles(table).index("TTFT") + 1] == "queue"
    assert column(table, "queue") == ["250", "—"]
    assert "queue" not in titles(table_of("base", [result(1.0)]))
