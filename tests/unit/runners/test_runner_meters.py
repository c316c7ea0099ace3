"""The meters that read files, each on a tree of its own."""

import os
from pathlib import Path

import pytest

from runners.errors import MeterError
from runners.meters.choose import Spec, open_meters
from runners.meters.estimate import EstimateMeter
from runners.meters.rapl import RaplMeter
from runners.meters.sampler import next_due_s


def zone(root: Path, folder: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return path / "energy_uj"


def test_rapl_reads_packages_and_dram_and_nothing_else(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 100_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 50_000)
    dram = zone(tmp_path, "intel-rapl:0:1", "dram", 10_000)
    zone(tmp_path, "intel-rapl:1", "psys", 900_000)
    meter = RaplMeter(tmp_path)
    assert [(s.name, s.kind, s.scope) for s in meter.open()] == [
        ("cpu:0", "cpu", "package"),
        ("dram:0:1", "dram", "dram"),
    ]
    package.write_text("350000\n")
    dram.write_text("15000\n")
    assert {r.source: r.energy_j for r in meter.sample()} == {
        "cpu:0": pytest.approx(0.25),
        "dram:0:1": pytest.approx(0.005),
    }


def test_rapl_runs_on_where_the_counter_wraps(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 900_000, range_uj=1_000_000)
    meter = RaplMeter(tmp_path)
    meter.open()
    energies = []
    for now_uj in (990_000, 40_000, 999_000, 5_000):
        package.write_text(str(now_uj))
        energies.append(meter.sample()[0].energy_j)
    assert energies == [pytest.approx(x) for x in (0.09, 0.14, 1.099, 1.105)]


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


def proc_stat(path: Path, user: int, idle: int = 0, steal: int = 0) -> Path:
    path.write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0\ncpu1 0 0\nintr 1\n")
    return path


def test_the_estimate_counts_busy_time_only(tmp_path: Path) -> None:
    stat = proc_stat(tmp_path / "stat", user=1000)
    meter = EstimateMeter(None, stat)
    (source,) = meter.open()
    before = meter.sample()[0].energy_j
    proc_stat(stat, user=1000 + 3 * os.sysconf("SC_CLK_TCK"), idle=5000, steal=70)
    assert meter.sample()[0].energy_j - before == pytest.approx(30.0)
    assert source.method == "estimated"
    assert "10 W per core" in source.assumption


def test_the_estimate_shares_the_tdp_among_the_cores(tmp_path: Path) -> None:
    stat = proc_stat(tmp_path / "stat", user=0)
    meter = EstimateMeter(150.0, stat)
    assert "75 W per core" in meter.open()[0].assumption
    proc_stat(stat, user=os.sysconf("SC_CLK_TCK"))
    assert meter.sample()[0].energy_j == pytest.approx(75.0)


@pytest.mark.parametrize(
    ("now_s", "next_s"), [(10.0, 10.5), (10.01, 10.5), (10.49, 10.5), (10.51, 11.0), (12.2, 12.5), (9.9, 10.5)]
)
def test_the_samples_keep_to_their_grid(now_s: float, next_s: float) -> None:
    assert next_due_s(10.0, now_s, 0.5) == pytest.approx(next_s)


@pytest.mark.parametrize(
    ("simulated_w", "readable", "methods"),
    [(50.0, True, ["simulated"]), (None, True, ["rapl"]), (None, False, ["estimated"])],
)
def test_the_best_meter_that_can_be_read_is_chosen(
    tmp_path: Path, simulated_w: float | None, readable: bool, methods: list[str]
) -> None:
    if readable:
        zone(tmp_path, "intel-rapl:0", "package-0", 1)
    spec = Spec(str(tmp_path / "s"), 10, os.getpid(), [], None, simulated_w)
    opened = open_meters(spec, powercap=tmp_path)
    assert [source.method for source in opened.sources] == methods
    assert bool(opened.notes) == (methods == ["estimated"])


def test_a_gpu_without_a_driver_is_a_meter_error_that_says_what_to_do(tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")
    with pytest.raises(MeterError, match="NVML") as caught:
        open_meters(Spec(str(tmp_path / "s"), 10, os.getpid(), ["GPU-1"], None, None), powercap=tmp_path)
    assert "driver" in caught.value.hint
