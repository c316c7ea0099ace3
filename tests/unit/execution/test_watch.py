from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import MachineError
from orchestrator.execution import watch as module
from orchestrator.execution.watch import GpuWatch, Record
from orchestrator.results.reading import read_host_report
from orchestrator.system.gpu_state import GpuLostError, Tenant
from runners.contract.host import NO_DISPLAY, NO_OTHER_PROCESS
from runners.contract.paths import HOST, FailureKind
from runners.contract.request import Gpu
from runners.contract.result import Check

GPU = Gpu(index=0, uuid="GPU-1", name="H200")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
OURS, OTHER, DESKTOP = Tenant(10, False, 2**30), Tenant(99, False, 2**31), Tenant(7, True, 2**20)


def owned(pids: Collection[int]) -> set[int]:
    return set(pids) & {10, 11}


def record() -> Record:
    return Record([GPU], NOW)


def see(of: Record, *tenants: Tenant) -> bool:
    return of.note({GPU.uuid: tenants}, owned, lambda pid: f"name-{pid}", NOW)


def check(of: Record, name: str = NO_OTHER_PROCESS, until: datetime | None = NOW) -> Check:
    (found,) = (check for check in of.report(until).checks if check.name == name)
    return found


def test_the_runs_own_processes_are_nobody_else() -> None:
    seen = record()
    for _ in range(3):
        assert not see(seen, OURS, Tenant(11, False, None))
    assert check(seen) == Check(
        name=NO_OTHER_PROCESS, passed=True, severity="critical", observed="nobody else in 3 looks"
    )


def test_one_of_ours_is_asked_about_once() -> None:
    asked: list[Collection[int]] = []

    def asking(pids: Collection[int]) -> set[int]:
        asked.append(set(pids))
        return owned(pids)

    seen = record()
    for _ in range(3):
        seen.note({GPU.uuid: (OURS,)}, asking, lambda _: None, NOW)
    assert asked == [{10}]


def test_another_process_is_critical_and_named_once_it_is_seen_twice_running() -> None:
    seen = record()
    assert see(seen, OURS, OTHER)
    assert check(seen).passed
    assert not see(seen, OURS, OTHER)
    found = check(seen)
    assert (found.passed, found.severity) == (False, "critical")
    assert found.observed == "process 99 (name-99, 2.0 GiB) on GPU 0 in 1 of 2 looks"
    see(seen, OURS)
    assert not check(seen).passed


def test_one_that_ended_while_it_was_asked_about_is_not_taken_for_another() -> None:
    seen = record()
    for _ in range(3):
        see(seen, OTHER)
        see(seen)
    assert check(seen).passed


def test_a_desktop_is_a_warning_of_its_own() -> None:
    seen = record()
    for _ in range(2):
        see(seen, OURS, DESKTOP)
    assert check(seen).passed
    assert (check(seen, NO_DISPLAY).passed, check(seen, NO_DISPLAY).severity) == (False, "warning")
    computing = DESKTOP._replace(graphics=False)
    for _ in range(2):
        see(seen, OURS, computing)
    assert not check(seen).passed


def test_where_ids_tell_nothing_nothing_is_judged_and_that_is_told() -> None:
    seen = Record([GPU], NOW, blind="in a container it cannot be told")
    for _ in range(2):
        see(seen, OURS, OTHER)
    assert (check(seen).passed, check(seen).severity) == (False, "warning")
    assert "in a container it cannot be told" in check(seen).observed


def test_a_watch_that_was_killed_says_so() -> None:
    seen = record()
    see(seen, OURS)
    found = check(seen, until=None)
    assert (found.passed, found.severity) == (False, "warning")
    assert "killed before the run ended" in found.observed


def test_without_a_look_nothing_is_passed() -> None:
    assert not check(record()).passed


