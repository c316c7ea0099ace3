"""What is made of how a machine is set; on simulated GPUs all of it is tried in tests/e2e/test_fitness.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import MachineError
from orchestrator.system.doctor.finding import Finding, Status
from orchestrator.system.fitness import examine
from orchestrator.system.fitness.gpu_settings import GpuSettings
from orchestrator.system.fitness.host_settings import HostSettings, host_settings
from orchestrator.system.fitness.judge import judge_gpu, judge_host
from runners.contract.request import Gpu

GPU = Gpu(index=1, uuid="GPU-1", name="H200")
GOOD = GpuSettings(
    GPU,
    power_limit_w=700.0,
    power_default_w=700.0,
    power_enforced_w=700.0,
    clock_mhz=1500,
    clock_highest_mhz=1980,
    clock_application_mhz=1980,
    clock_application_default_mhz=1980,
    reasons=1,
    in_use=False,
    ecc=(True, True),
    mig=(False, False),
    persistence=True,
)
HOST = HostSettings(8, 8, frozenset({"performance"}), False, None, True, None, None, 2**35, 0.2, None)


def of_gpu(settings: GpuSettings) -> dict[str, Finding]:
    return {finding.name.removeprefix("GPU 1 "): finding for finding in judge_gpu(settings)}


def of_host(settings: HostSettings) -> dict[str, Finding]:
    return {finding.name: finding for finding in judge_host(settings)}


def test_a_gpu_that_is_set_well_has_nothing_against_it() -> None:
    found = of_gpu(GOOD)
    assert list(found) == ["power limit", "clocks", "ECC", "MIG", "persistence"]
    assert {finding.status for finding in found.values()} == {Status.OK}


@pytest.mark.parametrize(
    ("changes", "name", "seen", "advice"),
    [
        ({"power_limit_w": 400.0, "power_enforced_w": 400.0}, "power limit", "capped at 400 W; the default is 700 W",
         "sudo nvidia-smi -i 1 --power-limit=700"),
        ({"power_limit_w": 750.0, "power_enforced_w": 750.0}, "power limit", "raised to 750 W", "--power-limit=700"),
        ({"power_enforced_w": 500.0}, "power limit", "700 W are set, and 500 W hold", "nvidia-smi -q -d POWER"),
        ({"clock_mhz": 345}, "clocks", "free: 345 MHz now, up to 1980", "sudo nvidia-smi -i 1 --lock-gpu-clocks="),
        ({"reasons": 0x44}, "throttling", "held back at this moment by heat, by the hardware", "cooling"),
        ({"ecc": (True, False)}, "ECC", "on, and off after the next reboot", "--ecc-config=1"),
        ({"mig": (True, True)}, "MIG", "cannot be told apart", "--multi-instance-gpu=0"),
        ({"mig": (False, True)}, "MIG", "on after the next reset", "--multi-instance-gpu=0"),
        ({"persistence": False}, "persistence", "off: between runs", "--persistence-mode=1"),
    ],
)  # fmt: skip
def test_each_bad_setting_of_a_gpu_is_told_with_what_to_do(
    changes: dict[str, object], name: str, seen: str, advice: str
) -> None:
    found = of_gpu(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert found[name].status is Status.WARNING
    assert seen in found[name].seen
    assert advice in found[name].advice
    assert [each for each, finding in found.items() if finding.status is not Status.OK] == [name]


def test_clocks_that_are_set_for_applications_are_no_free_ones() -> None:
    clocks = of_gpu(replace(GOOD, clock_application_mhz=1200, clock_mhz=345))["clocks"]
    assert (clocks.status, "applications run at 1200 MHz at most, of 1980" in clocks.seen) == (Status.OK, True)


def test_while_a_gpu_works_its_clocks_tell_nothing_of_a_lock() -> None:
    assert of_gpu(replace(GOOD, in_use=True))["clocks"].status is Status.UNKNOWN


def test_a_gpu_that_tells_nothing_is_unknown_and_no_fault() -> None:
    statuses = {finding.status for finding in judge_gpu(GpuSettings(GPU))}
    assert statuses == {Status.UNKNOWN, Status.NOT_NEEDED}
    (lost,) = judge_gpu(GpuSettings(GPU, lost="it fell off the bus"))
    assert (lost.status, lost.seen) == (Status.UNKNOWN, "it fell off the bus")


def test_a_machine_that_is_set_well_has_nothing_against_it() -> None:
    assert {finding.status for finding in judge_host(HOST)} == {Status.OK, Status.NOT_NEEDED}


@pytest.mark.parametrize(
    ("changes", "name", "seen"),
    [
        (
            {"governors": frozenset({"powersave", "performance"})},
            "CPU governor",
            "performance, powersave: clocks follow",
        ),
        ({"cpu_limit": 2.5}, "CPU limits", "2.5 CPUs' worth of time"),
        ({"cpus_usable": 4}, "CPU limits", "4 of 8 CPUs"),
        ({"memory_limit_bytes": 2**32}, "CPU limits", "4.0 GiB of memory"),
        ({"load": 3.0}, "load", "3.0 of 8 CPUs were wanted"),
        ({"on_battery": True}, "power supply", "on battery"),
    ],
)
def test_each_bad_setting_of_a_machine_is_told(changes: dict[str, object], name: str, seen: str) -> None:
    found = of_host(replace(HOST, **changes))  # type: ignore[arg-type]
    assert found[name].status is Status.WARNING
    assert seen in found[name].seen
    assert found[name].advice
    assert [each for each, finding in found.items() if finding.status is Status.WARNING] == [name]


@pytest.mark.parametrize(("file", "off"), [("intel_pstate/no_turbo", 1), ("cpufreq/boost", 0)])
def test_boost_comes_with_how_to_switch_it_off(file: str, off: int) -> None:
    boost = of_host(replace(HOST, boost=True, boost_file=Path("/sys/devices/system/cpu") / file))["CPU boost"]
    assert boost.advice == f"to switch it off: `echo {off} | sudo tee /sys/devices/system/cpu/{file}`"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_linux_is_read(tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu"
    found = host_settings(
        write(
            tmp_path,
            {
                f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave\n",
                f"{cpu}/cpu1/cpufreq/scaling_governor": "performance\n",
                f"{cpu}/intel_pstate/no_turbo": "1\n",
                f"{cpu}/smt/active": "0\n",
                "sys/fs/cgroup/cpu.max": "250000 100000\n",
                "sys/fs/cgroup/memory.max": "1073741824\n",
                "proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n",
                "proc/loadavg": "1.50 0.50 0.10 1/200 42\n",
                "sys/class/power_supply/BAT0/type": "Battery\n",
                "sys/class/power_supply/BAT0/status": "Discharging\n",
                "sys/class/power_supply/mouse/type": "Battery\n",
                "sys/class/power_supply/mouse/scope": "Device\n",
            },
        )
    )
    assert found.governors == {"powersave", "performance"}
    assert (found.boost, found.smt) == (False, False)
    assert found.boost_file == tmp_path / cpu / "intel_pstate/no_turbo"
    assert (found.cpu_limit, found.memory_limit_bytes, found.memory_bytes) == (2.5, 2**30, 2**21)
    assert (found.load, found.on_battery) == (1.5, True)


def test_the_first_version_of_control_groups_is_read(tmp_path: Path) -> None:
    limits = {
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    found = host_settings(write(tmp_path, limits))
    assert (found.cpu_limit, found.memory_limit_bytes) == (0.5, None)
    for quota in ("-1", "0 0"):
        none = host_settings(write(tmp_path, {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota}))
        assert none.cpu_limit is None


@pytest.mark.parametrize("text", ["", "\n", "max", "nonsense ∞", "\x00"])
def test_what_cannot_be_understood_is_unknown(tmp_path: Path, text: str) -> None:
    names = ("sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max", "proc/meminfo", "proc/loadavg")
    found = host_settings(write(tmp_path, dict.fromkeys([*names, "sys/devices/system/cpu/smt/active"], text)))
    told = (found.cpu_limit, found.memory_limit_bytes, found.memory_bytes, found.load, found.smt, found.on_battery)
    assert told == (None,) * 6
    assert list(judge_host(found))


def test_a_machine_that_shows_nothing_is_no_fault(tmp_path: Path) -> None:
    assert Status.BROKEN not in {finding.status for finding in judge_host(host_settings(tmp_path))}


def test_what_breaks_while_it_is_looked_at_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("unheard of")

    def refuses(*_: object) -> None:
        raise MachineError("NVML does not start", hint="check it")

    monkeypatch.setattr(examine, "gpu_settings", refuses)
    monkeypatch.setattr(examine, "host_settings", fails)
    gpus, machine = examine.fitness([GPU])
    assert (gpus.status, gpus.seen, gpus.advice) == (Status.UNKNOWN, "NVML does not start", "check it")
    assert (machine.status, "unheard of" in machine.seen) == (Status.UNKNOWN, True)


def test_without_a_gpu_nvml_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "gpu_settings", lambda _: pytest.fail("NVML was asked"))
    assert examine.fitness([])
