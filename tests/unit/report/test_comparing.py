"""Comparisons as people and machines get them: from results folders to the command's output."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import compare
from orchestrator.cli.console import print_table  # noqa: F401 (drawing is loaded once, before columns are set)
from orchestrator.errors import InputError
from orchestrator.report.compared import answer, comparison_tables, cost_table
from orchestrator.report.comparing import Compared
from orchestrator.report.costs import Prices
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.project import Project, find_project
from tests.builders import Ended, call, experiment, run_result
from tests.made import Point, lognormal, made_campaign, points, write_result

ENERGY = "energy_per_output_token_j"
REAL: dict[str, Any] = {"energy_method": "nvml"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setitem(os.environ, "COLUMNS", "200")
    (tmp_path / "results").mkdir()
    return find_project(str(tmp_path))


def made(project: Project, name: str, joules: list[float], cycles: int = 5, **options: Any) -> CampaignFolder:
    of = points(joules, backend=options.pop("backend", "pytorch"))
    return made_campaign(project.results, name, of, cycles, **options)


def ran(project: Project, *arguments: str) -> Ended:
    return call("compare", *arguments, "--project-dir", project.folder)


def notes(compared: Compared) -> str:
    return "\n".join(compared.notes)


def test_two_campaigns_are_compared_experiment_by_experiment(project: Project) -> None:
    made(project, "old", [1.0, 0.5, 0.4])
    made(project, "new", [0.8, 0.5], seed=1)
    compared = compare("old", "new", metrics=[ENERGY], project=project)
    assert [(pair.name_b, one.verdict) for pair, (one,) in compared.by_pair()] == [
        ("batch_size 1", "lower"), ("batch_size 2", "cannot tell"),
    ]  # fmt: skip
    assert {one.design for one in compared.comparisons} == {"unpaired"}
    assert "only old has: batch_size 4" in compared.notes
    assert answer(compared) == ["Energy per output token, of 2 pairs: lower in 1, cannot tell in 1."]


def test_a_small_difference_that_is_told_does_not_read_as_none(project: Project) -> None:
    of = [replace(point, noise=lognormal(0.00001)) for point in points([1.0, 1.0003], backend="pytorch")]
    made_campaign(project.results, "grid", of, 5)
    compared = compare("grid:batch_size=1", "grid:batch_size=2", metrics=[ENERGY], project=project)
    assert compared.comparisons[0].verdict == "higher"
    assert answer(compared)[0].endswith("is higher, 1.0003 times A (1.0003 to 1.0003 at 95 %).")
    (table,) = comparison_tables(compared)
    assert table.rows[0][3:5] == ["1.0003", "1.0003 to 1.0003"]


def test_a_part_and_values_are_compared_within_a_campaign(project: Project) -> None:
    made(project, "grid", [1.0, 0.8])
    for operands in (("grid:-1-", "grid:-2-"), ("grid:batch_size=1", "grid:batch_size=2")):
        compared = compare(*operands, project=project)
        assert [one.verdict for one in compared.comparisons][:2] == ["lower", "higher"]
        assert compared.comparisons[0].design == "paired by cycle"
        (table,) = comparison_tables(compared)
        assert [row[0] for row in table.rows] == ["Energy per output token", "Output rate", "TTFT p50"]


def test_groups_of_one_campaign_are_held_against_the_first_or_the_one_that_is_named(project: Project) -> None:
    made(project, "grid", [1.0, 0.8, 0.6])
    assert [pair.name_a for pair in compare("grid", project=project).pairs.found] == ["batch_size 1"] * 2
    compared = compare("grid", by=["batch_size"], against="4", metrics=[ENERGY], project=project)
    assert compared.pairs.title_a == "batch_size 4"
    assert [one.verdict for one in compared.comparisons] == ["higher", "higher"]
    with pytest.raises(InputError, match="--against 'batch' fits 3 groups"):
        compare("grid", against="batch", project=project)
    with pytest.raises(InputError, match="--against 'x' is no group"):
        compare("grid", against="x", project=project)


def test_groups_of_two_campaigns_are_matched_by_what_they_are_grouped_by(project: Project) -> None:
    made(project, "old", [1.0, 0.5])
    made_campaign(project.results, "new", [Point(experiment("pytorch", batch_size=2, dtype="float32"), 0.4)], 5)
    with pytest.raises(InputError, match="old and new have no experiment in common"):
        compare("old", "new", project=project)
    compared = compare("old", "new", by=["batch_size"], metrics=[ENERGY], project=project)
    assert [one.verdict for one in compared.comparisons] == ["lower"]


def test_what_is_spared_is_told_in_joules_money_and_co2e(project: Project) -> None:
    made(project, "grid", [1.0, 0.5])
    prices = Prices(per=1e6, per_kwh=0.36, currency="EUR", gco2e_per_kwh=360.0)
    compared = compare("grid", prices=prices, project=project)
    (cost,) = compared.costs
    assert cost.energy_j.estimate == pytest.approx(-0.5e6, rel=0.05)
    assert cost.energy_j.low < cost.energy_j.estimate < cost.energy_j.high < 0
    assert cost.money is not None
    assert cost.gco2e is not None
    assert cost.money.estimate == pytest.approx(cost.energy_j.estimate * 1e-7)
    assert cost.gco2e.high == pytest.approx(cost.energy_j.high * 1e-4)
    table = cost_table(compared)
    assert table is not None
    assert [column.title for column in table.columns][4] == "EUR"
    assert "1,000,000 output tokens" in table.rows[0]
    with pytest.raises(InputError, match="prices are of energy"):
        compare("grid", prices=prices, metrics=["ttft_s.p50"], project=project)


def test_estimated_joules_beside_measured_ones_are_no_matter_of_asking(project: Project) -> None:
    made(project, "real", [1.0], energy_method="nvml")
    made(project, "guessed", [1.0], energy_method="estimated")
    compared = compare("real", "guessed", metrics=[ENERGY], project=project)
    assert compared.comparisons[0].why_not == "B: energy is estimated, not measured"
    assert "--estimated" not in notes(compared)


def test_how_many_cycles_might_tell_is_called_uncertain(project: Project) -> None:
    made(project, "two", [1.0, 0.99], 2, seed=2)
    done = ran(project, "two", "--metric", ENERGY)
    assert "more cycles of both might tell" in done.stdout
    assert "were ratio and spread as seen, which is uncertain itself" in done.stdout


def test_estimated_joules_are_compared_when_asked_for_and_say_so(project: Project) -> None:
    made(project, "grid", [1.0, 0.5], energy_method="estimated")
    done = ran(project, "grid")
    assert "not compared: energy is estimated, not measured" in done.stdout
    assert "--estimated compares estimated joules all the same" in done.stdout
    done = ran(project, "grid", "--estimated")
    assert "Energy per output token (energy estimated): batch_size 2 is lower" in done.stdout
    assert "What B takes beyond A (energy estimated)" in done.stdout


def test_a_simulated_figure_says_so_wherever_it_stands(project: Project) -> None:
    made(project, "grid", [1.0, 0.5], backend="simulated", energy_method="simulated", energy_scope="simulated")
    lines = [
        line for line in ran(project, "grid").stdout.splitlines() if "nergy per output" in line or "beyond" in line
    ]
    assert lines
    assert all("(simulated)" in line for line in lines)
    document = json.loads(ran(project, "grid", "--json").stdout)
    assert document["made_how"] == dict.fromkeys(document["metrics"], "simulated")


def test_environments_that_differ_are_named_with_what_differs(project: Project) -> None:
    made(project, "old", [1.0])
    environment = run_result().environment.model_dump() | {
        "environment_id": "f" * 16, "driver": "560.28", "libraries": {"torch": "2.14.0"}, "hostname": "elsewhere",
    }  # fmt: skip
    made(project, "new", [1.0], environment=environment)
    (said,) = [note for note in compare("old", "new", project=project).notes if note.startswith("environments")]
    assert said.startswith("environments differ (old: pytorch · org/model → pytorch · org/model): ")
    assert set(said.partition("): ")[2].split("; ")) == {"driver — → 560.28", "libraries.torch 2.13.0 → 2.14.0"}


def test_runs_of_unlike_environments_are_no_one_group_unless_asked_for(project: Project) -> None:
    folder = made(project, "grid", [1.0, 0.5], cycles=4)
    other = run_result().environment.model_dump() | {"environment_id": "f" * 16}
    for cycle in (5, 6, 7):
        write_result(folder, run_result(experiment("pytorch", batch_size=1), cycle=cycle, environment=other))
    with pytest.raises(InputError, match="come from 2 unlike environments"):
        compare("grid:batch_size=1", "grid:batch_size=2", project=project)
    done = ran(project, "grid:batch_size=1", "grid:batch_size=2", "--pool-environments")
    assert done.returncode == 0


def test_suspect_runs_are_left_out_and_counted_unless_asked_for(project: Project) -> None:
    of = points([1.0, 0.5], backend="pytorch")
    folder = made_campaign(project.results, "grid", of, 3)
    write_result(folder, run_result(of[0].of, cycle=4, verdict="suspect", order_index=9))
    assert "left out: 1 run (suspect)" in notes(compare("grid", project=project))
    assert "left out" not in ran(project, "grid", "--suspect").stdout


def test_outputs_and_drift_and_meters_are_told_of(project: Project) -> None:
    made(project, "same", [1.0, 0.5])
    assert "the same prompts gave the same outputs" in compare("same", project=project).notes
    made(project, "other", [1.0, 0.5], output_sha256="b" * 64)
    compared = compare("same", "other", project=project)
    assert "outputs differ in 2 of 2 pairs that were asked the same" in compared.notes
    made(project, "none", [1.0, 0.5], output_sha256=None)
    assert "whether outputs are the same is not known" in notes(compare("none", project=project))
    made(project, "drifts", [1.0, 0.5], cycles=8, per_cycle=0.05)
    assert "energy per output token of drifts drifts by +5" in notes(compare("drifts", project=project))
    near = [Point(one.of, one.joules_per_token, noise=lambda _: 1.0) for one in points([1.0, 1.01])]
    made_campaign(project.results, "near", near, 5)
    assert "within the meters' own bounds" in notes(compare("near", metrics=[ENERGY], project=project))


def test_conditions_say_which_runs_and_which_groups(project: Project) -> None:
    made(project, "grid", [1.0, 0.5, 0.25])
    compared = compare("grid", where=["batch_size != 2"], metrics=[ENERGY], project=project)
    assert [pair.name_b for pair in compared.pairs.found] == ["batch_size 4"]
    compared = compare("grid", where=[f"{ENERGY} > 0.3"], metrics=[ENERGY], project=project)
    assert "1 of 2 pairs left out: one of the two does not meet the conditions" in compared.notes
    done = ran(project, "grid", "--where", f"{ENERGY} < 0.1")
    assert done.stdout.splitlines()[2:] == [
        "No pair is left to compare.", "2 of 2 pairs left out: one of the two does not meet the conditions",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("operands", "said"),
    [
        (("nope",), "there is no campaign 'nope'"),
        (("one",), "one has one group of runs only"),
        (("none",), "none has no group of runs"),
        (("none", "one"), "none has no complete run to compare"),
        (("grid:x", "grid"), "no experiment of grid has 'x' in its id"),
        (("grid:-1-", "grid"), "campaign grid has 2 experiments"),
        (("grid", "one", "--against", "x"), "--against is about the groups of one campaign"),
        (("grid", "--metric", "joules"), "--metric 'joules' is no quantity"),
        (("grid", "--group-by", "nope"), "there is no column 'nope'"),
        (("grid", "--where", "x"), "'x' is no condition"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_to_do(
    project: Project, operands: tuple[str, ...], said: str
) -> None:
    made(project, "grid", [1.0, 0.5])
    made(project, "one", [1.0])
    made(project, "none", [])
    done = ran(project, *operands)
    assert done.returncode == 2
    assert said in done.stderr
    assert "hint: " in done.stderr or "no complete run" in done.stderr


def test_one_cycle_says_that_it_takes_two(project: Project) -> None:
    made(project, "grid", [1.0, 0.5], cycles=1)
    assert "not compared: fewer than 2 cycles" in ran(project, "grid").stdout


def test_nulls_everywhere_are_said_to_be_not_measured(project: Project) -> None:
    gone = dict.fromkeys(
        ("energy_j", "energy_low_j", "energy_high_j", "energy_method", "energy_scope", "energy_per_output_token_j",
         "tokens_per_j", "output_sha256", "power_mean_w")
    )  # fmt: skip
    made(project, "grid", [1.0, 0.5], **gone)
    done = ran(project, "grid", "--metric", ENERGY)
    assert done.returncode == 0
    assert "not compared: energy per output token was not measured" in done.stdout
    assert json.loads(ran(project, "grid", "--json").stdout)["pairs"][0]["comparisons"][0]["ratio"] is None


def test_names_in_any_script_and_markup_are_data(project: Project) -> None:
    models = ["組織/模型-[bold]<b>ф</b>", "org/naïve\u202emodel"]
    made_campaign(project.results, "grid", [Point(experiment("pytorch", model=model), 1.0) for model in models], 3)
    done = ran(project, "grid")
    assert done.returncode == 0
    assert "組織/模型-[bold]<b>ф</b>" in done.stdout
    assert "org/naïve\\u202emodel" in done.stdout
    assert "\u202e" not in done.stdout


def test_json_carries_everything_in_si_units(project: Project) -> None:
    made(project, "grid", [1.0, 0.5])
    document = json.loads(ran(project, "grid", "--metric", "ttft_s.p50", "--metric", ENERGY, "--json").stdout)
    (pair,) = document["pairs"]
    latency, energy = pair["comparisons"]
    assert (pair["a"]["name"], pair["b"]["runs"], pair["same_output"]) == ("batch_size 1", 5, True)
    assert latency["typical_a"]["estimate"] == pytest.approx(0.02, rel=0.1)
    assert latency["cost"] is None
    assert energy["verdict"] == "lower"
    assert energy["ratio"]["method"] == "log-t"
    assert energy["cost"]["energy_j"]["estimate"] == pytest.approx(-0.5e6, rel=0.1)


def test_how_each_pair_was_compared_is_told_where_that_is_unlike(project: Project) -> None:
    gpus = tuple(f"GPU-{n}" for n in range(4))
    factors = (1.0, 1.1, 0.9, 1.3)
    made(project, "square", [1.0, 1.02, 1.4, 0.8, 2.0, 0.5], 4, gpus=gpus, gpu_factors=factors, **REAL)
    made(project, "alike", [1.0, 0.5, 0.4], **REAL)
    (square,) = comparison_tables(compare("square", metrics=[ENERGY], project=project))
    place = [column.title for column in square.columns].index("compared")
    told = [row[place] for row in square.rows]
    assert told.count("paired by cycle") == 1  # both always on the same GPU
    assert told.count("paired by cycle and blocked by GPU") == 4
    assert any("compared paired by cycle and blocked by GPU (4), paired by cycle (1);" in each for each in square.notes)
    (alike,) = comparison_tables(compare("alike", metrics=[ENERGY], project=project))
    assert "compared" not in [column.title for column in alike.columns]
    assert any("compared paired by cycle; " in each for each in alike.notes)
