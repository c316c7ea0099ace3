from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import MachineError
from orchestrator.execution import vacant as module
from orchestrator.execution.events import GpuAwaited
from orchestrator.execution.vacant import GRACE_S, await_vacant
from orchestrator.system.gpu_state import GpuState, Tenant
from runners.contract.request import Gpu

GPU = Gpu(index=0, uuid="GPU-1", name="H200")
GIB = 2**30


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(module, "time", fake)
    monkeypatch.setattr(module, "process_name", lambda _: "python3")
    return fake


def state(used: int = 0, *tenants: Tenant) -> GpuState:
    return GpuState(GPU, tenants=tenants, memory_total_bytes=80 * GIB, memory_used_bytes=used)


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[[Callable[[float], GpuState]], None]:
    def play(script: Callable[[float], GpuState]) -> None:
        monkeypatch.setattr(module, "gpu_states", lambda _: [script(clock.now - 1000)])

    return play


Plays = Callable[[Callable[[float], GpuState]], None]


def awaited(stop: Callable[[], bool] = lambda: False) -> list[GpuAwaited]:
    told: list[GpuAwaited] = []
    await_vacant([GPU], told.append, stop)
    return told


def test_a_gpu_that_is_free_is_not_waited_for(plays: Plays, clock: Clock) -> None:
    plays(lambda _: state())
    assert awaited() == []
    assert clock.now == 1000


def test_memory_of_a_run_that_just_ended_is_waited_for_and_that_is_told_once(plays: Plays, clock: Clock) -> None:
    plays(lambda s: state(40 * GIB if s < 5 else 0))
    (told,) = awaited()
    assert "40.0 GiB of the memory of GPU 0" in told.what
    assert told.patience_s == GRACE_S
    assert clock.now == 1005


def test_memory_that_is_not_given_back_is_refused_after_the_grace(plays: Plays, clock: Clock) -> None:
    plays(lambda _: state(40 * GIB))
    with pytest.raises(MachineError, match=r"no process explains them \(after 30 s of waiting\)") as caught:
        awaited()
    assert caught.value.exit_code == 3
    assert clock.now == 1000 + GRACE_S


def test_somebody_else_is_refused_at_once(plays: Plays, clock: Clock) -> None:
    plays(lambda _: state(GIB, Tenant(99, False, GIB)))
    with pytest.raises(MachineError, match=r"GPU 0 is in use by process 99 \(python3, 1\.0 GiB\)"):
        awaited()
    assert clock.now == 1000


def test_a_wish_to_stop_ends_the_wait(plays: Plays, clock: Clock) -> None:
    plays(lambda _: state(40 * GIB))
    awaited(stop=lambda: clock.now > 1003)
    assert clock.now < 1005


def test_without_gpus_nothing_is_looked_at() -> None:
    await_vacant([], lambda _: None, lambda: False)
