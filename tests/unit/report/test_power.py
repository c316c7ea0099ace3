from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.report.power import MOST_MARKS, power_of, thinned
from runners.contract.paths import COUNTERS, TIMESERIES
from runners.contract.result import RunResult
from tests.builders import run_result

SOURCE = {"name": "package", "kind": "cpu", "method": "rapl", "scope": "package"}


def recorded(folder: Path, powers: list[tuple[float, float | None]], edges: list[tuple[float, float]]) -> None:
    times = [t_s for t_s, _ in powers]
    watts = pa.array([power_w for _, power_w in powers], pa.float64())
    pq.write_table(pa.table({"t_s": times, "source": ["package"] * len(times), "power_w": watts}), folder / TIMESERIES)
    at, joules = [t_s for t_s, _ in edges], [energy_j for _, energy_j in edges]
    pq.write_table(
        pa.table({"source": ["package"] * len(at), "earliest_s": at, "latest_s": at, "energy_j": joules}),
        folder / COUNTERS,
    )


def result(**changes: object) -> RunResult:
    marks = [{"phase": "window", "start_s": 100.0, "end_s": 110.0}]
    return run_result(**{"sources": [SOURCE], "marks": marks, **changes})


def test_watts_that_a_meter_told_are_told_from_the_window_on(tmp_path: Path) -> None:
    recorded(tmp_path, [(99.0, 10.0), (101.5, 20.0), (102.0, float("nan"))], [(99.0, 0.0), (101.0, 40.0)])
    power = power_of(tmp_path, result())
    assert power is not None
    assert list(power.traces[0].samples) == [(-1.0, 10.0), (1.5, 20.0)]
    assert not power.traces[0].by_counter
    assert (power.marks[0].start_s, power.marks[0].end_s) == (0.0, 10.0)


def test_where_it_told_none_they_follow_from_steps_of_its_counter(tmp_path: Path) -> None:
    recorded(tmp_path, [(99.0, None)], [(100.0, 0.0), (102.0, 40.0), (102.0, 41.0), (104.0, 0.0)])
    power = power_of(tmp_path, result())
    assert power is not None
    assert list(power.traces[0].samples) == [(1.0, 20.0)]
    assert power.traces[0].by_counter


def test_a_run_that_recorded_nothing_has_none(tmp_path: Path) -> None:
    assert power_of(tmp_path, result()) is None
    recorded(tmp_path, [(99.0, None)], [])
    assert power_of(tmp_path, result()) is None
    recorded(tmp_path, [(99.0, 10.0)], [])
    assert power_of(tmp_path, result(marks=[])) is None


def test_of_a_run_in_thousands_of_batches_the_phases_around_them_are_kept(tmp_path: Path) -> None:
    recorded(tmp_path, [(99.0, 10.0)], [])
    batches = [{"phase": "prefill", "start_s": 100.0 + n / 100, "end_s": 100.0 + n / 100} for n in range(MOST_MARKS)]
    power = power_of(tmp_path, result(marks=[{"phase": "window", "start_s": 100.0, "end_s": 110.0}, *batches]))
    assert power is not None
    assert [mark.phase for mark in power.marks] == ["window"]
    assert power.marks_left_out == MOST_MARKS


@pytest.mark.parametrize("count", [1, 10, 11, 1000])
def test_thinning_keeps_peaks_order_and_the_limit(count: int) -> None:
    samples = [(float(n), float(n * 7919 % 101)) for n in range(count)]
    kept = thinned(samples, 10)
    assert len(kept) <= 10
    assert kept == sorted(kept)
    assert set(kept) <= set(samples)
    assert max(watts for _, watts in kept) == max(watts for _, watts in samples)
    assert min(watts for _, watts in kept) == min(watts for _, watts in samples)


def test_thinning_moments_that_are_all_the_same() -> None:
    assert thinned([(1.0, 5.0)] * 30, 10) == [(1.0, 5.0)]
