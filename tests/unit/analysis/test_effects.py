from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.effects import Effect, main_effects
from orchestrator.analysis.groups import Choice
from orchestrator.results.table import RunTable, as_table
from runners.contract.result import RunResult
from tests.builders import experiment, run_result
from tests.made import Point, lognormal, made_results, points

ENERGY = "energy_per_output_token_j"
QUIET = lognormal(0.005)


def table(results: Sequence[RunResult]) -> RunTable:
    return as_table(Path("made"), results)


def grid(backend: str = "simulated", **options: Any) -> list[Point]:
    """Twice the batch spends 0.6 of the joules, twice the rate 1.2 of them."""
    return [
        Point(experiment(backend, batch_size=2**size, tokens_per_s=100 * 2**rate, **options), 0.6**size * 1.2**rate)
        for size, rate in itertools.product(range(3), range(2))
    ]


def found(effects: Sequence[Effect]) -> dict[str, list[tuple[Any, float | None]]]:
    return {
        effect.parameter: [(level.value, level.ratio and level.ratio.estimate) for level in effect.levels]
        for effect in effects
    }


def test_each_parameter_has_the_effect_that_it_was_made_with() -> None:
    effects = main_effects(table(made_results("made", grid(), 6)), ENERGY)
    batch, rate = effects
    assert (batch.parameter, rate.parameter) == ("simulated.batch_size", "simulated.tokens_per_s")
    assert batch.within is None
    assert [level.value for level in batch.levels] == [1, 2, 4]
    assert batch.levels[0].ratio is None
    for level, truth in zip(batch.levels[1:], (0.6, 0.36), strict=True):
        assert level.ratio is not None
        assert level.ratio.low < truth < level.ratio.high
        assert level.ratio.high / level.ratio.low < 1.15
        assert (level.ratio.count, level.ratio.method, level.runs, level.settings) == (6, "log-t", 12, 2)
    assert rate.levels[1].ratio is not None
    assert rate.levels[1].ratio.low < 1.2 < rate.levels[1].ratio.high
    assert rate.levels[1].settings == 3


def test_a_parameter_that_others_change_with_is_not_told() -> None:
    of = [
        Point(experiment(batch_size=1, tokens_per_s=100), 1.0),
        Point(experiment(batch_size=2, tokens_per_s=200), 0.5),
    ]
    effects = main_effects(table(made_results("made", of, 4)), ENERGY)
    assert found(effects) == {
        "simulated.batch_size": [(1, None), (2, None)],
        "simulated.tokens_per_s": [(100, None), (200, None)],
    }
    assert [effect.levels[1].settings for effect in effects] == [0, 0]


def test_only_settings_that_were_run_with_both_values_count() -> None:
    """Of 2 × 3 combinations one is missing, the best: that must not make the rest of its level look bad."""
    of = [Point(point.of, point.joules_per_token, noise=QUIET) for point in grid()]
    effects = main_effects(table(made_results("made", of[:4] + of[5:], 5)), ENERGY)
    assert found(effects)["simulated.batch_size"][2] == (4, pytest.approx(0.36, rel=0.02))
    assert effects[0].levels[2].settings == 1


def test_a_cycle_that_lacks_a_setting_does_not_shift_the_effect() -> None:
    """The batch helps more at one rate than at the other, which is missing in half of the cycles."""
    of = [
        Point(experiment(batch_size=size, tokens_per_s=rate), joules, noise=QUIET)
        for size, rate, joules in ((1, 100, 1.0), (2, 100, 0.5), (1, 200, 1.0), (2, 200, 2.0))
    ]
    results = [
        result
        for result in made_results("made", of, 8)
        if result.cycle <= 4 or result.experiment.options.tokens_per_s == 100
    ]
    assert found(main_effects(table(results), ENERGY))["simulated.batch_size"][1] == (2, pytest.approx(1.0, rel=0.02))


