"""Which pause comes before which run, and what ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from orchestrator.campaign.settings import Gaps
from orchestrator.execution import pacing
from orchestrator.execution.pacing import TOLERANCE_K, Coolness, Pacing, Pause, rest
from runners.contract.request import Gpu

GPUS = [Gpu(index=index, uuid=f"GPU-{index}", name="H200") for index in range(2)]
BOTH = Gaps(experiment_s=5.0, cycle_s=30.0)


def test_the_first_run_of_all_has_none() -> None:
    assert Pacing(BOTH, by_cycles=True).before({"a"}, 1, waited=False) is None
    assert Pacing(BOTH, by_cycles=True).before({"a"}, 7, waited=True) is None


def test_a_pause_begins_when_what_the_run_needs_came_free() -> None:
    pace = Pacing(BOTH, by_cycles=True)
    pace.before({"a"}, 1, waited=False)
    pace.ended({"a"}, 10.0)
    pace.ended({"b"}, 20.0)
    assert pace.before({"a"}, 1, waited=False) == Pause("experiments", 5.0, 10.0)
    assert pace.before({"a", "b"}, 1, waited=False) == Pause("experiments", 5.0, 20.0)
    assert pace.before({"c"}, 1, waited=False) is None, "nothing ran there yet"


def test_where_a_cycle_begins_its_gap_takes_the_place_of_the_other() -> None:
    pace = Pacing(BOTH, by_cycles=True)
    pace.before({"a"}, 1, waited=False)
    pace.ended({"a"}, 10.0)
    pace.ended({"b"}, 20.0)
    assert pace.before({"a"}, 2, waited=False) == Pause("cycles", 30.0, 20.0), "once all of the cycle are over"
    for first in ("b", "c"):
        assert pace.before({first}, 2, waited=False) == Pause("cycles", 30.0, 20.0), "the first on any GPU makes it"
    pace.ended({"a"}, 60.0)
    assert pace.before({"a"}, 2, waited=False) == Pause("experiments", 5.0, 60.0)
    assert pace.before({"a"}, 1, waited=False) == Pause("experiments", 5.0, 60.0), "a run tried again begins no cycle"


def test_a_run_that_was_held_back_paused_though_no_gap_is_set() -> None:
    pace = Pacing(Gaps(), by_cycles=True)
    pace.ended({"a"}, 10.0)
    assert pace.before({"a"}, 1, waited=False) is None
    assert pace.before({"a"}, 1, waited=True) == Pause("experiments", 0.0, 10.0)


def played(monkeypatch: pytest.MonkeyPatch, *readings: int | None) -> list[int]:
    """GPUs as warm as a script says, a reading each; the last one for ever."""
    looks: list[int] = []

    def temperatures_c(gpus: Sequence[Gpu]) -> dict[str, int]:
        looks.append(len(looks))
        now = readings[min(len(looks), len(readings)) - 1]
        return {} if now is None else {gpu.uuid: now for gpu in gpus}

    monkeypatch.setattr(pacing, "temperatures_c", temperatures_c)
    monkeypatch.setattr(pacing, "_LOOK_EVERY_S", 0.01)
    return looks


def test_it_ends_once_the_gpus_are_as_cool_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = played(monkeypatch, 40, 80, 60, 40 + TOLERANCE_K + 1, 40 + TOLERANCE_K)
    coolness = Coolness(GPUS)
    assert coolness.known(GPUS)
    begun_s = time.monotonic() - 3.0
    gap = rest(Pause("experiments", 3600.0, begun_s), (coolness, GPUS), threading.Event())
    assert (gap.between, gap.ended_by) == ("experiments", "cool")
    assert gap.duration_s >= 3.0, "from when the GPUs came free"
    assert len(looks) == 5


def test_one_that_stays_warm_ends_it_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, 40, 80)
    gap = rest(Pause("cycles", 0.05, time.monotonic()), (Coolness(GPUS), GPUS), threading.Event())
    assert gap.ended_by == "time"
    assert gap.duration_s >= 0.05


def test_a_temperature_that_is_told_no_more_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, 40, None)
    assert rest(Pause("cycles", 0.03, time.monotonic()), (Coolness(GPUS), GPUS), threading.Event()).ended_by == "time"


def test_without_a_gpu_or_a_temperature_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, None)
    assert not Coolness(GPUS).known(GPUS)
    assert not Coolness([]).known([])


def test_a_stop_ends_it_at_once() -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    gap = rest(Pause("experiments", 3600.0, time.monotonic()), None, stop)
    assert gap.duration_s < 3600.0


def test_without_a_driver_there_are_no_temperatures() -> None:
    assert pacing.temperatures_c([]) == {}
