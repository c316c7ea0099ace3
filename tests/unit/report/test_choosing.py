from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.groups import Choice
from orchestrator.analysis.pareto import front_of
from orchestrator.errors import InputError
from orchestrator.report.choosing import Chosen, Question, choose, chosen_json
from orchestrator.report.chosen import answer, ranking_table
from orchestrator.report.effects import effects_table
from orchestrator.report.front import front_table
from orchestrator.report.tables import Table
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.project import Project, find_project
from tests.builders import Ended, call, experiment
from tests.made import Point, begun, lognormal, made_campaign, made_results, points, write_result

ENERGY = "energy_per_output_token_j"
QUIET = lognormal(0.003)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = find_project(str(tmp_path))
    project.prepare()
    return project


def made(project: Project, name: str, of: Sequence[Point], cycles: int = 4, **options: Any) -> None:
    made_campaign(project.results, name, of, cycles, **options)


def real(joules: Sequence[float], **options: Any) -> list[Point]:
    return points(joules, backend="pytorch", **options)


def chosen(project: Project, *names: str, better: str = "lower", **question: Any) -> Chosen:
    metric = question.pop("metric", ENERGY)
    return choose(project, names, Question(metric, better, **question))  # type: ignore[arg-type]


def said(found: Chosen) -> str:
    return " ".join(answer(found.best))


def best(project: Project, *arguments: str) -> Ended:
    return call("best", *arguments, "--project-dir", project.folder)


def cells(table: Table, title: str) -> list[str]:
    place = [column.title for column in table.columns].index(title)
    return [row[place] for row in table.rows]


def test_a_winner_that_is_told_apart_is_named_with_its_interval(project: Project) -> None:
    made(project, "made", real((0.5, 0.2, 0.4)))
    found = chosen(project, "made")
    assert said(found).startswith("batch_size 2 has the lowest energy per output token: 0.2")
    assert said(found).endswith(" at 95 %). It is told from all 2 others.")
    table = ranking_table(found.best, found.notes)
    assert table.title == "Energy per output token, from the lowest"
    assert cells(table, "best?") == ["winner", "no", "no"]
    assert cells(table, "cycles") == ["4"] * 3
    assert any("corrected for having picked the best of 3" in note for note in table.notes)


def test_those_that_may_be_as_good_are_named(project: Project) -> None:
    made(project, "made", real((0.5, 0.2, 0.2)))
    found = chosen(project, "made")
    assert "1 other of 2 cannot be told from it, and may be as good: batch_size" in said(found)
    assert "At worst it is " in said(found)
    assert cells(ranking_table(found.best), "best?") == ["winner", "maybe", "no"]
    assert any(
        note == "4 cycles of some that may be best: more cycles separate more"
        for note in ranking_table(found.best).notes
    )


def test_what_is_told_not_to_be_the_best_is_not_said_to_be_as_good_as_it(project: Project) -> None:
    """Simes's rule may tell it where no bound above 1 can be given, which Bonferroni's level takes."""
    made(project, "made", real((0.5, 0.2, 0.21, 0.21)), cycles=6)
    best = chosen(project, "made").best
    assert best.ranking[2].separable
    assert best.ranking[2].beside_best
    assert best.ranking[2].beside_best.low == 1.0
    table = ranking_table(best)
    assert (cells(table, "best?")[2], cells(table, "÷ best")[2]) == ("no", "above 1 to 1.12")


def test_beside_one_of_a_single_cycle_no_bound_is_claimed(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)))
    made(project, "other", [Point(experiment("vllm"), 0.3)], 1)
    assert "At worst" not in said(chosen(project, "made", "other"))
    assert "may be as good: other: " in said(chosen(project, "made", "other"))


def test_what_was_not_measured_says_so_wherever_it_stands(project: Project) -> None:
    made(project, "made", points((0.5, 0.2)))
    found = chosen(project, "made", effects=True)
    assert "the lowest energy per output token (simulated): " in said(found)
    assert found.front
    tables = [
        ranking_table(found.best, found.notes),
        front_table(found.front, found.groups),
        effects_table(found.effects["made"], ENERGY, "made", found.groups),
    ]
    assert all("(simulated)" in table.title for table in tables)
    assert any("simulated in 8 of 8 runs" in note for note in tables[0].notes)


def test_estimates_rank_only_when_asked_and_carry_their_name(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)), energy_method="estimated")
    assert "estimates do not rank; --estimated ranks them all the same" in said(chosen(project, "made"))
    asked = chosen(project, "made", choice=Choice(estimated=True))
    assert "the lowest energy per output token (energy estimated): " in said(asked)
    by_latency = chosen(project, "made", metric="ttft_s.p95")
    assert "estimated" not in said(by_latency)
    assert by_latency.front
    assert by_latency.front.left_out == ["energy per output token: estimated"]
    with_energy = chosen(project, "made", metric="ttft_s.p95", choice=Choice(estimated=True))
    assert with_energy.front
    headings = [column.title for column in front_table(with_energy.front, with_energy.groups).columns]
    assert headings == ["candidate", "TTFT p95\nms", "energy (energy estimated)\nJ/token", "output rate\ntokens/s",
                        "peak memory\nMiB"]  # fmt: skip


