from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.best import Best, best_of
from orchestrator.analysis.compare import compare_groups
from orchestrator.analysis.conditions import parse_condition
from orchestrator.analysis.groups import Choice, Group, groups_of
from orchestrator.analysis.pareto import front_of
from orchestrator.errors import InputError
from orchestrator.results.table import as_table
from runners.contract.result import RunResult
from tests.builders import experiment, run_result
from tests.made import Point, made_results, points

ENERGY = "energy_per_output_token_j"
JOULES = (0.5, 0.4, 0.404, 0.6)


def groups(results: Sequence[RunResult], *by: str) -> list[Group]:
    return groups_of(as_table(Path("made"), results), by)


def made(joules: Sequence[float] = JOULES, cycles: int = 6, **options: Any) -> list[Group]:
    return groups(made_results("made", points(joules), cycles, **options))


def labels(best: Best) -> list[str]:
    return [one.group.label.removeprefix("batch_size ") for one in best.ranking]


def test_it_ranks_from_the_best_down_and_names_what_it_cannot_separate() -> None:
    best = best_of(made(), ENERGY)
    assert best.winner is best.ranking[0]
    assert set(labels(best)[:2]) == {"2", "4"}
    assert labels(best)[2:] == ["1", "8"]
    assert [one.separable for one in best.ranking] == [None, False, True, True]
    assert [one.group.label for one in best.may_be_best] == [one.group.label for one in best.ranking[:2]]
    assert best.method == "subset selection by Simes's rule over t on logs, paired by cycle"


def test_intervals_hold_at_once_and_so_are_wider_than_one_alone() -> None:
    among_four, alone = best_of(made(), ENERGY).winner, best_of(made()[1:2], ENERGY).winner
    assert among_four is not None
    assert alone is not None
    assert among_four.interval is not None
    assert alone.interval is not None
    assert alone.beside_best is None
    assert among_four.interval.relative_half_width > 1.3 * alone.interval.relative_half_width
    assert among_four.interval.estimate == pytest.approx(among_four.estimate)
    assert among_four.interval.low < 0.4 < among_four.interval.high


def test_ratios_to_the_best_hold_the_truth() -> None:
    for one in best_of(made(), ENERGY).ranking:
        assert one.beside_best is not None
        truth = JOULES[int(math.log2(int(one.group.label.removeprefix("batch_size "))))] / min(JOULES)
        assert 1 <= one.beside_best.low <= truth <= one.beside_best.high


def test_where_higher_is_better_the_ratio_to_the_best_is_at_most_one() -> None:
    best = best_of(made(), "output_tokens_per_s")
    assert best.better == "higher"
    assert labels(best)[2:] == ["1", "8"]
    last = best.ranking[-1].beside_best
    assert last is not None
    assert last.low < last.estimate == pytest.approx(0.4 / 0.6, rel=0.05)
    assert last.high < 1


def test_the_side_may_be_chosen_and_must_be_where_neither_is_better() -> None:
    assert labels(best_of(made(), ENERGY, better="higher"))[0] == "8"
    with pytest.raises(InputError, match="neither less nor more of power_max_w"):
        best_of(made(), "power_max_w")


def test_what_fails_a_condition_stands_below_with_what_was_seen() -> None:
    of = [Point(experiment(batch_size=1), 0.3, ttft_s=0.9), Point(experiment(batch_size=2), 0.5, ttft_s=0.1)]
    best = best_of(groups(made_results("made", of, 4)), ENERGY, [parse_condition("ttft_s.p95 < 0.5")])
    assert labels(best) == ["2", "1"]
    assert best.winner is best.ranking[0]
    assert best.candidates == [best.ranking[0]]
    (failed,) = best.ranking[1].fails
    assert failed.startswith("ttft_s.p95 < 0.5: 1.")
    assert best.ranking[1].separable is None


def test_without_any_candidate_there_is_no_winner() -> None:
    assert best_of([], ENERGY).winner is None
    nowhere = best_of(made(), ENERGY, [parse_condition("ttft_s.p95 < 0")])
    assert nowhere.winner is None
    assert nowhere.may_be_best == nowhere.candidates == []
    assert len(nowhere.ranking) == 4


