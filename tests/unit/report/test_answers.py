from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.analysis.groups import Choice
from orchestrator.campaign.schema import Dispatching
from orchestrator.errors import InputError
from orchestrator.report.answers import Asked, answers_of
from orchestrator.report.in_words import in_short, place_of
from orchestrator.report.page.answering import charts_of
from orchestrator.report.sentences import Name, Sentence
from orchestrator.report.trust import trust
from orchestrator.results.frozen import freeze, thaw
from runners.contract.paths import CAMPAIGN, FAILURE, AttemptName, FailureKind
from runners.contract.request import Experiment
from runners.contract.result import RunFailure
from tests.browser.reported import written
from tests.builders import campaign, experiment, identity, run_result
from tests.made import Point, lognormal, made_results, points


def said(sentences: list[Sentence]) -> str:
    return "\n".join("".join(part.text if isinstance(part, Name) else part for part in one) for one in sentences)


def test_the_best_is_named_with_what_it_rests_on(tmp_path: Path) -> None:
    answers = answers_of(written(tmp_path, "c", made_results("c", points([0.6, 0.3, 0.5]), 5)))
    assert [one.place for one in answers.standings] == [1, 2, 3]
    assert answers.winner is answers.standings[0]
    assert answers.winner.group.label.endswith("batch_size 2")
    words = said(in_short(answers))
    assert words.startswith("batch_size 2 has the lowest energy per output token (simulated): 0.298 J/token (95 % ")
    assert "corrected for having been picked as the best of 3; log-t, 5 cycles" in words
    assert "It is told apart from all 2 others." in words
    assert "At the other end stands batch_size 1, with 2.0" in words


def test_those_that_cannot_be_told_apart_are_named(tmp_path: Path) -> None:
    answers = answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.3, 0.9]), 4)))
    tied = [one for one in answers.standings if one.ranked and one.ranked.separable is False]
    assert len(tied) == 1
    assert f"1 other cannot be told apart from it: {tied[0].group.label}." in said(in_short(answers))


def test_estimated_joules_do_not_rank_unless_asked(tmp_path: Path) -> None:
    made = made_results("c", points([0.3, 0.5], "pytorch"), 4, energy_method="estimated")
    folder = written(tmp_path, "c", made)
    answers = answers_of(folder)
    assert answers.metric is not None
    assert answers.metric.name == "output_tokens_per_s"
    assert "Ranked by output rate: energy per output token is estimated, and estimates do not rank." in said(
        trust(answers)
    )
    asked = answers_of(folder, Asked(choice=Choice(estimated=True)))
    assert asked.metric is not None
    assert asked.metric.name == "energy_per_output_token_j"
    assert asked.metric.caveat == "energy estimated"
    with pytest.raises(InputError, match="estimates do not rank"):
        answers_of(folder, Asked(metric="energy_per_output_token_j"))


def test_one_run_gives_no_interval_and_no_winner(tmp_path: Path) -> None:
    answers = answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 1)))
    assert answers.winner is None
    assert "of a single run no interval can be claimed" in said(in_short(answers))


def test_without_any_result_it_says_so_and_why(tmp_path: Path) -> None:
    folder = written(tmp_path, "c", [])
    for cycle, message in ((1, "no room"), (2, "no  room")):
        failed(folder, experiment(), cycle, message)
    answers = answers_of(folder)
    assert answers.metric is None
    assert said(in_short(answers)) == "No run of this campaign is complete, so nothing can be answered."
    (kind,) = answers.incomplete.failed
    assert (kind.kind, len(kind.runs), kind.messages) == ("out_of_memory", 2, ["no room"])
    assert "2 runs failed and gave no result: 2 out_of_memory." in said(trust(answers))


def test_runs_that_are_no_longer_planned_neither_failed_nor_are_complete(tmp_path: Path) -> None:
    folder = written(tmp_path, "base", made_results("base", points([0.6, 0.3]), 2))
    dispatching = Dispatching("local", None)
    freeze(folder / CAMPAIGN, campaign(tmp_path, cycles=3), 2, "", dispatching)
    failed(folder, experiment(batch_size=1), 3, "no room")
    failed(folder, experiment(batch_size=2), 3, "no room")
    assert "2 runs failed and gave no result" in said(trust(answers_of(folder)))
    narrower = campaign(tmp_path, cycles=3, backends={"simulated": {"batch_size": [1]}})
    freeze(folder / CAMPAIGN, narrower, 1, "", dispatching, thaw(folder / CAMPAIGN))
    answers = answers_of(folder)
    assert (answers.incomplete.planned, answers.incomplete.complete) == (3, 2)
    told = said(trust(answers))
    assert "1 run failed and gave no result" in told
    assert "planned" not in told  # of the three that are, two are complete and one failed


def failed(folder: Path, of: Experiment, cycle: int, message: str) -> None:
    attempt = folder / "attempts" / str(AttemptName(identity(of), cycle, 1))
    attempt.mkdir(parents=True)
    failure = RunFailure(run_id=None, kind=FailureKind.OUT_OF_MEMORY, message=message, at=datetime.now(UTC))
    (attempt / FAILURE).write_text(failure.model_dump_json())


