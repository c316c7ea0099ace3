"""The parquet files beside a result, each column with its unit and meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from runners.contract.series import Series
from runners.files import replaced
from runners.harness.recording import Recording
from runners.harness.requests import RequestRecord


class _Column(NamedTuple):
    name: str
    type: Any
    unit: str
    meaning: str


_T_S = _Column("t_s", pa.float64(), "s", "moment, CLOCK_MONOTONIC")
_SOURCE = _Column("source", pa.string(), "", "what was read; 'runner' is the process that ran the engine")

RUNNER = "runner"

_TIMESERIES = (
    _T_S,
    _SOURCE,
    _Column("power_w", pa.float64(), "W", "power, as the source itself said"),
    _Column("memory_bytes", pa.int64(), "B", "memory in use; of 'runner', resident without child processes"),
    _Column(
        "utilisation", pa.float64(), "", "share of the time that the device was busy, 0 to 1; twice a second at most"
    ),
    _Column("temperature_c", pa.float64(), "°C", "temperature of the GPU; twice a second at most"),
    _Column("sm_clock_mhz", pa.float64(), "MHz", "clock of the streaming multiprocessors"),
    _Column("memory_clock_mhz", pa.float64(), "MHz", "clock of the memory; twice a second at most"),
    _Column("throttle_reasons", pa.int64(), "", "NVML's bit mask of why the clocks are held back"),
)
_COUNTERS = (
    _SOURCE,
    _Column("earliest_s", pa.float64(), "s", "the update had not yet happened, CLOCK_MONOTONIC"),
    _Column("latest_s", pa.float64(), "s", "the update had happened, CLOCK_MONOTONIC"),
    _Column("energy_j", pa.float64(), "J", "value of the energy counter, from an origin of its own"),
)
_REQUESTS = (
    _Column("index", pa.int64(), "", "place of the request in the window, from 0"),
    _Column("batch", pa.int64(), "", "batch that it was answered in, from 0"),
    _Column("start_s", pa.float64(), "s", "its batch began, CLOCK_MONOTONIC"),
    _Column("begun_s", pa.float64(), "s", "the engine began to work on it, CLOCK_MONOTONIC; null: it does not tell"),
    _Column("first_token_s", pa.float64(), "s", "its first token came, CLOCK_MONOTONIC"),
    _Column("end_s", pa.float64(), "s", "it ended (in a static batch, with its batch), CLOCK_MONOTONIC"),
    _Column("input_tokens", pa.int64(), "tokens", "length of the prompt, without padding"),
    _Column("output_tokens", pa.int64(), "tokens", "length of the answer"),
    _Column("output_sha256", pa.string(), "", "SHA-256 of the answer's token ids, as decimal text with commas"),
)


def write_timeseries(path: Path, recording: Recording) -> None:
    """Writes every reading, a row each: source by source, each in the order of time, and the runner's memory last."""
    rows: list[dict[str, Any]] = []
    for source in recording.sources:
        rows += [reading._asdict() for reading in recording.readings(source.name)]
    rows += [
        {"t_s": tick.t_s, "source": RUNNER, "memory_bytes": tick.rss_bytes}
        for tick in recording.ticks
        if tick.rss_bytes is not None
    ]
    _write(path, _TIMESERIES, rows)


def write_counters(path: Path, series: Mapping[str, Series]) -> None:
    """Writes every update of every energy counter, by source."""
    rows = [{"source": name, **edge._asdict()} for name, one in series.items() for edge in one.edges]
    _write(path, _COUNTERS, rows)


def write_requests(path: Path, requests: Iterable[RequestRecord]) -> None:
    """Writes a row a request."""
    _write(path, _REQUESTS, [{**request._asdict(), "index": request.number} for request in requests])


def _write(path: Path, columns: Sequence[_Column], rows: Sequence[Mapping[str, Any]]) -> None:
    schema = pa.schema([pa.field(c.name, c.type, metadata={"unit": c.unit, "meaning": c.meaning}) for c in columns])
    arrays = [pa.array([row.get(column.name) for row in rows], type=column.type) for column in columns]
    with replaced(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), temporary)
