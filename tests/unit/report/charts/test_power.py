from __future__ import annotations

from orchestrator.report.charts.power import PHASES, POWER, Sample, Stretch, phase_rows, power_chart, power_spec

SAMPLES = [Sample("GPU-1", -1.0, 60.0), Sample("GPU-2", 0.0, 80.0), Sample("GPU-1", 1.0, 250.4)]


def test_a_line_for_each_source_and_its_range_in_words() -> None:
    chart = power_chart("x.c001", SAMPLES, [Stretch("window", 0.0, 1.0)])
    assert chart.marks == 2
    assert chart.description == "Power over time: x.c001; GPU-1 between 60 and 250 W; GPU-2 between 80 and 80 W."
    assert chart.spec["datasets"][POWER][1] == {"source": "GPU-2", "t_s": 0.0, "power_w": 80.0}


def test_phases_are_named_for_people_and_those_of_batches_lie_in_the_strip() -> None:
    rows = phase_rows([Stretch("window", 0.0, 9.0), Stretch("prefill", 0.0, 1.0), Stretch("warmup", -3.0, -1.0)])
    assert [(row["phase"], row["strip"]) for row in rows] == [
        ("measured window", False),
        ("warm-up", False),
        ("prefill", True),
    ]


def test_simulated_power_says_so() -> None:
    chart = power_chart("x.c001", SAMPLES, [], "simulated")
    assert "simulated" in chart.title
    assert "simulated" in chart.description
    assert "power (W, simulated)" in str(chart.spec["layer"])


def test_the_specification_is_the_same_for_every_run_but_for_its_data() -> None:
    full, empty = power_spec("x", SAMPLES, [Stretch("window", 0.0, 1.0)]), power_spec("x")
    assert empty["datasets"] == {POWER: [], PHASES: []}
    assert {**full, "datasets": None} == {**empty, "datasets": None}


def test_without_samples_there_is_nothing_to_draw() -> None:
    chart = power_chart("x.c001", [], [])
    assert (chart.marks, chart.description) == (0, "Power over time: x.c001; no power was sampled.")
