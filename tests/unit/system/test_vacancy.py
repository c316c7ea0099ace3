from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.system.doctor.finding import Status
from orchestrator.system.doctor.machine import gpu_vacancy
from orchestrator.system.gpu_state import GpuState, Tenant, process_name, told_by_pid
from orchestrator.system.vacancy import DISPLAY_BYTES, LEFTOVER_BYTES, displays, obstacle, others
from runners.contract.request import Gpu

GPU = Gpu(index=3, uuid="GPU-1", name="H200")
GIB = 2**30


def alive(pid: int) -> str | None:
    return "python3"


def gone(pid: int) -> str | None:
    return None


def state(*tenants: Tenant, **known: Any) -> GpuState:
    return GpuState(GPU, tenants=tenants, **{"memory_total_bytes": 80 * GIB, "memory_used_bytes": 2**20, **known})


@pytest.mark.parametrize(
    "vacant",
    [
        state(),
        state(memory_used_bytes=LEFTOVER_BYTES),
        state(memory_used_bytes=None),
        state(memory_total_bytes=None, memory_used_bytes=40 * GIB),
        state(remap_pending=False, remap_failed=False, ecc_uncorrected=2),
        GpuState(GPU, memory_total_bytes=80 * GIB, memory_used_bytes=40 * GIB),
        state(Tenant(1, True, 300 * 2**20), Tenant(2, True, None), memory_used_bytes=GIB),
    ],
    ids=["empty", "a little", "unknown", "no total", "healthy", "no processes told", "desktop"],
)
def test_nothing_stands_in_the_way(vacant: GpuState) -> None:
    assert obstacle(vacant, alive) is None


def test_somebody_who_computes_is_named_and_refused_at_once() -> None:
    found = obstacle(state(Tenant(4711, False, 2 * GIB), Tenant(4712, False, None)), alive)
    assert found is not None
    assert found.what.startswith("GPU 3 is in use by process 4711 (python3, 2.0 GiB), process 4712 (python3)")
    assert "ps -p 4711" in found.hint
    assert not found.passing


def test_somebody_dead_may_still_go() -> None:
    found = obstacle(state(Tenant(4711, False, 2 * GIB)), gone)
    assert found is not None
    assert "process 4711 (2.0 GiB)" in found.what
    assert found.passing


def test_what_draws_much_is_no_desktop() -> None:
    tenants = [Tenant(1, True, DISPLAY_BYTES), Tenant(2, True, 1)]
    assert displays(tenants) == []
    assert others(tenants) == tenants
    assert displays(tenants[:1]) == tenants[:1]
    assert others([*tenants[:1], Tenant(3, False, 1)]) == [Tenant(3, False, 1)]


@pytest.mark.parametrize(
    ("total", "used", "refused"),
    [(80 * GIB, GIB, False), (80 * GIB, GIB + 1, True), (8 * GIB, int(0.41 * GIB), True), (8 * GIB, GIB // 4, False)],
)
def test_memory_that_nobody_explains_is_a_leftover_which_may_pass(total: int, used: int, refused: bool) -> None:
    found = obstacle(state(memory_total_bytes=total, memory_used_bytes=used), alive)
    assert (found is not None) == refused
    if found:
        assert found.passing
        assert "no process explains" in found.what


def test_memory_that_a_desktop_explains_is_no_leftover() -> None:
    desktop = Tenant(1, True, GIB)
    assert obstacle(state(desktop, memory_used_bytes=GIB + 1), alive) is None
    assert obstacle(state(desktop, memory_used_bytes=3 * GIB), alive) is not None


@pytest.mark.parametrize(
    ("sick", "message"),
    [
        (GpuState(GPU, lost="GPU 3 (GPU-1) is lost"), "is lost"),
        (state(remap_pending=True), "until it is reset"),
        (state(remap_failed=True), "could not replace"),
    ],
)
def test_a_gpu_that_is_unfit_is_refused_at_once(sick: GpuState, message: str) -> None:
    found = obstacle(sick, alive)
    assert found is not None
    assert message in found.what
    assert not found.passing


def test_processes_are_told_by_their_id_on_the_machine_itself_and_on_simulated_gpus(tmp_path: Path) -> None:
    assert told_by_pid([GPU], Path(f"/proc/{os.getpid()}/ns/pid")) == (
        Path("/proc/self/ns/pid").stat().st_ino == 0xEFFFFFFC
    )
    container = tmp_path / "pid"
    container.write_text("")
    assert not told_by_pid([GPU], container)
    assert not told_by_pid([GPU], tmp_path / "absent")
    assert told_by_pid([GPU.model_copy(update={"name": "Simulated H100"})], container)


def test_a_process_that_is_gone_has_no_name() -> None:
    assert process_name(os.getpid())
    assert process_name(2**22 + 1) is None


@pytest.mark.parametrize(
    ("seen", "status", "text"),
    [
        (
            state(power_limit_w=700.0, persistence=True, mig=False),
            Status.OK,
            "80.0 of 80.0 GiB free, limit 700 W, persistence on, MIG off",
        ),
        (state(Tenant(9, False, GIB), persistence=False), Status.WARNING, "in use by process 9 (python3, 1.0 GiB)"),
        (state(memory_used_bytes=2 * GIB), Status.WARNING, "2.0 GiB of the memory of GPU 3 are in use"),
        (state(mig=True), Status.WARNING, "MIG on"),
        (state(ecc_uncorrected=3), Status.WARNING, "3 uncorrected ECC errors"),
        (state(Tenant(7, True, GIB // 8)), Status.WARNING, "a desktop draws power on it: process 7"),
        (state(remap_pending=True), Status.BROKEN, "until it is reset"),
        (GpuState(GPU, lost="GPU 3 (GPU-1) is lost"), Status.BROKEN, "is lost"),
        (GpuState(GPU), Status.OK, "who is on it is not told"),
    ],
)
def test_the_doctor_tells_how_each_gpu_stands(seen: GpuState, status: Status, text: str) -> None:
    (finding,) = gpu_vacancy([seen], alive)
    assert (finding.name, finding.status) == ("GPU 3", status)
    assert text in finding.seen
    assert bool(finding.advice) == (status is not Status.OK)