def test_conditions_on_figures_stand_beside_what_fails_them(project: Project) -> None:
    slow, fast = (Point(experiment("pytorch", batch_size=size), joules, ttft) for size, joules, ttft in
                  ((8, 0.2, 0.9), (1, 0.5, 0.1)))  # fmt: skip
    made(project, "made", [slow, fast])
    found = chosen(project, "made", where=["ttft_s.p95 < 0.5"])
    assert said(found).endswith("It is the only candidate.")
    table = ranking_table(found.best)
    assert cells(table, "best?")[1].startswith("fails ttft_s.p95 < 0.5: 1.")
    assert any("against medians" in note for note in table.notes)
    assert "none meets the conditions" in said(chosen(project, "made", where=["ttft_s.p95 < 0.01"]))


def test_figures_that_are_not_above_0_are_said_to_be_the_reason(project: Project) -> None:
    folder = CampaignFolder(project.results / "made")
    folder.make()
    for result in made_results("made", real((0.4, 0.3)), 4):
        write_result(folder, result.model_copy(update={"energy_adjusted_j": result.cycle - 2.0}))
    begun(project.results, "made")
    metric = "energy_adjusted_j"
    found = chosen(project, "made", metric=metric, effects=True)
    assert cells(ranking_table(found.best), "best?") == [f"not ranked: {metric} is 0 or less in a run: no ratios"] * 2
    assert cells(ranking_table(found.best), "cycles") == ["—"] * 2
    table = effects_table(found.effects["made"], metric, "made", [one.group for one in found.best.ranking])
    assert cells(table, "method") == ["not told: 0 or less in a run, so no ratios"]
    front = front_of([one.group for one in found.best.ranking], metric)
    assert front.left_out == ["energy above baseline: 0 or less"]


def test_what_cannot_be_ranked_fails_no_condition_where_none_was_asked(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)), energy_per_output_token_j=0.0)
    found = chosen(project, "made")
    assert said(found).endswith("is 0 or less in a run: no ratios.")
    assert not any("conditions" in note for note in ranking_table(found.best).notes)


def test_conditions_on_parameters_say_which_runs_are_looked_at(project: Project) -> None:
    made(project, "made", [*real((0.5, 0.2)), *[Point(experiment("vllm"), 0.1)]])
    found = chosen(project, "made", where=["backend = pytorch"])
    assert [one.group.label for one in found.best.ranking] == ["batch_size 2", "batch_size 1"]


def test_several_campaigns_are_ranked_together_under_their_names(project: Project) -> None:
    made(project, "one", real((0.5, 0.2)))
    made(project, "two", [Point(experiment("vllm"), 0.1)])
    found = chosen(project, "one", "two", "one")
    assert [one.group.label.partition(":")[0] for one in found.best.ranking] == ["two", "one", "one"]
    assert found.best.method.endswith("paired where cycles are shared")
    only_one = chosen(project, "one", "two", where=["pytorch.batch_size = 2"])
    assert [one.group.label.partition(":")[0] for one in only_one.best.ranking] == ["one"]
    with pytest.raises(InputError, match=r"there is no column 'pytorch\.batch'"):
        chosen(project, "one", "two", where=["pytorch.batch = 2"])


def test_it_is_told_that_cycles_drift(project: Project) -> None:
    of = [Point(point.of, point.joules_per_token, noise=QUIET) for point in real((0.5, 0.2))]
    made(project, "made", of, 8, per_cycle=0.02)
    assert any("energy per output token of made drifts by +2" in note for note in chosen(project, "made").notes)


def test_the_meters_bounds_stand_beside_the_winners_interval(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)))
    assert any("× 0.990 to × 1.010" in note for note in chosen(project, "made").notes)
    assert not any("bounds" in note for note in chosen(project, "made", metric="ttft_s.p50").notes)
    made(project, "exact", real((0.5, 0.2)), energy_low_j=1.0, energy_high_j=1.0, energy_j=1.0)
    assert not any("bounds" in note for note in chosen(project, "exact").notes)


def test_the_front_is_of_what_is_traded(project: Project) -> None:
    of = [
        Point(experiment("pytorch", batch_size=size), joules, ttft, QUIET, memory)
        for size, joules, ttft, memory in ((1, 0.5, 0.1, 2**29), (2, 0.2, 0.5, 2**29), (4, 0.6, 0.6, 2**30))
    ]
    made(project, "made", of)
    found = chosen(project, "made")
    assert found.front
    assert cells(front_table(found.front, found.groups), "candidate") == ["batch_size 2", "batch_size 1"]
    assert chosen(project, "made", better="higher").front is None


