from __future__ import annotations

import math

import pytest

from orchestrator.analysis.effects import Effect, Level
from orchestrator.report.charts.effects import effects_chart, ratio_ticks
from tests.unit.report.charts.examples import ENERGY, effect, interval


def test_each_level_stands_beside_the_first_with_what_it_changes() -> None:
    chart = effects_chart([effect("batch_size", 0.5, 1.01, 1.5)], ENERGY)
    rows = chart.spec["data"]["values"]
    assert [row["label"] for row in rows] == ["batch_size 1 → 2", "batch_size 1 → 4", "batch_size 1 → 8"]
    assert [row["kind"] for row in rows] == ["better", "cannot tell", "worse"]
    assert rows[0]["told"] == "−50.0 % (−52.0 % to −48.0 %)"
    assert chart.marks == 3


@pytest.mark.parametrize(
    ("metric", "kind"), [(ENERGY, "better"), ("output_tokens_per_s", "worse"), ("duration_s", "lower")]
)
def test_whether_less_is_better_depends_on_the_metric(metric: str, kind: str) -> None:
    (row,) = effects_chart([effect("batch_size", 0.5)], metric).spec["data"]["values"]
    assert row["kind"] == kind


def test_what_is_not_known_is_counted() -> None:
    chart = effects_chart([effect("batch_size", None, 0.5)], ENERGY)
    assert chart.marks == 1
    assert "of 1 nothing can be said" in chart.description
    assert effects_chart([effect("batch_size", None)], ENERGY).marks == 0
    assert effects_chart([], ENERGY).description == "No effect of a parameter on energy per output token is known."


def test_a_parameter_within_a_backend_and_values_as_they_are_shown() -> None:
    levels = [Level(None, None, 1), Level(True, interval(0.5), 1)]
    (row,) = effects_chart([Effect("x", levels, "vllm")], ENERGY).spec["data"]["values"]
    assert row["label"] == "vllm: x — → true"


def test_what_is_simulated_is_said_in_title_and_axis() -> None:
    chart = effects_chart([effect("batch_size", 0.5)], ENERGY, "simulated")
    assert "(simulated)" in chart.title
    assert "(simulated)" in chart.description
    assert "change of energy per output token (simulated)" in str(chart.spec["layer"])


@pytest.mark.parametrize(("low", "high"), [(0.3, 1.25), (0.98, 1.03), (1.0, 1.0), (0.01, 40.0), (0.999, 1.0)])
def test_ticks_are_round_in_per_cent_and_not_too_many(low: float, high: float) -> None:
    ticks = ratio_ticks([low], [high])
    assert 1.0 in ticks
    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= 9
    assert all(low * 0.999999 <= tick <= high * 1.000001 for tick in ticks)
    for tick in ticks:
        change = 100 * abs(tick - 1)
        digits = change / 10 ** math.floor(math.log10(change)) if change > 1e-9 else 0
        assert math.isclose(digits, round(digits), rel_tol=1e-6) or change > 90
