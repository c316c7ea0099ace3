"""From a recording and marks to energies, latencies and checks."""

import json
import os
import statistics
from pathlib import Path

import pyarrow.parquet as pq
import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.backends.base import Batch
from runners.contract.result import Mark
from runners.events import EventWriter
from runners.harness.checks import ClocksEventReason, Evidence, checks_of, throttle_of, verdict_of
from runners.harness.energies import energies_of, series_of
from runners.harness.measure import measure
from runners.harness.recording import Recording, Tick, TornLineError, latest_power_w, parse_tick
from runners.harness.requests import distribution, latencies_of, percentile, records_of
from runners.harness.tables import write_timeseries
from runners.meters.reading import Reading, Source
from runners.workloads.lengths import Prompts

GPU = "gpu:GPU-1"


def recording(
    energies: list[float | None], powers: list[float | None], method: str = "nvml", mask: int = 0
) -> Recording:
    """A source read ten times a second, from t = 0."""
    kind = "gpu" if method == "nvml" else "machine"
    ticks = [
        Tick(n / 10, n / 1000, 1000 + n, (Reading(n / 10, GPU, energy, power, throttle_reasons=mask),))
        for n, (energy, power) in enumerate(zip(energies, powers, strict=True))
    ]
    return Recording((Source(GPU, kind, method, "gpu", uuid="GPU-1"),), (), ticks)


def steady(power_w: float = 100.0, seconds: float = 6) -> Recording:
    ticks = range(int(seconds * 10) + 1)
    return recording([n * power_w / 10 for n in ticks], [power_w for _ in ticks])


def marks(start_s: float, end_s: float) -> list[Mark]:
    split_s = start_s + (end_s - start_s) / 4
    return [
        Mark(phase="window", start_s=start_s, end_s=end_s),
        Mark(phase="prefill", start_s=start_s, end_s=split_s),
        Mark(phase="decode", start_s=split_s, end_s=end_s),
    ]


def evidence(
    make_request, found: Recording, start_s: float = 1.0, end_s: float = 4.0, lengths: tuple[int, ...] = (4, 4)
):
    batch = Batch(start_s, end_s, None, [[7] * length for length in lengths])
    measured = marks(start_s, end_s)
    return Evidence(
        request=make_request(),
        recording=found,
        window=measured[0],
        energies=energies_of(found, series_of(found), measured),
        throttle=throttle_of(found, measured[0]),
        records=records_of([([[1]] * len(lengths), batch)]),
    )


def by_name(checks):
    return {check.name: check for check in checks}


def test_a_constant_power_over_a_window() -> None:
    found = steady(100.0)
    energies = energies_of(found, series_of(found), marks(1.03, 4.03))
    assert energies.window.joules == pytest.approx(300.0)
    assert energies.window.low < 300 < energies.window.high
    assert (energies.prefill_j, energies.decode_j) == (pytest.approx(75.0), pytest.approx(225.0))
    assert energies.power_mean_w == pytest.approx(100.0)
    assert energies.cpu_j is None
    assert energies.dram_j is None


def test_two_gpus_are_summed_and_kept_apart() -> None:
    ticks = [
        Tick(n / 10, 0.0, None, (Reading(n / 10, "a", n * 10.0, 100.0), Reading(n / 10, "b", n * 4.0, 40.0)))
        for n in range(61)
    ]
    sources = tuple(Source(name, "gpu", "nvml", "gpu", uuid=f"GPU-{name}") for name in "ab")
    found = Recording(sources, (), ticks)
    energies = energies_of(found, series_of(found), marks(1, 4))
    assert energies.window.joules == pytest.approx(420.0)
    assert {uuid: energy.joules for uuid, energy in energies.gpus.items()} == {
        "GPU-a": pytest.approx(300.0),
        "GPU-b": pytest.approx(120.0),
    }
    assert energies.power_max_w == pytest.approx(140.0)
    assert latest_power_w(found) == pytest.approx(140.0)


def test_without_a_counter_power_is_integrated() -> None:
    found = recording([None] * 61, [50.0 + n for n in range(61)])
    assert energies_of(found, series_of(found), marks(1, 3)).window.joules == pytest.approx(2 * (50 + 20))


