"""The benchmark of the meter judges rightly; what it measures is for `make bench-meter` to say."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.system.simulated_gpu.curves import Curve, Step, square
from orchestrator.system.simulated_gpu.settings import SimulatedGpu
from runners.contract.energy import CounterEdge
from tests.bench.meter import cost, live
from tests.bench.meter.faults import Outcome, Usual, judge, kind_of
from tests.bench.meter.figures import Spread, error_percent, spread, table
from tests.bench.meter.gpus import Machine
from tests.bench.meter.live import Errors, plan, verdict
from tests.bench.meter.processes import Answers, Tool, driven
from tests.bench.meter.truth import Truth, ideal_energy_j, update_moments

STEADY = Truth(Curve((Step(1.0, 100.0),)), origin_s=50.0)
IN_ORDER = Usual(1.0, frozenset({kind_of("tool: 3 readings are few")}))


def answered(**window: Any) -> Answers:
    stamps = {"begun_s": 50.0, "ended_s": 54.0, "error": None}
    return Answers(windows=[{**stamps, **window}])


@pytest.mark.parametrize("said_j", [None, 0.0, float("nan"), float("inf")])
def test_a_figure_that_is_none_is_all_wrong(said_j: float | None) -> None:
    assert error_percent(said_j, 5.0) == 100.0


def test_an_error_is_relative_to_the_truth() -> None:
    assert error_percent(90.0, 100.0) == pytest.approx(10.0)


def test_the_spread_of_known_errors() -> None:
    assert spread([float(number) for number in range(101)]) == Spread(101, 50.0, 25.0, 75.0, 95.0)


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_the_ideal_estimator_is_exact_where_power_is_steady() -> None:
    updates_s = update_moments(50.013, 0.1, 51.0, 53.0)
    assert ideal_energy_j(STEADY, updates_s, 51.02, 52.97) == pytest.approx(195.0)


def test_the_ideal_estimator_spreads_a_step_over_the_period_around_it() -> None:
    truth = Truth(Curve((Step(0.5, 0.0), Step(10.0, 100.0))), origin_s=0.0)
    # Power comes at 0.5 s, in the middle between the updates at 0.45 and 0.55 s, which hold 0 and 5 J.
    updates_s = update_moments(0.05, 0.1, 0.0, 2.0)
    assert ideal_energy_j(truth, updates_s, 0.2, 0.5) == pytest.approx(2.5)
    assert ideal_energy_j(truth, updates_s, 0.2, 1.05) == pytest.approx(55.0)


def test_update_moments_reach_around_a_stretch() -> None:
    moments_s = update_moments(0.03, 0.1, 0.2, 0.4)
    assert moments_s[0] < 0.2
    assert moments_s[-1] > 0.4
    assert moments_s[1] - moments_s[0] == pytest.approx(0.1)


def test_windows_do_not_overlap_and_come_as_often_as_asked() -> None:
    windows = plan((0.3, 1.0), 30, seed=1)
    assert sorted(window.nominal_s for window in windows) == [0.3] * 30 + [1.0] * 30
    assert all(0.8 <= window.length_s / window.nominal_s <= 1.2 for window in windows)
    gaps = [after.start_s - before.start_s - before.length_s for before, after in pairwise(windows)]
    assert min(gaps) >= live.GAP_S - 0.2


@pytest.mark.parametrize(
    ("window", "outcome"),
    [
        ({"energy_j": 400.0}, Outcome.RIGHT),
        ({"energy_j": 421.0}, Outcome.RIGHT),
        ({"energy_j": 430.0}, Outcome.SILENT),
        ({"energy_j": 0.0}, Outcome.SILENT),
        ({"energy_j": None}, Outcome.REFUSED),
        ({"energy_j": 400.0, "error": "GPU is lost"}, Outcome.REFUSED),
        ({"energy_j": 430.0, "failed": ["counter_moved: it stood still"]}, Outcome.REFUSED),
        ({"energy_j": 410.0, "low_j": 390.0, "high_j": 405.0}, Outcome.RIGHT),
        ({"energy_j": 410.0, "low_j": 405.0, "high_j": 415.0}, Outcome.SILENT),
    ],
)
def test_an_answer_is_judged_by_the_truth_and_what_it_says_of_itself(window: dict[str, Any], outcome: Outcome) -> None:
    assert judge(answered(**window), STEADY, IN_ORDER).outcome is outcome


def test_a_warning_counts_only_if_it_is_not_given_always() -> None:
    wrong = answered(energy_j=500.0)
    usual = replace(wrong, signs=["tool: 7 readings are few"])
    telling = replace(wrong, signs=["tool: the counter cannot be read"])
    assert judge(usual, STEADY, IN_ORDER).outcome is Outcome.SILENT
    assert judge(telling, STEADY, IN_ORDER).outcome is Outcome.WARNED


def test_a_tool_that_does_not_begin_has_refused() -> None:
    assert judge(Answers(failure="no permission"), STEADY, IN_ORDER).outcome is Outcome.REFUSED


def test_updates_that_were_not_seen_are_counted() -> None:
    simulated = Machine(Path(), SimulatedGpu(counter_period_s=0.1, counter_phase_s=0.0), Truth(square(), 0.0))
    moments_s = [0.1, 0.2, 0.4, 0.5]
    edges = [CounterEdge(moment_s - 1e-4, moment_s + 1e-4, moment_s) for moment_s in moments_s]
    assert cost.missed(simulated, edges) == 1


def errors_of(tool: str, median: float, p95: float) -> Errors:
    return Errors("square wave", tool, "1", 1.0, Spread(60, median, 0.0, 0.0, p95), 0)


@pytest.mark.parametrize(
    ("own", "longest_s", "said"),
    [((1.0, 3.0), 10.0, "ok"), ((1.0, 5.0), 10.0, "MISSED"), ((2.0, 4.0), 10.0, "MISSED"), ((2.0, 4.0), 1.0, "ok")],
)
def test_ours_must_be_below_the_best_of_each_figure(own: tuple[float, float], longest_s: float, said: str) -> None:
    found = [errors_of("ours", *own), errors_of("a", 2.0, 9.0), errors_of("b", 3.0, 4.0)]
    assert verdict(found, "ours", "square wave", 1.0, longest_s) == said


DRIVER = """
import logging, os, warnings
from tests.bench.meter.peers.driver import drive

