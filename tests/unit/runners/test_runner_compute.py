"""What the sampler wrote down as data, and the requests of a window as latencies and tables."""

import json
import statistics
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.backends.base import Batch
from runners.contract.result import MeterSource
from runners.harness.recording import Recording, Tick, TornLineError, parse_header, parse_tick
from runners.harness.requests import distribution, latencies_of, percentile, records_of
from runners.harness.tables import write_counters, write_requests, write_timeseries
from runners.meters.reading import Edge, Power, ReadError, Reading, Source


def source(name: str = "gpu:A", **fields: object) -> MeterSource:
    declared = {"name": name, "kind": "gpu", "method": "nvml", "scope": "gpu", "uuid": name, **fields}
    return MeterSource.model_validate(declared)


def tick(t_s: float, **fields: object) -> Tick:
    return Tick(t_s, t_s / 100, 1000, (), (), (), ())._replace(**fields)


def recorded(power_w: float = 100.0, power_limit_w: float | None = 200.0, *names: str) -> Recording:
    """GPUs read and updated ten times a second for 6 s."""
    found = names or ("gpu:A",)
    ticks = [
        tick(
            n / 10,
            readings=tuple(Reading(n / 10, name, power_w=power_w) for name in found),
            edges=tuple(Edge(name, n / 10, n / 10, n * power_w / 10) for name in found),
        )
        for n in range(61)
    ]
    return Recording(tuple(source(name, power_limit_w=power_limit_w) for name in found), (), ticks)


WHOLE = {
    "t_s": 1.0,
    "cpu_s": 0.1,
    "rss_bytes": 5,
    "readings": [[1.0, "a", 90.0]],
    "edges": [["a", 0.9, 1.0, 12.5]],
    "powers": [["a", 0.95, 80.0]],
    "errors": [["a", 0.97, "Unknown Error"]],
}


def test_a_line_of_the_samples_is_a_tick() -> None:
    assert parse_tick(json.dumps(WHOLE).encode(), 2) == Tick(
        1.0,
        0.1,
        5,
        (Reading(1.0, "a", power_w=90.0),),
        (Edge("a", 0.9, 1.0, 12.5),),
        (Power("a", 0.95, 80.0),),
        (ReadError("a", 0.97, "Unknown Error"),),
    )


@pytest.mark.parametrize("key", WHOLE)
def test_a_torn_line_is_named(key: str) -> None:
    whole = json.dumps(WHOLE).encode()
    for cut in (1, 20, len(whole) - 1):
        with pytest.raises(TornLineError, match="line 7"):
            parse_tick(whole[:cut], 7)
    with pytest.raises(TornLineError, match="line 7"):
        parse_tick(json.dumps({name: value for name, value in WHOLE.items() if name != key}).encode(), 7)


def test_the_first_line_says_what_is_metered() -> None:
    made = Source("gpu:A", "gpu", "nvml", "gpu", uuid="A", resolution_j=0.001, power_limit_w=875.0)
    header = json.dumps({"sources": [made._asdict()], "notes": ["rapl not used"]}).encode()
    (found,), notes = parse_header(header)
    assert (found.model_dump(), notes) == (made._asdict(), ("rapl not used",))
    for wrong in (b"", b"{}", header[:-2], b'{"sources": [{"name": "x"}], "notes": []}'):
        with pytest.raises(TornLineError, match="the first line"):
            parse_header(wrong)


def test_power_between_samples_is_part_of_the_readings_in_order() -> None:
    ticks = [
        tick(1.0, readings=(Reading(1.0, "a", temperature_c=40.0), Reading(1.0, "b", power_w=5.0))),
        tick(2.0, readings=(Reading(2.0, "a"),), powers=(Power("a", 1.4, 70.0), Power("a", 1.8, 80.0))),
    ]
    found = Recording((source("a"), source("b")), (), ticks)
    assert [(reading.t_s, reading.power_w) for reading in found.readings("a")] == [
        (1.0, None),
        (1.4, 70.0),
        (1.8, 80.0),
        (2.0, None),
    ]
    assert [power.power_w for power in found.series()["a"].powers] == [70.0, 80.0]


def test_what_the_host_samples_stands_beside_with_memory_and_cpu_time_of_the_runner_only() -> None:
    here = Recording((source("gpu:A"),), ("rapl not used",), [tick(1.0), tick(3.0)])
    host = Recording((source("cpu:0", kind="cpu"),), (), [tick(2.0, rss_bytes=99, edges=(Edge("cpu:0", 1, 2, 5.0),))])
    both = here.beside(host)
    assert [one.name for one in both.sources] == ["gpu:A", "cpu:0"]
    assert both.notes == ("rapl not used",)
    assert [(one.t_s, one.rss_bytes) for one in both.ticks] == [(1.0, 1000), (2.0, None), (3.0, 1000)]
    assert both.ticks[1].cpu_s is None
    assert [edge.energy_j for edge in both.edges("cpu:0")] == [5.0]
    assert [one.name for one in both.primary()] == ["gpu:A"]