def test_what_was_never_measured_is_not_ranked(tmp_path: Path) -> None:
    bare = run_result(energy_method=None, energy_per_output_token_j=None, ttft_s=None)
    answers = answers_of(written(tmp_path, "c", [bare, bare.model_copy(update={"cycle": 2})]))
    assert answers.metric is not None
    assert answers.metric.name == "output_tokens_per_s"
    assert answers.metric.why == "energy per output token was not measured"


def test_suspect_runs_are_left_out_and_counted(tmp_path: Path) -> None:
    good = made_results("c", points([0.3, 0.5]), 4)
    spoilt = [result.model_copy(update={"verdict": "suspect"}) if result.cycle == 4 else result for result in good]
    answers = answers_of(written(tmp_path, "c", spoilt))
    assert [(left.reason, left.runs) for left in answers.left_out] == [("suspect", 2)]
    assert {one.summaries["energy_per_output_token_j"].cycles for one in answers.standings} == {3}


def test_conditions_on_parameters_choose_runs_and_those_on_figures_candidates(tmp_path: Path) -> None:
    folder = written(tmp_path, "c", made_results("c", points([0.6, 0.3, 0.5]), 4))
    narrowed = answers_of(folder, Asked(where=["batch_size != 2"]))
    assert [one.group.label for one in narrowed.standings] == ["batch_size 4", "batch_size 1"]
    failing = answers_of(folder, Asked(where=["energy_per_output_token_j > 0.4"]))
    assert failing.winner is not None
    assert failing.winner.group.label == "batch_size 4"
    assert failing.standings[-1].ranked is not None
    assert failing.standings[-1].ranked.fails


def test_the_front_holds_what_nothing_beats_in_both(tmp_path: Path) -> None:
    made = made_results("c", points([0.6, 0.3, 0.5]), 4)
    slow = {"mean": 9.0, "p50": 9.0, "p90": 9.0, "p95": 9.0, "p99": 9.0}
    best = identity(made[1].experiment)
    made = [run_result(one.experiment, **{**one.model_dump(mode="json"), "ttft_s": slow}) if one.experiment_id == best
            else one for one in made]  # fmt: skip
    answers = answers_of(written(tmp_path, "c", made))
    on_front = {one.group.label: one.on_front for one in answers.standings}
    assert on_front["batch_size 2"]
    assert on_front["batch_size 4"] or on_front["batch_size 1"]
    assert "on the Pareto front of the two" in said(in_short(answers))


def test_circumstances_tell_what_is_alike_and_what_differs(tmp_path: Path) -> None:
    made = [
        result.model_copy(update={"effective_config": {"threads": 4, "kernel": {"name": f"k{place % 2}"}}})
        for place, result in enumerate(made_results("c", points([0.3, 0.5]), 2))
    ]
    effective = answers_of(written(tmp_path, "c", made)).circumstances.effective["simulated"]
    assert effective.alike == {"threads": "4"}
    assert sorted(effective.differing["kernel.name"]) == ["k0", "k1"]


def test_runs_that_are_planned_and_not_there_are_counted(tmp_path: Path) -> None:
    results = made_results("c", points([0.3, 0.5]), 2)
    folder = written(tmp_path, "c", results)
    freeze(folder / "campaign.json", campaign(tmp_path, name="c", cycles=3), 2, "0" * 64, Dispatching("local", None))
    assert "2 runs of 6 planned are not there." in said(trust(answers_of(folder)))


def test_a_campaign_that_stops_when_sure_lacks_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 5))
    until = {"metric": "energy_per_output_token_j", "relative_half_width": 0.02, "min_cycles": 5, "max_cycles": 20}
    stopping = campaign(tmp_path, name="c", until=until)
    freeze(folder / "campaign.json", stopping, 2, "0" * 64, Dispatching("local", None))
    words = said(trust(answers_of(folder)))
    assert "until energy_per_output_token_j is known to ± 2 %: 10 runs, of 40 at most." in words
    assert "not there" not in words


def test_nothing_is_called_the_best_that_is_not_told_apart(tmp_path: Path) -> None:
    answers = answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.3, 0.9]), 4)))
    words = said(in_short(answers))
    assert "has the lowest" not in words
    assert words.startswith("The lowest energy per output token (simulated) seen is that of ")
    assert place_of(answers.standings[0], answers) == "best seen"


def test_a_latency_is_called_the_shortest_only_where_it_is_told_apart(tmp_path: Path) -> None:
    alike = answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.6]), 5, seed=1)))
    assert "cannot be told apart" in said(in_short(alike))
    assert "has the shortest" not in said(in_short(alike))
    quick = [replace(one, ttft_s=0.01 if place == 0 else 0.05) for place, one in enumerate(points([0.3, 0.6]))]
    apart = answers_of(written(tmp_path, "d", made_results("d", quick, 5)))
    assert "It has the shortest TTFT p50 too: " in said(in_short(apart))