def test_of_one_cycle_nothing_is_claimed() -> None:
    best = best_of(made(cycles=1), ENERGY)
    assert best.winner is None
    assert labels(best)[-1] == "8"
    assert {(one.interval, one.separable, one.cycles) for one in best.ranking} == {(None, None, 1)}


def test_one_of_a_single_cycle_stands_below_and_is_not_told_apart() -> None:
    single = run_result(experiment(batch_size=64), cycle=1, order_index=99, energy_per_output_token_j=0.1)
    results = [*made_results("made", points((0.4, 0.5)), 5), single]
    best = best_of(groups(results), ENERGY)
    assert labels(best) == ["1", "2", "64"]
    assert [one.separable for one in best.ranking] == [None, True, False]
    assert best.ranking[2].estimate == pytest.approx(0.1)


def test_what_was_not_measured_comes_last() -> None:
    results = made_results("made", points((0.4, 0.5, 0.3)), 3)
    results = [
        result.model_copy(update={ENERGY: None}) if result.experiment.options.batch_size == 4 else result
        for result in results
    ]
    best = best_of(groups(results), ENERGY)
    assert labels(best) == ["1", "2", "4"]
    assert (best.ranking[2].estimate, best.ranking[2].separable, best.ranking[2].cycles) == (None, None, 0)


def test_estimated_joules_are_not_ranked_unless_they_are_asked_for() -> None:
    estimated = made_results("made", points((0.4, 0.5)), 3, energy_method="estimated")
    assert best_of(groups(estimated), ENERGY).winner is None
    assert [one.reason for one in best_of(groups(estimated), ENERGY).ranking[0].group.left_out] == ["energy estimated"]
    assert best_of(groups(estimated), ENERGY, choice=Choice(estimated=True)).winner is not None
    assert best_of(groups(estimated), "ttft_s.p50").winner is not None


def test_joules_of_unlike_meters_are_not_ranked_together() -> None:
    results = made_results("made", points((0.4, 0.3)), 3)
    results = [
        result.model_copy(update={"energy_scope": "package"}) if result.experiment.options.batch_size == 2 else result
        for result in results
    ]
    best = best_of(groups(results), ENERGY)
    assert labels(best) == ["1", "2"]
    assert best.ranking[1].fails == ["energy by nvml (package), not by nvml (gpu): not comparable"]
    assert best_of(groups(results), "output_tokens_per_s").ranking[1].fails == []


def test_groups_that_mix_meters_are_not_ranked_as_they_are_not_compared() -> None:
    """Were both mixed alike, the mixture could still have come about in unlike parts."""
    of = [
        Point(experiment(batch_size=size, tokens_per_s=rate), joules)
        for size, rate, joules in ((1, 100, 1.0), (1, 200, 2.0), (2, 100, 1.5), (2, 200, 3.0), (4, 100, 9.0))
    ]
    results = [
        result.model_copy(update={"energy_scope": "package"})
        if result.experiment.options.tokens_per_s == 200  # type: ignore[union-attr]
        else result
        for result in made_results("made", of, 5)
    ]
    mixed = groups(results, "batch_size")
    best = best_of(mixed, ENERGY)
    assert labels(best) == ["4", "1", "2"]
    assert [one.fails for one in best.ranking[1:]] == [["energy by nvml (gpu) and nvml (package): not comparable"]] * 2
    (compared,) = compare_groups([(mixed[0], mixed[1])], [ENERGY])
    assert compared.why_not.startswith("metered unlike")
    assert front_of(mixed, ENERGY).left_out == ["energy per output token: of unlike meters"]
    assert all(not one.fails for one in best_of(mixed, "output_tokens_per_s").ranking)