def test_suspect_runs_are_left_out_and_counted_unless_they_are_asked_for(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)), verdict="suspect")
    found = chosen(project, "made")
    assert "no run is usable (8 runs (suspect))" in said(found)
    assert any(note == "left out: 8 runs (suspect)" for note in ranking_table(found.best).notes)
    assert chosen(project, "made", choice=Choice(suspect=True)).best.winner


@pytest.mark.parametrize(("cycles", "words"), [(0, "no complete run"), (1, "in one cycle only")])
def test_without_repetitions_it_says_why_there_is_no_winner(project: Project, cycles: int, words: str) -> None:
    made(project, "made", real((0.5, 0.2)), cycles)
    assert words in said(chosen(project, "made"))


def test_nothing_measured_is_no_reason_to_fail(project: Project) -> None:
    nothing = dict.fromkeys((ENERGY, "ttft_s", "memory_peak_bytes"))
    made(project, "made", real((0.5, 0.2)), **nothing)
    found = chosen(project, "made", effects=True)
    assert said(found).endswith("it was not measured.")
    assert found.front is None
    assert found.effects == {"made": []}
    assert cells(ranking_table(found.best), "best?") == ["not known", "not known"]


def test_effects_that_cannot_be_told_say_why(project: Project) -> None:
    of = [Point(experiment("pytorch", batch_size=size, dtype=dtype), 0.2) for size, dtype in
          ((1, "float32"), (2, "bfloat16"))]  # fmt: skip
    made(project, "made", of)
    found = chosen(project, "made", effects=True)
    table = effects_table(found.effects["made"], ENERGY, "made", found.groups)
    assert cells(table, "values") == ["bfloat16 ÷ float32", "2 ÷ 1"]
    assert cells(table, "method") == ["not told: never changed alone"] * 2


def test_a_long_ranking_is_cut_with_a_word_on_the_rest(project: Project) -> None:
    made(project, "made", [Point(experiment("vllm", max_num_seqs=size), 1.0) for size in range(1, 41)], 2)
    table = ranking_table(chosen(project, "made").best)
    assert len(table.rows) == 30
    assert table.notes[0] == "10 more groups, the worst: --json shows them all"


def test_json_holds_everything_in_si_units(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)), 3, energy_high_j=None)
    document = json.loads(json.dumps(chosen_json(chosen(project, "made", effects=True))))
    assert document["winner"] == "batch_size 2"
    assert document["may_be_best"] == ["batch_size 2"]
    first, second = document["ranking"]
    assert first["estimate"] == pytest.approx(0.2, rel=0.1)
    assert (first["separable"], second["separable"]) == (None, True)
    assert first["interval"]["method"] == "log-t"
    assert first["energy_methods"] == ["nvml (gpu)"]
    assert document["front"]["metrics"][0] == ENERGY
    assert document["front"]["points"][0]["on_front"] is first["on_front"] is True
    assert document["effects"]["made"][0]["levels"][1]["ratio"]["low"] > 0


def test_the_command_prints_answer_ranking_front_and_effects(project: Project) -> None:
    made(project, "made", real((0.5, 0.2)))
    ended = best(project, "made", "--minimize", ENERGY, "--effects")
    assert ended.returncode == 0
    place = [ended.stdout.index(words) for words in
             ("has the lowest", "from the lowest", "Pareto front", "what each parameter does")]  # fmt: skip
    assert place == sorted(place)
    document = json.loads(best(project, "made", "--maximize", "tokens_per_j", "--json").stdout)
    assert (document["metric"], document["better"], document["winner"]) == ("tokens_per_j", "higher", "batch_size 2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minimize", ENERGY, "--maximize", "tokens_per_j"], "exclude each other"),
        (["--minimize", "enrgy_j"], "--minimize 'enrgy_j' is no quantity"),
        (["--where", "ttft_s.p95"], "is no condition"),
        (["--group-by", "batch"], "there is no column 'batch'"),
    ],
)
def test_what_makes_no_sense_is_refused(project: Project, arguments: list[str], words: str) -> None:
    made(project, "made", real((0.5, 0.2)), 2)
    ended = best(project, "made", *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert best(project, "nowhere").returncode == 2


def test_names_are_data_in_any_script(project: Project) -> None:
    of = [Point(experiment("vllm", model="<b>[red]모델</b>", engine_args={"x": text}), joules)
          for text, joules in (("</script>[bold]", 0.2), ("ब", 0.5))]  # fmt: skip
    made(project, "made", of)
    ended = best(project, "made", "--effects")
    assert ended.returncode == 0
    assert "x </script>[bold] has the lowest" in ended.stdout
    assert "ब" in ended.stdout