def test_a_candidate_of_one_cycle_is_not_told_apart(tmp_path: Path) -> None:
    made = made_results("c", points([0.3, 0.5, 0.7]), 4)
    last = made[2].experiment_id
    made = [one for one in made if one.experiment_id != last or one.cycle == 1]
    words = said(in_short(answers_of(written(tmp_path, "c", made))))
    assert "1 other cannot be told apart from it: batch_size 4." in words
    assert "It is told apart from all" not in words


def test_estimated_joules_are_on_no_front_and_in_no_mean_of_measured_ones(tmp_path: Path) -> None:
    of = [Point(experiment("pytorch", batch_size=1), 0.1, 0.01), Point(experiment("vllm", max_num_seqs=1), 0.3, 0.02),
          Point(experiment("vllm", max_num_seqs=2), 0.25, 0.03)]  # fmt: skip
    made = made_results("c", of, 4)
    made = [one.model_copy(update={"energy_method": "estimated"}) if one.backend == "pytorch" else one for one in made]
    answers = answers_of(written(tmp_path, "c", made))
    on_front = {one.group.label: one.on_front for one in answers.standings}
    assert on_front == {"vllm · max_num_seqs 2": True, "vllm · max_num_seqs 1": True, "pytorch": None}
    assert place_of(answers.standings[-1], answers) == "not ranked: energy estimated"
    wild = [
        one.model_copy(update={"energy_method": "estimated", "energy_per_output_token_j": 9.0})
        if one.backend == "vllm" and one.cycle == 4
        else one
        for one in made
    ]
    first = answers_of(written(tmp_path, "d", wild)).standings[0].summaries["energy_per_output_token_j"]
    assert first.cycles == 3
    assert first.mean is not None
    assert first.mean < 0.3


def test_conditions_are_said_of_what_is_claimed(tmp_path: Path) -> None:
    folder = written(tmp_path, "c", made_results("c", points([0.6, 0.3, 0.5]), 4))
    figures = answers_of(folder, Asked(where=["energy_per_output_token_j > 0.4"]))
    assert "That is of 2 of 3 configurations: those that meet `energy_per_output_token_j > 0.4`." in said(
        in_short(figures)
    )
    assert place_of(figures.standings[-1], figures).startswith("fails energy_per_output_token_j > 0.4: 0.")
    narrowed = answers_of(folder, Asked(where=["batch_size != 2"]))
    assert "Only runs that meet `batch_size != 2` are looked at." in said(trust(narrowed))
    nothing = answers_of(folder, Asked(where=["batch_size = 99"]))
    assert said(in_short(nothing)) == "No complete run meets `batch_size = 99`, so nothing can be answered."


def test_suspect_runs_alone_are_not_said_to_be_unmeasured(tmp_path: Path) -> None:
    answers = answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.4]), 3, verdict="suspect")))
    assert said(in_short(answers)).startswith("Every run is suspect")
    assert place_of(answers.standings[0], answers) == "not ranked: suspect"


def test_the_greatest_effect_is_said_to_have_been_picked(tmp_path: Path) -> None:
    words = said(in_short(answers_of(written(tmp_path, "c", made_results("c", points([0.3, 0.5, 0.9]), 4)))))
    assert "The greatest effect seen is that of simulated.batch_size: 4 beside 1 gives" in words
    assert "not corrected for having been picked" in words


def test_joules_of_unlike_meters_have_no_ratio(tmp_path: Path) -> None:
    made = made_results("c", [Point(experiment("pytorch"), 0.1), Point(experiment("simulated"), 0.3)], 4)
    made = [
        one.model_copy(update={"energy_method": "simulated"}) if one.backend == "simulated" else one for one in made
    ]
    folder = written(tmp_path, "c", made)
    answers = answers_of(folder)
    assert [level.ratio for effect in answers.effects for level in effect.levels] == [None, None]
    words = said(in_short(answers))
    assert words.startswith("pytorch: energy per output token 0.1")
    assert "effect" not in words
    rate = answers_of(folder, Asked(metric="output_tokens_per_s"))
    assert rate.effects[0].levels[1].ratio is not None


def test_what_has_no_ratios_is_not_said_to_lack_cycles(tmp_path: Path) -> None:
    made = [one.model_copy(update={"energy_per_output_token_j": -1.0}) for one in made_results("c", points([1, 2]), 4)]
    words = said(in_short(answers_of(written(tmp_path, "c", made))))
    assert words == "No configuration can be ranked by energy per output token: the table says why."


def test_very_many_configurations_of_two_cycles_have_intervals_that_are_numbers(tmp_path: Path) -> None:
    of = [Point(experiment(batch_size=size), 0.1 + 0.001 * size, noise=lognormal(0.3)) for size in range(1, 101)]
    answers = answers_of(written(tmp_path, "c", made_results("c", of, 2)))
    highest = max(one.ranked.interval.high for one in answers.standings if one.ranked and one.ranked.interval)
    assert 1e6 < highest < 1e60
    assert re.search(r"would tell it from \d of them", said(in_short(answers)))
    chart = charts_of(answers)[0]
    assert "reach beyond the picture" in chart.description
    assert max(row["high"] for row in chart.spec["data"]["values"]) < 100
    assert max(len(line) for line in said(in_short(answers)).splitlines()) < 400