class Known:
    windows = 0
    def begin(self):
        self.windows += 1
        if self.windows == 3:
            raise ValueError("the third window")
    def end(self):
        number = self.windows
        if number == 4:
            logging.getLogger("tool").warning("the fourth window")
            warnings.warn("it is short", stacklevel=1)
        if number == 5:
            os._exit(7)
        return lambda: 10.0 * number
    def close(self):
        pass

drive("pytest", Known)
"""


@pytest.mark.parametrize("windows", [3, 4])
def test_a_driver_tells_figures_errors_warnings_and_its_death(
    windows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "known.py").write_text(DRIVER)
    simulated = Machine(tmp_path, SimulatedGpu(), Truth(square(), 0.0))
    monkeypatch.setattr("tests.bench.meter.processes.ROOT", f"{Path(__file__).parents[3]}:{folder}")
    tool = Tool("known", Path(sys.executable), "known")
    with driven([(tool, [(0.0, 0.01)] * windows)], simulated, tmp_path / "scratch") as (driver,):
        driver.ready()
        driver.go(begun_s := time.monotonic())
        answers = driver.wait(begun_s)
    if windows == 4:
        assert answers.failure is not None
        assert "7" in answers.failure
        return
    assert answers.failure is None
    assert [window["energy_j"] for window in answers.windows] == [20.0, None, 40.0]
    assert answers.windows[1]["error"] == "ValueError: the third window"
    assert answers.signs == ["tool: the fourth window", "py.warnings: UserWarning: it is short"]
    assert all(window["begun_s"] + 0.01 <= window["ended_s"] for window in answers.windows)
