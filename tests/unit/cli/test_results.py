"""``orchestrate results list`` and ``export`` over made-up campaigns."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from orchestrator import compare
from orchestrator.cli.console import tables
from orchestrator.printable import harmless, on_one_line
from orchestrator.report.compared import comparison_tables
from orchestrator.report.loading import load_table
from orchestrator.report.runs import run_list
from orchestrator.report.tables import Column, Table
from tests.builders import begun, call, experiment, published_run, run_result
from tests.made import Point, made_campaign, points

NASTY = "<img src=x onerror=alert(1)> [red]模型[/red] \x1b[31m‮"
UNSEEN = {"\x1b", "\u202e"}


@pytest.fixture
def results() -> Path:
    folder = Path("results")
    of = [*points([0.5, 0.4]), Point(experiment("vllm", max_num_seqs=8), 0.2)]
    made_campaign(folder, "made", of, 3, energy_method="simulated")
    return folder


def json_of(*args: str) -> Any:
    done = call("results", *args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows_of(*args: str) -> list[dict[str, str]]:
    done = call("results", "export", *args)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_groups_are_shown_with_all_that_is_known_of_them(results: Path) -> None:
    shown = call("results", "list", "made", "--group-by", "backend", "--metric", "energy_per_output_token_j").stdout
    assert "made: energy per output token, J/token" in shown
    line = next(line for line in shown.splitlines() if line.startswith(" vllm"))
    assert line.split()[:3] == ["vllm", "3", "3"]
    assert "log-t" in line
    assert "simulated" in line
    assert "energy is simulated in 3 of 9 runs" in shown


def test_groups_for_machines_carry_the_interval_and_its_method(results: Path) -> None:
    found = json_of("list", "made", "--group-by", "max_num_seqs", "--metric", "ttft_s.p95")
    assert [group["label"] for group in found["groups"]] == ["max_num_seqs —", "max_num_seqs 8"]
    figures = found["groups"][1]["metrics"]["ttft_s.p95"]
    assert figures["interval"]["low"] < figures["interval"]["estimate"] < figures["interval"]["high"]
    assert (figures["interval"]["method"], figures["interval"]["count"], figures["cycles"]) == ("log-t", 3, 3)


def test_drift_over_the_cycles_is_said() -> None:
    made_campaign(Path("results"), "warming", points([0.5, 0.4, 0.3, 0.2]), 6, per_cycle=0.05)
    made_campaign(Path("results"), "steady", points([0.5, 0.4, 0.3, 0.2]), 6)
    args = ("--group-by", "backend", "--metric", "energy_per_output_token_j")
    assert "energy per output token of warming drifts by +" in call("results", "list", "warming", *args).stdout
    assert "drifts" not in call("results", "list", "steady", *args).stdout


def test_suspect_runs_are_left_out_of_groups_with_the_reason_unless_asked_for(results: Path) -> None:
    published_run(results, run_result(experiment("vllm", max_num_seqs=8), campaign="made", cycle=4, verdict="suspect"))
    by = ("made", "--group-by", "experiment_id", "--where", "backend = vllm")
    assert json_of("list", *by)["groups"][0]["left_out"] == [{"reason": "suspect", "runs": 1}]
    assert json_of("list", *by, "--suspect")["groups"][0]["runs"] == 4
    shown = call("results", "list", *by).stdout
    assert "1 suspect" in shown
    assert "1 run left out, in 1 group: suspect" in shown
    assert "suspect" in call("results", "list", "made").stdout


def test_filters_pick_runs_by_row_and_groups_by_median(results: Path) -> None:
    runs = json_of("list", "made", "--where", "batch_size >= 2", "--where", "cycle < 3")
    assert [run["experiment"]["options"]["batch_size"] for run in runs] == [2, 2]
    groups = json_of("list", "made", "--group-by", "backend", "--where", "energy_per_output_token_j < 0.3")["groups"]
    assert [group["label"] for group in groups] == ["vllm"]
    assert "no group meets" in call("results", "list", "made", "--group-by", "backend", "--where", "energy_j<0").stdout
    assert "0 of 9 runs" in call("results", "list", "made", "--where", "energy_j < 0").stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("list", "made", "--group-by", "nothing"), "there is no column 'nothing'"),
        (("list", "made", "--where", "p95 < 1"), "could be ttft_s.p95"),
        (("list", "made", "--where", "energy_j < much"), "is a number"),
        (("list", "made", "--metric", "model"), "--metric 'model' is no quantity"),
        (("list", "made", "--suspect"), "about groups"),
        (("export", "made", "-o", "x.txt"), "must end in .csv or .parquet"),
        (("list", "other"), "there is no campaign"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(results: Path, args: tuple[str, ...], said: str) -> None:
    done = call("results", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_exports_have_a_row_a_run_with_units_and_nothing_for_what_was_not_measured(results: Path) -> None:
    rows = rows_of("made")
    assert len(rows) == 9
    assert float(rows[0]["energy_j [J]"]) > 0
    assert {row["cpu_energy_j [J]"] for row in rows} == {""}
    assert float(rows[0]["ttft_s.p50 [s]"]) < 1
    assert float(rows[0]["memory_peak_bytes [B]"]) == 512 * 2**20
    assert [row["vllm.max_num_seqs"] for row in rows[:3]] == ["", "", "8"]
    names = list(rows[0])
    for prefix in ("workload.", "simulated.", "vllm.", "ttft_s."):
        places = [place for place, name in enumerate(names) if name.startswith(prefix)]
        assert places == list(range(places[0], places[-1] + 1))


def test_a_parquet_export_carries_units_in_its_metadata(results: Path) -> None:
    assert call("results", "export", "made", "-o", "out.parquet").returncode == 0
    found = pq.read_table("out.parquet")
    assert found.num_rows == 9
    assert found.schema.field("energy_per_output_token_j").metadata[b"unit"] == b"J/token"
    assert found.schema.field("ttft_s.p50").metadata == {b"unit": b"s", b"title": b"TTFT p50"}
    assert found["vllm.max_num_seqs"].to_pylist()[:3] == [None, None, 8]


def test_text_that_a_spreadsheet_would_carry_out_is_made_harmless_in_csv_and_kept_in_parquet() -> None:
    values = ["=1+1", "@SUM(A1)", "\t=x", "+a", "-2", "a=b", -5]
    of = [Point(experiment("vllm", engine_args={"swap": value}), 0.3) for value in values]
    made_campaign(Path("results"), "sheet", of, 2)
    rows = rows_of("sheet", "--where", "cycle = 1")
    assert [row["vllm.engine_args.swap"] for row in rows] == ["'=1+1", "'@SUM(A1)", "'\t=x", "'+a", "-2", "a=b", "-5"]
    assert {row["backend"] for row in rows} == {"vllm"}
    assert call("results", "export", "sheet", "--where", "cycle = 1", "-o", "sheet.parquet").returncode == 0
    assert pq.read_table("sheet.parquet")["vllm.engine_args.swap"].to_pylist() == [str(value) for value in values]


def test_an_export_leaves_other_files_alone_and_its_folder_must_be_there(results: Path) -> None:
    Path("out.csv.new").write_text("mine")
    assert call("results", "export", "made", "-o", "out.csv").returncode == 0
    assert Path("out.csv.new").read_text() == "mine"
    done = call("results", "export", "made", "-o", "not/there.csv")
    assert (done.returncode, "there is no folder not" in done.stderr) == (2, True)


def test_exports_of_groups_have_columns_where_there_is_no_group_and_figures_that_are_numbers(results: Path) -> None:
    asked = ("export", "made", "--group-by", "batch_size", "--metric", "cpu_energy_j")
    assert call("results", *asked, "--where", "cycle = 99", "-o", "none.csv").returncode == 0
    (heading,) = csv.reader(io.StringIO(Path("none.csv").read_text()))
    assert heading[:3] == ["group", "batch_size", "runs"]
    assert "cpu_energy_j.typical [J]" in heading
    assert call("results", *asked, "-o", "some.parquet").returncode == 0
    found = pq.read_table("some.parquet")
    assert {str(found.schema.field(f"cpu_energy_j.{name}").type) for name in ("mean", "low", "meter_high")} == {
        "double"
    }


def test_groups_are_exported_with_each_metric_under_its_name(results: Path) -> None:
    rows = rows_of("made", "--group-by", "backend", "--metric", "energy_j")
    assert [row["group"] for row in rows] == ["simulated", "vllm"]
    assert (
        float(rows[1]["energy_j.low [J]"])
        < float(rows[1]["energy_j.typical [J]"])
        < float(rows[1]["energy_j.high [J]"])
    )
    assert (rows[1]["energy_j.cycles"], rows[1]["energy_j.method"]) == ("3", "log-t")


def test_values_of_several_types_are_text_in_parquet() -> None:
    for number, value in enumerate((1, "a", True)):
        of = experiment("vllm", engine_args={"odd": value})
        published_run(Path("results"), run_result(of, order_index=number))
    begun(Path("results"), "base")
    assert call("results", "export", "base", "-o", "out.parquet").returncode == 0
    assert pq.read_table("out.parquet")["vllm.engine_args.odd"].to_pylist() == ["1", "a", "true"]


@pytest.mark.parametrize("name", [NASTY, "ब्" * 30, "= cmd|' /C calc'!A0", 'a,b\n"c"'])
def test_names_in_any_script_and_with_markup_are_data(name: str) -> None:
    for number, model in enumerate((name, "plain")):
        published_run(Path("results"), run_result(experiment(model=model), order_index=number))
    begun(Path("results"), "base")
    for args in (("list", "base"), ("list", "base", "--group-by", "model")):
        shown = call("results", *args).stdout
        assert not UNSEEN & set(shown)
        assert on_one_line(name) in shown
    assert {row["model"].removeprefix("'") for row in rows_of("base")} == {harmless(name), "plain"}
    assert call("results", "export", "base", "-o", "raw.parquet").returncode == 0
    assert set(pq.read_table("raw.parquet")["model"].to_pylist()) == {name, "plain"}
    assert not UNSEEN & set(call("results", "list", "base", "--json").stdout)
    assert {group["key"]["model"] for group in json_of("list", "base", "--group-by", "model")["groups"]} == {
        name,
        "plain",
    }


def test_a_campaign_of_one_run_that_measured_nothing_claims_nothing() -> None:
    nothing = dict.fromkeys(("energy_j", "energy_per_output_token_j", "energy_method", "ttft_s", "memory_peak_bytes"))
    published_run(Path("results"), run_result(**nothing))
    begun(Path("results"), "base")
    (group,) = json_of("list", "base", "--group-by", "experiment_id")["groups"]
    assert group["metrics"]["energy_per_output_token_j"]["mean"] is None
    shown = call("results", "list", "base", "--group-by", "experiment_id")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "energy was not measured in 1 of 1 run" in shown.stdout
    assert "it takes two cycles" in shown.stdout
    assert call("results", "export", "base", "--group-by", "experiment_id").returncode == 0


def test_a_campaign_without_results_says_so() -> None:
    begun(Path("results"), "base")
    assert "no complete run yet" in call("results", "list", "base").stdout
    assert "no complete run yet" in call("results", "list", "base", "--group-by", "backend").stdout
    assert json_of("list", "base") == []
    assert json_of("list", "base", "--group-by", "backend")["groups"] == []
    assert len(call("results", "export", "base").stdout.splitlines()) == 1


def test_many_rows_look_as_rich_would_draw_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = [Column("run"), Column("energy\nJ", True), Column("模型"), Column("last")]
    table = Table("t", columns, [["a", "1.0", "ब", "x"], ["abc", "10", "模型模型模", "good"]], ["a note"])
    tables.print_table(table)
    drawn = capsys.readouterr().out
    monkeypatch.setattr(tables, "_MANY_ROWS", 1)
    tables.print_table(table)
    assert capsys.readouterr().out == drawn
    assert "模型模型模  good" in drawn


@pytest.mark.parametrize(
    "arguments",
    [("results", "export", "made", "-o", "two words.csv"), ("report", "made", "-o", "report.md")],
    ids=["export", "report"],
)
def test_a_file_that_cannot_be_written_is_answered_with_the_command_that_was_typed(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_campaign(Path("results"), "made", points([0.5, 0.3]), 3)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("orchestrator.files.sync", full)
    refused = call(*arguments)
    assert refused.returncode == 3
    assert f"{arguments[-1]}: No space left on device" in refused.stderr
    assert f"try again: `{shlex.join(('orchestrate', *arguments))}`" in refused.stderr
    assert "resume" not in refused.stderr


def test_on_80_columns_a_comparison_is_a_table_and_long_rows_are_blocks_of_whole_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = Console(width=80, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(tables, "new_console", lambda *, to_stderr: narrow)
    made_campaign(Path("results"), "old", points([1000.0, 0.8]), 5)
    made_campaign(Path("results"), "new", points([900.0, 0.81]), 5, seed=4)
    for table in comparison_tables(compare("old", "new")):
        tables.print_table(table)
        drawn = capsys.readouterr().out
        assert "─" in drawn
        assert max(map(len, drawn.splitlines())) <= 80
        for row in table.rows:
            assert [cell for cell in row[:-1] if cell not in drawn] == []  # no figure is cut or folded
            assert set(row[-1].split()) <= set(drawn.split())
    long = Point(experiment("vllm", model="org/" + "long-" * 30, max_num_seqs=8), 1234567.0)
    made_campaign(Path("results"), "long", [long, Point(experiment("vllm", max_num_seqs=16), 0.5)], 2)
    table = run_list(load_table("long"))
    tables.print_table(table)
    drawn = capsys.readouterr().out
    assert "max_num_seqs: 8" in drawn
    assert "─" not in drawn
    unfolded = drawn.replace("\n", "")
    assert [cell for row in table.rows for cell in row if cell not in unfolded] == []