def test_a_bare_counter_shows_its_power_by_difference() -> None:
    found = recording([n * 3.0 for n in range(61)], [None] * 61)
    assert energies_of(found, series_of(found), marks(1, 3)).power_max_w == pytest.approx(30.0)


def test_an_estimate_claims_no_bounds(make_request) -> None:
    ticks = range(61)
    found = recording([n * 1.0 for n in ticks], [None for _ in ticks], method="estimated")
    energy = energies_of(found, series_of(found), marks(1, 4)).window
    assert energy.joules == pytest.approx(30.0)
    assert (energy.low, energy.high) == (None, None)
    assert not by_name(checks_of(evidence(make_request, found)))["energy_measured"].passed


def test_an_estimate_of_an_idle_machine_stands_still_and_is_no_fault() -> None:
    energies = [float(min(n, 20)) for n in range(61)]
    found = recording(energies, [None] * 61, method="estimated")
    assert energies_of(found, series_of(found), marks(1, 4)).window.joules == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("energies", "why"),
    [
        ([5.0] * 61, "did not move"),
        ([n * 10.0 if n < 30 else n - 30.0 for n in range(61)], "was reset"),
        ([n * 10.0 for n in range(35)] + [340.0] * 26, "do not reach around"),
        ([n * 10.0 if n % 7 else None for n in range(61)], "without its energy counter"),
    ],
)
def test_a_counter_that_fails_gives_no_energy_and_a_suspect_run(make_request, energies, why: str) -> None:
    found = recording(energies, [100.0] * 61)
    seen = evidence(make_request, found)
    assert seen.energies.window is None
    assert seen.energies.prefill_j is None or seen.energies.prefill_j > 0
    check = by_name(checks_of(seen))["counter_moved"]
    assert not check.passed
    assert why in check.observed
    assert verdict_of(checks_of(seen)) == "suspect"


def test_a_good_run_passes_every_check(make_request) -> None:
    checks = checks_of(evidence(make_request, steady()))
    assert {check.name: check.passed for check in checks} == dict.fromkeys(by_name(checks), True)
    assert len(checks) == 7
    assert verdict_of(checks) == "good"


@pytest.mark.parametrize(
    ("change", "failed", "verdict"),
    [
        ({"lengths": (4, 3)}, "output_length", "suspect"),
        ({"start_s": 3.0, "end_s": 3.6}, "window_long_enough", "suspect"),
        (
            {"found": recording([n * 10.0 for n in range(61)], [100.0] * 61, mask=0x40)},
            "no_thermal_throttling",
            "suspect",
        ),
        ({"found": recording([n * 10.0 for n in range(61)], [100.0] * 61, mask=0x04)}, "no_power_capping", "good"),
    ],
)
def test_each_check_fails_on_its_own(make_request, change, failed: str, verdict: str) -> None:
    checks = checks_of(evidence(make_request, **{"found": steady(), **change}))
    assert [check.name for check in checks if not check.passed] == [failed]
    assert verdict_of(checks) == verdict


def test_missing_samples_are_only_a_warning(make_request) -> None:
    found = steady()
    holes = found._replace(ticks=[tick for n, tick in enumerate(found.ticks) if n % 4 != 1])
    checks = checks_of(evidence(make_request, holes))
    assert not by_name(checks)["samples_complete"].passed
    assert by_name(checks)["samples_complete"].severity == "warning"


def test_idle_and_clock_settings_are_no_throttling() -> None:
    found = recording([n * 10.0 for n in range(61)], [100.0] * 61, mask=0x1 | 0x2)
    throttle = throttle_of(found, marks(1, 4)[0])
    assert (throttle.thermal, throttle.power) == (0, 0)


@pytest.mark.parametrize(
    ("mask", "thermal", "power"),
    [
        (0x04, 0, 1),
        (0x08, 0, 0),
        (0x20, 1, 0),
        (0x40, 1, 0),
        (0x80, 0, 1),
        (0x08 | 0x40, 1, 0),
        (0x08 | 0x80, 0, 1),
        (0x04 | 0x20, 1, 1),
    ],
)
def test_what_holds_the_clocks_back_is_heat_or_power_as_nvml_says(mask: int, thermal: float, power: float) -> None:
    found = recording([n * 10.0 for n in range(61)], [100.0] * 61, mask=mask)
    throttle = throttle_of(found, marks(1, 4)[0])
    assert (throttle.thermal, throttle.power) == (thermal, power)