def test_backends_are_compared_where_what_they_share_is_the_same() -> None:
    of = [
        Point(experiment("pytorch", dtype=dtype, batch_size=size), joules * factor, noise=QUIET)
        for dtype, factor in (("float32", 1.0), ("bfloat16", 0.5))
        for size, joules in ((1, 1.0), (4, 0.25))
    ] + [
        Point(experiment("vllm", dtype=dtype, max_num_seqs=size), joules * factor, noise=QUIET)
        for dtype, factor in (("bfloat16", 0.5), ("float16", 0.4))
        for size, joules in ((1, 0.5), (4, 0.125))
    ]
    effects = main_effects(table(made_results("made", of, 5)), ENERGY)
    assert found(effects) == {
        "backend": [("pytorch", None), ("vllm", pytest.approx(0.5, rel=0.02))],
        "pytorch.dtype": [("float32", None), ("bfloat16", pytest.approx(0.5, rel=0.02))],
        "vllm.dtype": [("bfloat16", None), ("float16", pytest.approx(0.8, rel=0.02))],
        "pytorch.batch_size": [(1, None), (4, pytest.approx(0.25, rel=0.02))],
        "vllm.max_num_seqs": [(1, None), (4, pytest.approx(0.25, rel=0.02))],
    }
    assert [effect.within for effect in effects] == [None, "pytorch", "vllm", "pytorch", "vllm"]
    assert effects[0].levels[1].settings == 1


def test_a_workload_is_varied_across_all_backends() -> None:
    of = [
        Point(experiment(backend, workload={"output_tokens": tokens}), joules, noise=QUIET)
        for backend, factor in (("simulated", 1.0), ("pytorch", 3.0))
        for tokens, joules in ((64, factor), (128, factor * 0.8))
    ]
    effects = main_effects(table(made_results("made", of, 4)), ENERGY)
    (tokens,) = (effect for effect in effects if effect.parameter == "workload.output_tokens")
    assert tokens.within is None
    assert tokens.levels[1].settings == 2
    assert tokens.levels[1].ratio is not None
    assert tokens.levels[1].ratio.estimate == pytest.approx(0.8, rel=0.02)


def test_runs_of_unlike_environments_are_not_held_against_one_another() -> None:
    elsewhere = {**run_result().environment.model_dump(), "environment_id": "elsewhere"}
    results = [
        *made_results("made", points((1.0,)), 4),
        *made_results("made", points((1.0, 0.5)), 4, environment=elsewhere)[1::2],
    ]
    assert found(main_effects(table(results), ENERGY)) == {"simulated.batch_size": [(1, None), (2, None)]}
    pooled = found(main_effects(table(results), ENERGY, Choice(pooled=True)))
    assert pooled == {"simulated.batch_size": [(1, None), (2, pytest.approx(0.5, rel=0.1))]}


def test_what_drifts_is_no_noise_of_an_effect() -> None:
    effects = main_effects(table(made_results("made", points((1.0, 0.5)), 10, per_cycle=0.1)), ENERGY)
    ratio = effects[0].levels[1].ratio
    assert ratio is not None
    assert ratio.low < 0.5 < ratio.high
    assert ratio.relative_half_width < 0.06


def test_gpus_are_taken_out_and_cost_a_degree_of_freedom() -> None:
    gpus = {"gpus": ["GPU-a", "GPU-b"], "gpu_factors": [1.0, 1.5]}
    effects = main_effects(table(made_results("made", points((1.0, 0.9)), 8, **gpus)), ENERGY)
    ratio = effects[0].levels[1].ratio
    assert ratio is not None
    assert ratio.low < 0.9 < ratio.high < 1


def test_what_was_left_open_is_a_level_and_comes_last() -> None:
    of = [
        Point(experiment("vllm", max_model_len=length), 1.0 if length is None else length / 64, noise=QUIET)
        for length in (None, 128, 64)
    ]
    effects = main_effects(table(made_results("made", of, 3)), ENERGY)
    assert [level.value for level in effects[0].levels] == [64, 128, None]


@pytest.mark.parametrize("cycles", [0, 1])
def test_without_repetitions_nothing_is_claimed(cycles: int) -> None:
    effects = main_effects(table(made_results("made", points((1.0, 0.5)), cycles)), ENERGY)
    assert found(effects) == ({"simulated.batch_size": [(1, None), (2, None)]} if cycles else {})


def test_estimated_joules_show_no_effects_unless_they_are_asked_for() -> None:
    estimated = table(made_results("made", points((1.0, 0.5)), 3, energy_method="estimated"))
    assert main_effects(estimated, ENERGY) == []
    assert len(main_effects(estimated, ENERGY, Choice(estimated=True))) == 1


def test_experiments_that_ran_one_after_another_have_effects_too() -> None:
    effects = main_effects(table(made_results("made", points((1.0, 0.5)), 4, order="grouped")), ENERGY)
    assert found(effects) == {"simulated.batch_size": [(1, None), (2, pytest.approx(0.5, rel=0.1))]}
