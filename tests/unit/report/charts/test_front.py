from __future__ import annotations

from typing import Any

from orchestrator.analysis.summary import Summary
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.front import Spot, front_chart
from tests.unit.report.charts.examples import ENERGY, group, spot


def _layer(chart: Chart, name: str) -> dict[str, Any]:
    (found,) = (layer for layer in chart.spec["layer"] if layer["name"] == name)
    return dict(found)


def _corners(chart: Chart) -> list[tuple[float, float]]:
    return [(step["x"], step["y"]) for step in _layer(chart, "front")["data"]["values"]]


def test_the_front_turns_where_the_worse_of_both_lies() -> None:
    chart = front_chart([spot(0.06, 0.2, True), spot(0.04, 0.4, True), spot(0.07, 0.5, False)])
    assert _corners(chart) == [(40.0, 0.4), (60.0, 0.4), (60.0, 0.2)]
    assert chart.marks == 3
    assert "2 on the Pareto front; a at 40 ms" in chart.description


def _rate_spot(rate: float, joules: float) -> Spot:
    of = group("a")
    x = Summary(of, "output_tokens_per_s", 1, 1, rate, rate, None, None, None, None)
    return Spot(x, Summary(of, ENERGY, 1, 1, joules, joules, None, None, None, None), True)


def test_the_front_turns_the_other_way_where_more_is_better() -> None:
    chart = front_chart([_rate_spot(100, 0.2), _rate_spot(200, 0.4)])
    assert _corners(chart) == [(100, 0.2), (100, 0.4), (200, 0.4)]


def test_one_cycle_has_a_point_and_says_that_it_has_no_interval() -> None:
    chart = front_chart([_rate_spot(100, 0.2)])
    (row,) = chart.spec["data"]["values"]
    assert row["y_told"] == "0.2 J/token (no interval: 1 cycle)"
    assert row["y_low"] == row["y"] == row["y_high"]


def test_what_lacks_a_quantity_is_counted_not_drawn() -> None:
    chart = front_chart([spot(None, 0.2, False), spot(0.04, 0.4, True), spot(0.05, None, False)])
    assert chart.marks == 1
    assert "2 are not drawn, since TTFT p50 or energy per output token is not known of them" in chart.description


def test_nothing_to_draw_is_said() -> None:
    for spots in ([], [spot(None, 0.2, False)]):
        chart = front_chart(spots)
        assert (chart.marks, chart.description) == (0, "No configuration has both quantities.")


def test_numbers_are_those_of_the_ranking() -> None:
    chart = front_chart([spot(0.04, 0.4, True, 3, "x")])
    (row,) = chart.spec["data"]["values"]
    assert (row["number"], row["label"]) == ("3", "3 · x")


def test_of_very_many_the_front_is_drawn_whole_and_the_rest_as_far_as_there_is_room() -> None:
    many = [spot(0.05 + number / 1000, 0.5, False) for number in range(50)]
    chart = front_chart([*many, spot(0.04, 0.4, True), spot(0.05, 0.3, True)], most=10)
    kinds = [row["kind"] for row in chart.spec["data"]["values"]]
    assert chart.marks == len(kinds) == 10
    assert kinds[0] == kinds[1] != kinds[2]
    assert "of 52 configurations; 2 on the Pareto front" in chart.description
    assert "42 of the others are not drawn" in chart.description


def test_figures_far_apart_stand_on_a_logarithmic_axis_that_says_so() -> None:
    near, far = ([spot(0.05, 0.2, True), spot(0.05 * factor, 0.21, False)] for factor in (2, 20))
    axes = [_layer(front_chart(spots), "points")["encoding"] for spots in (near, far)]
    assert [axis["x"]["scale"].get("type", "linear") for axis in axes] == ["linear", "log"]
    assert [axis["x"]["title"] for axis in axes] == ["TTFT p50 (ms)", "TTFT p50 (ms), logarithmic"]
    assert "type" not in axes[1]["y"]["scale"]


def test_neighbours_on_the_front_have_their_numbers_on_either_side() -> None:
    chart = front_chart([spot(0.06, 0.2, True, 1), spot(0.04, 0.4, True, 2), spot(0.041, 0.39, True, 3)])
    sides = {row["number"]: row["side"] for row in chart.spec["data"]["values"]}
    assert sides == {"2": "before", "3": "after", "1": "before"}
    drawn = [layer["name"] for layer in chart.spec["layer"] if layer["name"].startswith("numbers")]
    assert drawn == ["numbers_after", "numbers_before"]
    alone = front_chart([spot(0.06, 0.2, True, 1), spot(0.07, 0.4, False, 2)])
    assert [layer["name"] for layer in alone.spec["layer"] if layer["name"].startswith("numbers")] == ["numbers_before"]
