from __future__ import annotations

import pytest

from orchestrator.analysis.effects import Effect, Level
from orchestrator.analysis.interval import Interval
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


def test_a_change_that_is_told_does_not_read_as_none() -> None:
    small = Effect("batch_size", [Level(1, None, 5), Level(2, Interval(1.0004, 1.0003, 1.0005, 0.95, "log-t", 5), 5)])
    assert "+0.04 % (+0.03 % to +0.05 %)" in str(effects_chart([small], ENERGY).spec)


@pytest.mark.parametrize(
    ("low", "high", "percents"),
    [
        (0.67, 1.0, [-30, -25, -20, -15, -10, -5, 0]),
        (0.98, 1.03, [-2, -1, 0, 1, 2, 3]),
        (0.5, 1.25, [-50, -40, -30, -20, -10, 0, 10, 20]),
        (1.0, 1.0, [0]),
        (0.3, 1.25, [-50, -20, 0, 20]),
        (0.01, 40.0, [-99, -95, -75, 0, 200, 1000]),
    ],
)
def test_ticks_are_round_in_per_cent_and_not_too_many(low: float, high: float, percents: list[float]) -> None:
    assert [round(100 * (tick - 1), 6) for tick in ratio_ticks([low], [high])] == percents
