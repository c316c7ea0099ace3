"""The host's half of metering a container's run: the real sampler on a made powercap tree."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.dispatch.host_sampler import HostSampler, SampledAttempt, can_sample, specification
from orchestrator.errors import MachineError
from orchestrator.system.powercap import POWERCAP, powercap_root
from runners.contract.paths import HOST_SAMPLES, RESULT, AttemptName
from runners.meters.choose import Spec
from tests.unit.fakes import FakeAttempt

NAME = AttemptName("simulated-m-1-0123456789abcdef", 1, 1)
HZ = 50.0


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    root = tmp_path / "powercap"
    zone = root / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("1000000\n")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "attempt"
    made.mkdir()
    return made


def lines(folder: Path) -> list[Any]:
    text = (folder / HOST_SAMPLES).read_text()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def energies(folder: Path) -> list[float]:
    return [edge[-1] for tick in lines(folder)[1:] for edge in tick["edges"]]


def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def test_the_host_says_no_more_than_the_sampler_understands(folder: Path, powercap: Path) -> None:
    assert Spec(**specification(folder, HZ, powercap)).gpu_uuids == []


def test_it_samples_rapl_alone_from_its_start_to_its_end(folder: Path, powercap: Path) -> None:
    sampler = HostSampler(folder, HZ, powercap)
    header, *_ = lines(folder)
    assert [source["kind"] for source in header["sources"]] == ["cpu"]
    (powercap / "intel-rapl:0" / "energy_uj").write_text("3500000\n")
    until(lambda: energies(folder)[-1] - energies(folder)[0] == pytest.approx(2.5))
    sampler.end()
    assert sampler._process.returncode == 0
    sampler.end()
    assert (folder / HOST_SAMPLES).exists()


def test_its_file_goes_once_the_result_holds_what_was_in_it(folder: Path, powercap: Path) -> None:
    sampler = HostSampler(folder, HZ, powercap)
    (folder / RESULT).touch()
    sampler.end()
    assert not (folder / HOST_SAMPLES).exists()


@pytest.mark.parametrize("how", ["ends", "is stopped", "cannot be watched"])
def test_it_ends_with_the_attempt(how: str, folder: Path, powercap: Path) -> None:
    def broken() -> None:
        raise MachineError("the engine does not answer")

    attempt = FakeAttempt(NAME, [lambda: None, broken] if how == "cannot be watched" else [lambda: None])
    sampler = HostSampler(folder, HZ, powercap)
    sampled = SampledAttempt(attempt, sampler)
    assert not sampled.wait(0)
    assert sampler._process.poll() is None
    if how == "ends":
        assert sampled.wait(0)
    elif how == "is stopped":
        sampled.stop()
        assert attempt.stopped
    else:
        with pytest.raises(MachineError):
            sampled.wait(0)
    assert sampler._process.returncode == 0


def test_it_does_not_outlive_an_orchestrator_that_is_killed(folder: Path, powercap: Path) -> None:
    script = f"""
import pathlib
from orchestrator.dispatch.host_sampler import HostSampler
print(HostSampler(pathlib.Path({str(folder)!r}), {HZ}, pathlib.Path({str(powercap)!r}))._process.pid, flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdout
        sampler = psutil.Process(int(host.stdout.readline()))
        host.kill()
    until(lambda: not sampler.is_running() or sampler.status() == psutil.STATUS_ZOMBIE)


def test_what_cannot_be_sampled_is_said_when_it_starts(folder: Path, powercap: Path) -> None:
    (powercap / "intel-rapl:0" / "energy_uj").write_text("lots\n")
    with pytest.raises(MachineError, match=r"the CPU's energy cannot be sampled: .*which is no number") as caught:
        HostSampler(folder, HZ, powercap)
    assert caught.value.hint


def test_whether_a_host_can_sample(tmp_path: Path, powercap: Path) -> None:
    assert can_sample(powercap)
    assert not can_sample(tmp_path)
    assert not can_sample(tmp_path / "absent")
    (powercap / "intel-rapl:1" / "energy_uj").mkdir(parents=True)  # nobody can read that, root included
    assert not can_sample(powercap)


def test_where_the_counters_are_is_a_variable_s_to_say() -> None:
    assert powercap_root({}) == powercap_root({"ORCHESTRATE_POWERCAP": ""}) == POWERCAP
    assert powercap_root({"ORCHESTRATE_POWERCAP": "/made"}) == Path("/made")
