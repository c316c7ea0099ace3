from __future__ import annotations

from dataclasses import replace

from orchestrator.analysis.best import Best, Ranked
from orchestrator.report.charts.ranking import ranking_chart
from tests.unit.report.charts.examples import ENERGY, HOSTILE, best, group, interval


def test_rows_go_from_the_best_down_and_say_where_they_stand() -> None:
    chart = ranking_chart(best([0.3, 0.31, 0.5]))
    rows = chart.spec["data"]["values"]
    assert [row["kind"] for row in rows] == ["best seen", "not told apart from the best", "told apart from the best"]
    assert [row["label"] for row in rows] == ["1 · batch_size 1", "2 · batch_size 2", "3 · batch_size 4"]
    assert rows[0]["told"] == "0.3 J/token"
    assert rows[0]["between"] == "0.288 to 0.312 J/token (95 %)"
    assert chart.marks == 3
    assert chart.description == (
        "Energy per output token of 3 configurations, each with its 95 % interval; "
        "best seen: batch_size 1, 0.3 J/token; 1 cannot be told apart from it."
    )


def test_figures_are_drawn_in_the_unit_they_are_shown_in() -> None:
    ranking = [Ranked(group("a"), interval(0.02), None)]
    (row,) = ranking_chart(Best("ttft_s.p50", "lower", ranking, "made up")).spec["data"]["values"]
    assert (row["estimate"], row["told"]) == (20.0, "20 ms")


def test_a_title_begins_large_and_leaves_abbreviations_as_they_are() -> None:
    assert ranking_chart(Best("ttft_s.p50", "lower", [], "made up")).title == "TTFT p50, lower is better"
    assert ranking_chart(Best(ENERGY, "lower", [], "made up")).title == "Energy per output token, lower is better"


def test_no_more_rows_than_people_read_and_it_says_so() -> None:
    chart = ranking_chart(best([0.3 + 0.01 * number for number in range(100)]), most=40)
    assert chart.marks == len(chart.spec["data"]["values"]) == 40
    assert "of 100 configurations" in chart.description
    assert "the first 40 are drawn" in chart.description


def test_what_fails_a_condition_or_was_not_compared_does_not_pass_for_told_apart() -> None:
    made = best([0.3, 0.31, 0.5])
    first, second, third = made.ranking
    chart = ranking_chart(
        replace(made, ranking=[first, replace(second, separable=None), replace(third, fails=["ttft_s.p95: 1 s"])])
    )
    assert [row["kind"] for row in chart.spec["data"]["values"]] == ["best seen", "not compared", "fails a condition"]


def test_without_any_interval_there_is_nothing_to_draw() -> None:
    for ranking in ([], [Ranked(group("a"), None, None)]):
        chart = ranking_chart(Best(ENERGY, "lower", ranking, "made up"))
        assert chart.marks == 0
        assert chart.description == "No configuration has an interval of energy per output token."


def test_what_is_not_measured_is_said_of_all_or_of_each() -> None:
    chart = ranking_chart(best([0.3, 0.5], backend="simulated"))
    assert chart.title == "Energy per output token, lower is better (simulated)"
    estimated = best([0.3, 0.5], method="estimated")
    assert "(energy estimated)" in ranking_chart(estimated).title
    mixed = replace(estimated, ranking=[estimated.ranking[0], best([0.5]).ranking[0]])
    chart = ranking_chart(mixed)
    assert "estimated" not in chart.title
    assert [row["label"] for row in chart.spec["data"]["values"]] == [
        "1 · batch_size 1 (energy estimated)",
        "2 · batch_size 1",
    ]


def test_estimated_joules_are_no_caveat_of_a_latency() -> None:
    ranking = [Ranked(group("a", method="estimated"), interval(0.02), None)]
    assert "estimated" not in ranking_chart(Best("ttft_s.p50", "lower", ranking, "made up")).title


def test_a_name_is_data_nowhere_else_in_the_specification() -> None:
    chart = ranking_chart(best([0.3], [HOSTILE]))
    assert chart.spec["data"]["values"][0]["label"] == f"1 · {HOSTILE}"
    rest = {name: part for name, part in chart.spec.items() if name not in ("data", "description")}
    assert HOSTILE not in str(rest)


def test_the_figures_stand_at_the_end_of_each_line() -> None:
    chart = ranking_chart(best([0.3, 0.5]))
    assert chart.spec["data"]["values"][0]["figures"] == "0.3 (0.288 to 0.312)"
    (figures,) = (layer for layer in chart.spec["layer"] if layer["name"] == "figures")
    assert figures["encoding"]["text"] == {"field": "figures"}