def test_the_reasons_are_called_and_numbered_as_in_pynvml() -> None:
    assert {reason.name: reason.value for reason in ClocksEventReason} == {
        reason.name: getattr(pynvml, f"nvmlClocksEventReason{reason.name}") for reason in ClocksEventReason
    }


def test_a_torn_line_is_named() -> None:
    whole = json.dumps({"t_s": 1.0, "cpu_s": 0.1, "rss_bytes": 5, "readings": [[1.0, "a", 2.0]]}).encode()
    assert parse_tick(whole, 1).readings[0].energy_j == 2.0
    for cut in (1, 20, len(whole) - 1):
        with pytest.raises(TornLineError, match="line 7"):
            parse_tick(whole[:cut], 7)


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


class Recorder:
    """A backend that only notes the sizes of the batches it is given; each takes from 0 s to 1 s."""

    version = device = "recorder"

    def __init__(self, token_times_s: list[float] | None = None) -> None:
        self.sizes: list[int | str] = []
        self.token_times_s = token_times_s

    def load(self) -> None: ...
    def synchronize(self) -> None: ...
    def close(self) -> None: ...
    def device_memory(self) -> None: ...
    def effective_config(self) -> dict[str, object]:
        return {}

    def open_window(self) -> None:
        self.sizes.append("window")

    def generate(self, prompts) -> Batch:
        self.sizes.append(len(prompts))
        return Batch(0.0, 1.0, self.token_times_s, [[1]] * len(prompts))


class SilentSampler:
    def check(self) -> None: ...
    def power_w(self) -> None: ...
    def follow(self, end_s: float) -> None: ...


@pytest.mark.parametrize(("iterations", "sizes"), [(2, [3, 3, 1, "window", 3, 3, 1]), (0, ["window", 3, 3, 1])])
def test_the_warmup_meets_every_size_of_batch_that_the_window_has(make_request, iterations: int, sizes) -> None:
    request = make_request({"prompts": 7}, {"batch_size": 3}, measurement={"warmup": {"iterations": iterations}})
    prompts = Prompts([[n] for n in range(7)], [[n] for n in range(7, 10)])
    backend = Recorder()
    measure(backend, request, lambda loaded: prompts, SilentSampler(), EventWriter(os.open(os.devnull, os.O_WRONLY)))
    assert backend.sizes == sizes


@pytest.mark.parametrize(
    ("token_times_s", "decode"), [([0.25, 0.5, 0.875], (0.25, 0.875)), ([0.25], (0.25, 0.25)), (None, None)]
)
def test_decode_lasts_from_the_first_token_to_the_last(make_request, token_times_s, decode) -> None:
    request = make_request({"prompts": 1}, measurement={"warmup": {"iterations": 0}})
    events = EventWriter(os.open(os.devnull, os.O_WRONLY))
    found = measure(Recorder(token_times_s), request, lambda _: Prompts([[1]], [[2]]), SilentSampler(), events).marks
    assert [(mark.start_s, mark.end_s) for mark in found if mark.phase == "prefill"] == (
        [(0.0, 0.25)] if decode else []
    )
    assert [(mark.start_s, mark.end_s) for mark in found if mark.phase == "decode"] == ([decode] if decode else [])


def test_the_time_series_is_written_source_by_source_and_the_runner_last(tmp_path: Path) -> None:
    ticks = [
        Tick(float(n), 0.0, 9, (Reading(float(n), "b", power_w=1.0), Reading(float(n), "a", power_w=2.0)))
        for n in range(2)
    ]
    found = Recording(tuple(Source(name, "gpu", "nvml", "gpu") for name in "ba"), (), ticks)
    write_timeseries(tmp_path / "t.parquet", found)
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    places = [(row["source"], row["t_s"]) for row in rows]
    assert places == [(source, t_s) for source in ("b", "a", "runner") for t_s in (0.0, 1.0)]
