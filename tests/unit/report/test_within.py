from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.report.within import latency_tables
from orchestrator.results.requests import read_latencies
from tests.builders import experiment, run_result

BATCH = 4


def recorded(folder: Path, ttft_s: list[float | None], **changes: list[Any]) -> Path:
    """Requests of batches of four, one TTFT a batch."""
    each = [value for value in ttft_s for _ in range(BATCH)]
    start = [float(index // BATCH) for index in range(len(each))]
    columns = {
        "batch": [index // BATCH for index in range(len(each))],
        "start_s": start,
        "begun_s": pa.array([None] * len(each), pa.float64()),
        "first_token_s": [None if v is None else s + v for s, v in zip(start, each, strict=True)],
        "end_s": [s + 0.5 for s in start],
    }
    pq.write_table(pa.table(columns | changes), folder / "requests.parquet")
    return folder


def test_latencies_count_from_the_begin_of_the_batch(tmp_path: Path) -> None:
    found = read_latencies(recorded(tmp_path, [0.1, 0.2]))
    assert found.batches == [0] * 4 + [1] * 4
    assert found.seconds["ttft_s"] == pytest.approx([0.1] * 4 + [0.2] * 4)
    assert found.seconds["e2e_s"] == pytest.approx([0.5] * 8)


def test_a_batch_counts_once_and_what_the_engine_does_not_tell_is_no_row(tmp_path: Path) -> None:
    (table,) = latency_tables(recorded(tmp_path, [0.010, 0.020, 0.030]), run_result(experiment("pytorch")))
    assert table.title == "Mean latency over this run's requests"
    assert [row[0] for row in table.rows] == ["TTFT mean", "end-to-end latency mean"]
    assert table.rows[0][1:] == ["20", "5.78 – 69.3", "ms", "log-t", "3"]
    assert "only cycles tell" in table.notes[0]


def test_what_is_simulated_says_so(tmp_path: Path) -> None:
    (table,) = latency_tables(recorded(tmp_path, [0.1, 0.2]), run_result())
    assert table.title.endswith("simulated")


@pytest.mark.parametrize("ttft_s", [[0.1], []])
def test_one_batch_tells_nothing(tmp_path: Path, ttft_s: list[float | None]) -> None:
    assert latency_tables(recorded(tmp_path, ttft_s), run_result()) == []


def test_a_run_without_the_file_has_no_table(tmp_path: Path) -> None:
    assert latency_tables(tmp_path, run_result()) == []


def test_a_broken_file_is_said_and_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "requests.parquet").write_bytes(b"torn")
    (table,) = latency_tables(tmp_path, run_result())
    assert "cannot be read" in table.notes[0]
    assert not table.rows