def test_the_latest_power_is_that_of_all_primary_sources_together() -> None:
    assert recorded(100.0, None, "gpu:A", "gpu:B").latest_power_w() == pytest.approx(200.0)
    assert recorded()._replace(ticks=[]).latest_power_w() is None
    assert Recording((), (), [tick(1.0)]).latest_power_w() is None
    bare = recorded(30.0)
    bare = bare._replace(ticks=[one._replace(readings=()) for one in bare.ticks])
    assert bare.latest_power_w() == pytest.approx(30.0)


def test_the_uncertainty_so_far_falls_as_the_window_grows() -> None:
    found = recorded()
    short, long = (found.relative_uncertainty(start_s) for start_s in (5.05, 1.05))
    assert short is not None
    assert long is not None
    assert 0 < long < short / 3


def test_a_gpu_whose_power_limit_is_not_known_has_an_uncertainty_too() -> None:
    bounded, unbounded = (recorded(100.0, limit_w).relative_uncertainty(1.05) for limit_w in (200.0, None))
    assert bounded is not None
    assert unbounded is not None
    assert bounded <= unbounded


@pytest.mark.parametrize(
    "found",
    [
        recorded()._replace(sources=()),
        recorded()._replace(sources=(source(has_counter=False),)),
        recorded()._replace(sources=(source(method="estimated", kind="machine", uuid=None),)),
        recorded()._replace(ticks=recorded().ticks[:2]),
        recorded(power_w=0.0),
    ],
)
def test_an_uncertainty_that_cannot_be_told_is_unknown(found: Recording) -> None:
    assert found.relative_uncertainty(1.05) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_percentiles_agree_with_the_standard_library(values: list[float]) -> None:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    for position, share in ((49, 0.5), (89, 0.9), (94, 0.95), (98, 0.99)):
        assert percentile(sorted(values), share) == pytest.approx(cuts[position], abs=1e-6)


def test_a_latency_that_is_not_known_of_every_request_is_null() -> None:
    assert distribution([1.0, None]) is None
    assert distribution([]) is None


def test_latencies_follow_from_token_times() -> None:
    batch = Batch(10.0, 12.0, [10.5, 11.0, 11.9], [[1, 2, 3], [4, 5, 6]])
    found = latencies_of(records_of([([[1], [1, 2]], batch)]))
    assert found.ttft_s.p50 == pytest.approx(0.5)
    assert found.tpot_s.mean == pytest.approx(0.7)
    assert found.itl_s.p50 == pytest.approx(0.7)
    assert found.e2e_s.p99 == pytest.approx(2.0)


def test_beams_leave_token_times_unknown_but_not_the_whole() -> None:
    found = latencies_of(records_of([([[1]], Batch(1.0, 3.0, None, [[1, 2]]))]))
    assert (found.ttft_s, found.tpot_s, found.itl_s) == (None, None, None)
    assert found.e2e_s.mean == pytest.approx(2.0)


def test_the_time_series_is_written_source_by_source_and_the_runner_last(tmp_path: Path) -> None:
    ticks = [
        tick(float(n), readings=(Reading(float(n), "b", power_w=1.0), Reading(float(n), "a", power_w=2.0)))
        for n in range(2)
    ]
    write_timeseries(tmp_path / "t.parquet", Recording((source("b"), source("a")), (), ticks))
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    places = [(row["source"], row["t_s"]) for row in rows]
    assert places == [(name, t_s) for name in ("b", "a", "runner") for t_s in (0.0, 1.0)]


def test_the_counters_table_has_every_update_by_source(tmp_path: Path) -> None:
    found = recorded(100.0, None, "gpu:A", "gpu:B")
    write_counters(tmp_path / "c.parquet", found.series())
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.column_names == ["source", "earliest_s", "latest_s", "energy_j"]
    assert [field.metadata[b"unit"] for field in table.schema] == [b"", b"s", b"s", b"J"]
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [(name, *edge) for name in ("gpu:A", "gpu:B") for edge in found.edges(name)]


def test_the_requests_table_has_a_row_a_request(tmp_path: Path) -> None:
    records = records_of([([[1], [1, 2]], Batch(10.0, 12.0, [10.5, 11.0], [[3, 4], [5, 6]]))])
    write_requests(tmp_path / "r.parquet", records)
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert [(row["index"], row["batch"], row["input_tokens"], row["output_tokens"]) for row in rows] == [
        (0, 0, 1, 2),
        (1, 0, 2, 2),
    ]
    assert (rows[0]["start_s"], rows[0]["first_token_s"], rows[0]["end_s"]) == (10.0, 10.5, 12.0)