class Session:
    """NVML as a script plays it: a look each; the last one for ever."""

    script: list[dict[str, tuple[Tenant, ...]] | Exception]

    def __init__(self, gpus: object) -> None: ...

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tenants(self) -> dict[str, tuple[Tenant, ...]]:
        step = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    monkeypatch.setattr(module, "GpuSession", Session)
    monkeypatch.setattr(module, "told_by_pid", lambda _: True)
    monkeypatch.setattr(module, "_PERIOD_S", 0.01)
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    monkeypatch.setattr(module, "_LOST_GRACE_S", 0.0)
    return Session


def until(condition: Callable[[], object], of: GpuWatch) -> None:
    """Wait for it while the watch is on; a test that waits in vain fails."""
    for _ in range(1000):
        if condition():
            return
        of._stop.wait(0.01)
    raise AssertionError("it never came to that")


def checks(folder: Path) -> dict[str, Check]:
    report = read_host_report(folder)
    assert report is not None
    return {check.name: check for check in report.checks}


def test_what_is_seen_is_on_the_disk_at_once(tmp_path: Path, session: type[Session]) -> None:
    session.script = [{GPU.uuid: (OURS,)}, {GPU.uuid: (OURS, OTHER)}]
    with GpuWatch(tmp_path, [GPU], owned) as watch:
        assert "killed before the run ended" in checks(tmp_path)[NO_OTHER_PROCESS].observed
        until(lambda: checks(tmp_path)[NO_OTHER_PROCESS].severity == "critical", watch)
    assert "process 99" in checks(tmp_path)[NO_OTHER_PROCESS].observed


def test_a_broken_nvml_is_told_and_ends_nothing(tmp_path: Path, session: type[Session]) -> None:
    session.script = [MachineError("NVML is broken"), {GPU.uuid: (OURS,)}]
    with GpuWatch(tmp_path, [GPU], owned) as watch:
        until(lambda: watch._record.looks > 1, watch)
        assert watch.fault() is None
    found = checks(tmp_path)[NO_OTHER_PROCESS]
    assert (found.passed, found.severity) == (False, "warning")
    assert "looks failed: NVML is broken" in found.observed


def test_a_lost_gpu_ends_the_run_and_one_that_comes_back_does_not(tmp_path: Path, session: type[Session]) -> None:
    session.script = [GpuLostError("GPU 0 is lost", hint="look at dmesg")]
    with GpuWatch(tmp_path, [GPU], owned) as watch:
        until(watch.fault, watch)
        verdict = watch.fault()
        assert verdict is not None
        assert (verdict.kind, verdict.message) == (FailureKind.METER_FAILED, "GPU 0 is lost")
        session.script = [{GPU.uuid: (OURS,)}]
        until(lambda: watch.fault() is None, watch)


def test_a_run_taken_over_keeps_what_was_seen_before(tmp_path: Path, session: type[Session]) -> None:
    session.script = [{GPU.uuid: (OURS, OTHER)}]
    with GpuWatch(tmp_path, [GPU], owned) as first:
        until(lambda: first._record.others, first)
    session.script = [{GPU.uuid: (OURS,)}]
    with GpuWatch(tmp_path, [GPU], owned):
        assert checks(tmp_path)[NO_OTHER_PROCESS].severity == "critical"
    assert "process 99" in checks(tmp_path)[NO_OTHER_PROCESS].observed


def test_a_gap_between_two_orchestrators_is_told(tmp_path: Path, session: type[Session]) -> None:
    session.script = [{GPU.uuid: (OURS,)}]
    for _ in range(2):
        with GpuWatch(tmp_path, [GPU], owned) as watch:
            until(lambda: watch._record.looks > 1, watch)
    assert "nobody watched until another orchestrator" in checks(tmp_path)[NO_OTHER_PROCESS].observed


def test_a_watch_that_is_over_writes_nothing_more(tmp_path: Path, session: type[Session]) -> None:
    session.script = [{GPU.uuid: (OURS,)}]
    with GpuWatch(tmp_path, [GPU], owned) as watch:
        until(lambda: watch._record.looks, watch)
    (tmp_path / HOST).unlink()
    watch._write(None)
    assert not (tmp_path / HOST).exists()