def test_figures_of_which_one_is_nothing_have_no_ratio() -> None:
    results = made_results("made", points((0.4, 0.3)), 3)
    results[0] = results[0].model_copy(update={"energy_adjusted_j": -1.0})
    results[1:] = [
        result.model_copy(update={"energy_adjusted_j": float(place)}) for place, result in enumerate(results[1:], 1)
    ]
    best = best_of(groups(results), "energy_adjusted_j")
    assert labels(best) == ["2", "1"]
    assert best.ranking[1].fails == ["energy_adjusted_j is 0 or less in a run: no ratios"]


def test_gpus_that_experiments_moved_between_are_taken_out() -> None:
    """One GPU spends a fifth more than the other; two candidates differ by 5 %."""
    moved = made((0.4, 0.42), cycles=8, gpus=["GPU-a", "GPU-b"], gpu_factors=[1.0, 1.2])
    best = best_of(moved, ENERGY)
    assert best.method.endswith("paired by cycle, blocked by GPU")
    assert [one.separable for one in best.ranking] == [None, True]
    assert not best.unlike_gpus


def test_gpus_that_nothing_tells_from_the_candidates_are_said() -> None:
    results = [
        *made_results("made", points((0.4,)), 3, gpus=["GPU-a"]),
        *made_results("made", points((0.4, 0.5)), 3, gpus=["GPU-b"])[1::2],
    ]
    best = best_of(groups(results), ENERGY)
    assert best.unlike_gpus
    assert "blocked" not in best.method


def test_that_some_gpus_are_told_apart_hides_no_others() -> None:
    """Two candidates move between two GPUs, two others between two more: which half adds what is not told."""
    half = {"gpus": ["GPU-a", "GPU-b"]}, {"gpus": ["GPU-c", "GPU-d"]}
    results = made_results("made", points((0.4, 0.5)), 6, **half[0])
    results += made_results("made", points((1, 1, 0.6, 0.7)), 6, **half[1])
    kept = [one for place, one in enumerate(results) if place < 12 or (place - 12) % 4 >= 2]
    best = best_of(groups(kept), ENERGY)
    assert best.method.endswith("blocked by GPU")
    assert best.unlike_gpus


def test_groups_of_several_experiments_are_compared_over_their_mean() -> None:
    of = [
        Point(experiment(batch_size=size, tokens_per_s=rate), joules)
        for size, rate, joules in ((1, 100, 1.0), (1, 200, 4.0), (2, 100, 1.5), (2, 200, 6.0))
    ]
    best = best_of(groups(made_results("made", of, 5), "batch_size"), ENERGY)
    assert labels(best) == ["1", "2"]
    assert best.ranking[0].estimate == pytest.approx(2.0, rel=0.05)
    assert best.ranking[1].beside_best is not None
    assert best.ranking[1].beside_best.low > 1.4


def test_a_group_is_no_better_for_the_cycles_in_which_its_worst_is_missing() -> None:
    of = [
        Point(experiment(batch_size=size, tokens_per_s=rate), joules)
        for size, rate, joules in ((1, 100, 1.0), (1, 200, 4.0), (2, 100, 1.05), (2, 200, 4.2))
    ]
    results = [
        result
        for result in made_results("made", of, 6)
        if not (result.cycle > 3 and result.experiment_id == made_results("made", of, 1)[3].experiment_id)
    ]
    best = best_of(groups(results, "batch_size"), ENERGY)
    assert labels(best) == ["1", "2"]
    assert best.ranking[1].estimate == pytest.approx(2.1, rel=0.03)


def test_campaigns_share_no_cycles() -> None:
    results = [*made_results("one", points((0.4,)), 5), *made_results("other", points((0.8,)), 5)]
    both = [group for name in ("one", "other") for group in groups([each for each in results if each.campaign == name])]
    best = best_of(both, ENERGY)
    assert best.method.endswith("unpaired")
    assert [one.separable for one in best.ranking] == [None, True]


def test_candidates_that_ran_one_after_another_share_no_cycles() -> None:
    results = made_results("made", points((0.4, 0.8)), 5, order="grouped")
    assert best_of(groups(results), ENERGY).method.endswith("unpaired")
