from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.execution import supervise as module
from orchestrator.execution.supervise import Limits, Verdict, in_charge_of, supervise
from runners.contract.events import RunnerEvent
from runners.contract.paths import EVENTS, AttemptName, FailureKind
from tests.unit.fakes import FakeAttempt

NAME = AttemptName("e", 1, 1)
LIMITS = Limits(timeout_s=100, silence_timeout_s=10)
PROGRESS = json.dumps({"event": "progress", "phase": "window", "done": 1, "total": 2})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(module, "time", fake)
    return fake


def watch(
    attempt: FakeAttempt, folder: Path, should_stop: Callable[[], bool] = lambda: False
) -> tuple[Verdict | None, list[RunnerEvent]]:
    seen: list[RunnerEvent] = []
    return supervise(attempt, folder, LIMITS, seen.append, should_stop), seen


def writes(folder: Path, text: str | bytes, clock: Clock, after_s: float = 0) -> Callable[[], None]:
    def step() -> None:
        clock.now += after_s
        with (folder / EVENTS).open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    return step


def passes(clock: Clock, seconds: float) -> Callable[[], None]:
    def step() -> None:
        clock.now += seconds

    return step


def test_one_that_ends_by_itself_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    attempt = FakeAttempt(NAME, [writes(tmp_path, PROGRESS + "\n", clock)], code=12)
    verdict, seen = watch(attempt, tmp_path)
    assert verdict is None
    assert not attempt.stopped
    assert [(event.done, event.total) for event in seen] == [(1, 2)]


def test_the_last_lines_are_read_after_the_end(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / EVENTS).write_text(f"{PROGRESS}\n{PROGRESS}\n")
    assert len(watch(FakeAttempt(NAME), tmp_path)[1]) == 2


def test_silence_ends_it(tmp_path: Path, clock: Clock) -> None:
    attempt = FakeAttempt(NAME, [passes(clock, 6), passes(clock, 6), passes(clock, 6)])
    verdict, _ = watch(attempt, tmp_path)
    assert verdict is not None
    assert verdict.kind is FailureKind.SILENT
    assert "silence_timeout_s = 10 s" in verdict.message
    assert attempt.stopped
    assert len(attempt.script) == 1


def test_one_that_is_still_to_begin_is_not_silent(tmp_path: Path, clock: Clock) -> None:
    attempt = FakeAttempt(NAME, age_s=-30)

    def waits() -> None:
        attempt.age_s += 10
        clock.now += 20

    attempt.script = [waits, waits, waits, waits]
    verdict, _ = watch(attempt, tmp_path)
    assert verdict is not None
    assert verdict.kind is FailureKind.SILENT
    assert attempt.age_s == 0
    assert len(attempt.script) == 1


@pytest.mark.parametrize(
    ("said", "where"),
    [("", "before its first phase"), (json.dumps({"event": "phase", "phase": "load"}) + "\n", "in the phase load")],
)
def test_it_is_told_where_one_fell_silent(tmp_path: Path, clock: Clock, said: str, where: str) -> None:
    attempt = FakeAttempt(NAME, [writes(tmp_path, said, clock), *[passes(clock, 11)] * 2])
    verdict, _ = watch(attempt, tmp_path)
    assert verdict is not None
    assert verdict.message == f"no sign of life for silence_timeout_s = 10 s, {where}"


def test_a_sign_of_life_begins_the_silence_anew(tmp_path: Path, clock: Clock) -> None:
    script = [writes(tmp_path, PROGRESS + "\n", clock, after_s=6) for _ in range(5)]
    verdict, seen = watch(FakeAttempt(NAME, script), tmp_path)
    assert verdict is None
    assert len(seen) == 5


@pytest.mark.parametrize("noise", ["warning: no event\n", PROGRESS[:-1], "{}\n", "\n"])
def test_noise_is_no_sign_of_life(tmp_path: Path, clock: Clock, noise: str) -> None:
    script = [writes(tmp_path, noise, clock, after_s=6) for _ in range(3)]
    verdict, seen = watch(FakeAttempt(NAME, script), tmp_path)
    assert verdict is not None
    assert verdict.kind is FailureKind.SILENT
    assert seen == []


def test_it_may_take_no_longer_than_its_timeout_however_lively(tmp_path: Path, clock: Clock) -> None:
    attempt = FakeAttempt(NAME)

    def older() -> None:
        attempt.age_s += 60
        writes(tmp_path, PROGRESS + "\n", clock)()

    attempt.script = [older, older, older]
    verdict, seen = watch(attempt, tmp_path)
    assert verdict is not None
    assert verdict.kind is FailureKind.TIMEOUT
    assert attempt.stopped
    assert len(seen) == 2


def test_one_found_alive_has_used_up_its_time_already(tmp_path: Path, clock: Clock) -> None:
    verdict, _ = watch(FakeAttempt(NAME, [lambda: None], age_s=101), tmp_path)
    assert verdict is not None
    assert verdict.kind is FailureKind.TIMEOUT


def test_a_wish_to_stop_comes_first(tmp_path: Path, clock: Clock) -> None:
    attempt = FakeAttempt(NAME, [lambda: None], age_s=101)
    verdict, _ = watch(attempt, tmp_path, should_stop=lambda: True)
    assert verdict is not None
    assert verdict.kind is FailureKind.INTERRUPTED
    assert attempt.stopped


def test_one_that_ended_is_not_interrupted(tmp_path: Path, clock: Clock) -> None:
    assert watch(FakeAttempt(NAME), tmp_path, should_stop=lambda: True)[0] is None


def test_a_fault_while_watching_leaves_nothing_running(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / EVENTS).write_text(PROGRESS + "\n")
    attempt = FakeAttempt(NAME, [lambda: None])

    def breaking(_: RunnerEvent) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError), in_charge_of(attempt):
        supervise(attempt, tmp_path, LIMITS, breaking, lambda: False)
    assert attempt.stopped


GARBAGE = [
    b"\xff\xfe\n",
    b"[" * 10_000 + b"\n",
    b'{"event": "progress"}\n',
    b'{"event": "progress", "phase": "window", "extra": 1}\n',
    b'{"event": "progress", "phase": "window", "done": "1"}\n',
    b"null\n",
    b"x" * 70_000 + b"\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:30]))
def test_garbage_lines_are_passed_over(tmp_path: Path, clock: Clock, garbage: bytes) -> None:
    (tmp_path / EVENTS).write_bytes(garbage + PROGRESS.encode() + b"\n" + garbage)
    assert len(watch(FakeAttempt(NAME), tmp_path)[1]) == 1


def test_a_torn_line_is_read_once_it_is_whole(tmp_path: Path, clock: Clock) -> None:
    head, tail = PROGRESS[:20], PROGRESS[20:]
    script = [writes(tmp_path, head, clock), writes(tmp_path, f"{tail}\n{head}", clock), writes(tmp_path, tail, clock)]
    assert len(watch(FakeAttempt(NAME, script), tmp_path)[1]) == 1


def test_a_line_without_end_is_not_kept(tmp_path: Path, clock: Clock) -> None:
    script = [writes(tmp_path, "x" * 70_000, clock), writes(tmp_path, f"\n{PROGRESS}\n", clock)]
    assert len(watch(FakeAttempt(NAME, script), tmp_path)[1]) == 1
