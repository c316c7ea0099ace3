"""Signs of life while a phase goes on, and silence where it does not."""

import json
import os
import time

import pytest

from runners.backends.create import create
from runners.events import EventWriter
from runners.harness.working import Usage, told_while_working, worked


class Pipe:
    """An event writer, and what came out of it."""

    def __init__(self) -> None:
        self._end, begin = os.pipe()
        os.set_blocking(self._end, False)
        self.events = EventWriter(begin)

    def said(self) -> list[dict[str, object]]:
        try:
            return [json.loads(line) for line in os.read(self._end, 1 << 16).splitlines()]
        except BlockingIOError:
            return []


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("runners.events.time", found)
    return found


def test_a_token_loop_is_told_once_a_second_at_most(clock: Clock) -> None:
    pipe = Pipe()
    pipe.events.phase("warmup")
    assert [event["event"] for event in pipe.said()] == ["phase"]
    for _ in range(400):
        clock.now_s += 0.01
        pipe.events.alive()
    assert pipe.said() == [{"event": "progress", "phase": "warmup"}] * 4


def test_a_sign_of_life_repeats_what_was_last_known(clock: Clock) -> None:
    pipe = Pipe()
    pipe.events.phase("window")
    pipe.events.progress("window", 40.0, 2, 8)
    clock.now_s += 0.9
    pipe.events.alive()
    progress = pipe.said()[-1]
    clock.now_s += 0.2
    pipe.events.alive()
    assert pipe.said() == [progress]
    assert progress == {"event": "progress", "phase": "window", "done": 2, "total": 8, "power_w": 40.0}
    pipe.events.phase("teardown")
    clock.now_s += 1
    pipe.events.alive()
    assert [event["phase"] for event in pipe.said()] == ["teardown", "teardown"]


@pytest.mark.parametrize(
    ("cpu_s", "disk_bytes", "expected"),
    [(0.0, 0, False), (0.01, 0, False), (0.05, 0, True), (0.0, 4096, True), (4.0, 10**9, True)],
)
def test_work_is_computing_or_using_the_disk(cpu_s: float, disk_bytes: int, expected: bool) -> None:
    assert worked(Usage(10.0, 1.0, 500), Usage(15.0, 1.0 + cpu_s, 500 + disk_bytes)) is expected


def busy(seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        sum(range(1000))


def test_what_computes_is_told_and_what_stands_still_is_not() -> None:
    signs: list[float] = []

    def tell() -> None:
        signs.append(time.monotonic())

    with told_while_working(tell, every_s=0.1):
        busy(0.55)
    assert len(signs) >= 2
    with told_while_working(tell, every_s=0.1):
        signs.clear()
        time.sleep(0.15)  # the first look may still see what went before
        signs.clear()
        time.sleep(0.5)
        assert signs == []


def test_it_ends_with_what_it_watches_even_if_that_fails() -> None:
    signs: list[int] = []
    with pytest.raises(MemoryError), told_while_working(lambda: signs.append(1), every_s=0.02):
        raise MemoryError
    busy(0.1)
    assert signs == []


def test_the_simulated_backend_tells_every_token_and_a_slow_load(make_request) -> None:
    calls: list[int] = []
    request = make_request({"output_tokens": 6}, {"tokens_per_s": 1000.0, "load_s": 0.7})
    backend = create(request, lambda: calls.append(1))
    begun_s = time.monotonic()
    backend.load()
    assert time.monotonic() - begun_s >= 0.7
    assert len(calls) == 2
    backend.generate([[1], [2]])
    assert len(calls) == 2 + 6
