"""The meters that read files, each on a tree of its own, and the choice among all meters."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from runners.errors import MeterError
from runners.meters import choose
from runners.meters.choose import Spec, open_meters
from runners.meters.estimate import EstimateMeter
from runners.meters.rapl import RaplMeter
from runners.meters.reading import Polled, Sampled
from runners.meters.replay import ReplayMeter
from runners.meters.sampler import next_due_s


def zone(root: Path, folder: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return path / "energy_uj"


def joules(sampled: Sampled) -> dict[str, float]:
    return {edge.source: edge.energy_j for edge in sampled.edges}


def test_rapl_reads_packages_dram_and_platform_and_nothing_else(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 100_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 50_000)
    dram = zone(tmp_path, "intel-rapl:0:1", "dram", 10_000)
    platform = zone(tmp_path, "intel-rapl:1", "psys", 900_000)
    meter = RaplMeter(tmp_path)
    assert [(s.name, s.kind, s.method, s.scope) for s in meter.open()] == [
        ("cpu:0", "cpu", "rapl", "package"),
        ("dram:0:1", "dram", "rapl", "dram"),
        ("psys:1", "psys", "rapl", "platform"),
    ]
    package.write_text("350000\n")
    dram.write_text("15000\n")
    platform.write_text("950000\n")
    assert joules(meter.sample()) == {
        "cpu:0": pytest.approx(0.25),
        "dram:0:1": pytest.approx(0.005),
        "psys:1": pytest.approx(0.05),
    }


def test_rapl_runs_on_where_the_counter_wraps(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 900_000, range_uj=1_000_000)
    meter = RaplMeter(tmp_path)
    meter.open()
    energies = []
    for now_uj in (990_000, 40_000, 999_000, 5_000):
        package.write_text(str(now_uj))
        energies += joules(meter.sample()).values()
    assert energies == [pytest.approx(x) for x in (0.09, 0.14, 1.099, 1.105)]


def test_rapl_counts_as_updated_a_millisecond_before_it_is_read_at_the_earliest(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 100_000)
    meter = RaplMeter(tmp_path)
    meter.open()
    before_s = time.monotonic()
    (edge,) = meter.sample().edges
    after_s = time.monotonic()
    assert before_s - 0.001 <= edge.earliest_s < edge.latest_s <= after_s
    assert edge.latest_s - edge.earliest_s >= 0.001


def test_rapl_says_why_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no RAPL package"):
        RaplMeter(tmp_path / "none").open()
    energy = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    energy.write_text("what?\n")
    with pytest.raises(MeterError, match="no number"):
        RaplMeter(tmp_path).open()
    energy.unlink()
    with pytest.raises(MeterError, match="energy_uj"):
        RaplMeter(tmp_path).open()


def test_dram_alone_is_no_rapl(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0:1", "dram", 1)
    with pytest.raises(MeterError, match="no RAPL package"):
        RaplMeter(tmp_path).open()


def proc_stat(path: Path, user: int, idle: int = 0, steal: int = 0) -> Path:
    path.write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0\ncpu1 0 0\nintr 1\n")
    return path


def test_the_estimate_counts_busy_time_only(tmp_path: Path) -> None:
    stat = proc_stat(tmp_path / "stat", user=1000)
    meter = EstimateMeter(None, stat)
    (source,) = meter.open()
    before = joules(meter.sample())["machine"]
    proc_stat(stat, user=1000 + 3 * os.sysconf("SC_CLK_TCK"), idle=5000, steal=70)
    assert joules(meter.sample())["machine"] - before == pytest.approx(30.0)
    assert source.method == "estimated"
    assert "10 W per core" in (source.assumption or "")


def test_the_estimate_shares_the_tdp_among_the_cores(tmp_path: Path) -> None:
    stat = proc_stat(tmp_path / "stat", user=0)
    meter = EstimateMeter(150.0, stat)
    assert "75 W per core" in (meter.open()[0].assumption or "")
    proc_stat(stat, user=os.sysconf("SC_CLK_TCK"))
    assert joules(meter.sample()) == {"machine": pytest.approx(75.0)}


def test_the_replay_plays_the_power_that_it_was_told_and_says_that_it_does() -> None:
    meter = ReplayMeter(40.0)
    (source,) = meter.open()
    assert (source.method, source.power_limit_w) == ("simulated", 40.0)
    assert "40 W; nothing was measured" in (source.assumption or "")
    first, *_, last = (meter.sample() for _ in range(100))
    assert {reading.power_w for reading in (*first.readings, *last.readings)} == {40.0}
    (begin,), (end,) = first.edges, last.edges
    assert end.energy_j - begin.energy_j == pytest.approx(40.0 * (end.latest_s - begin.latest_s))


@pytest.mark.parametrize(
    ("now_s", "next_s"), [(10.0, 10.5), (10.01, 10.5), (10.49, 10.5), (10.51, 11.0), (12.2, 12.5), (9.9, 10.5)]
)
def test_the_samples_keep_to_their_grid(now_s: float, next_s: float) -> None:
    assert next_due_s(10.0, now_s, 0.5) == pytest.approx(next_s)


def test_lateness_does_not_add_up() -> None:
    due_s, moments = 0.0, []
    for _ in range(100):
        moments.append(due_s)
        due_s = next_due_s(due_s, due_s + 0.03, 0.1)
    assert [after - before for before, after in pairwise(moments)] == pytest.approx([0.1] * 99)


def spec(tmp_path: Path, **fields: object) -> Spec:
    declared = Spec(str(tmp_path / "s"), 10, os.getpid(), [], None, None, powercap=str(tmp_path / "cap"))
    return declared._replace(**fields)


@pytest.mark.parametrize(
    ("asked", "readable", "methods"),
    [
        ({"simulated_power_w": 50.0}, True, ["simulated"]),
        ({}, True, ["rapl"]),
        ({}, False, ["estimated"]),
        ({"meter": "rapl"}, True, ["rapl"]),
        ({"meter": "estimate"}, True, ["estimated"]),
        ({"meter": "estimate", "simulated_power_w": 50.0}, True, ["estimated"]),
        ({"host_samples": True}, False, []),
        ({"meter": "estimate", "host_samples": True}, False, ["estimated"]),
    ],
)
def test_the_best_meter_that_can_be_read_is_chosen_or_the_one_that_was_asked_for(
    tmp_path: Path, asked: dict[str, object], readable: bool, methods: list[str]
) -> None:
    if readable:
        zone(tmp_path / "cap", "intel-rapl:0", "package-0", 1)
    opened = open_meters(spec(tmp_path, **asked))
    assert [source.method for source in opened.sources] == methods
    assert len(opened.meters) == len(methods)
    assert not any(isinstance(meter, Polled) for meter in opened.meters)


def test_why_a_better_meter_was_not_used_is_noted(tmp_path: Path) -> None:
    (note,) = open_meters(spec(tmp_path)).notes
    assert note.startswith(f"rapl not used: there is no RAPL package under {tmp_path / 'cap'}")


def test_rapl_that_was_asked_for_and_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no RAPL package") as caught:
        open_meters(spec(tmp_path, meter="rapl"))
    assert "energy_uj" in caught.value.hint


def test_nvml_without_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match=r"measurement\.meter is nvml, and this run has no GPU") as caught:
        open_meters(spec(tmp_path, meter="nvml"))
    assert "gpus" in caught.value.hint


@pytest.mark.parametrize("meter", ["auto", "nvml"])
def test_a_gpu_without_a_driver_is_a_meter_error_that_says_what_to_do(tmp_path: Path, meter: str) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")
    with pytest.raises(MeterError, match="NVML") as caught:
        open_meters(spec(tmp_path, gpu_uuids=["GPU-1"], meter=meter))
    assert "driver" in caught.value.hint


def test_among_neighbours_the_cpus_energy_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, which is simulated here by a meter of another kind."""
    zone(tmp_path / "cap", "intel-rapl:0", "package-0", 1)
    monkeypatch.setattr(choose, "_nvml", lambda _: ReplayMeter(50.0))
    for meter in ("auto", "nvml"):
        alone = open_meters(spec(tmp_path, gpu_uuids=["GPU-1"], meter=meter))
        among = open_meters(spec(tmp_path, gpu_uuids=["GPU-1"], meter=meter, neighbours=True))
        assert [source.method for source in alone.sources] == ["simulated", "rapl"]
        assert [source.method for source in among.sources] == ["simulated"]
        assert "several runs go on at once" in among.notes[0]
