"""The live part of a run, with an engine and a sampler that only note what is asked of them."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runners.backends.base import Batch
from runners.contract.energy import CounterEdge, PowerReading
from runners.contract.request import Baseline, Measurement, Warmup
from runners.contract.result import Mark, MeterSource
from runners.contract.series import Series
from runners.events import EventWriter
from runners.harness.baseline import agrees, baseline_s, idle_power_w, loaded_idle_s, machine_of, usable, validation_s
from runners.harness.convergence import cv_of, is_warm, rounds_to_prepare, warmup_report
from runners.harness.measure import Measured, measure
from runners.harness.recording import Recording, Tick
from runners.meters.reading import Edge
from runners.workloads.lengths import Prompts


class Recorder:
    """A backend that only notes the sizes of the batches it is given; each takes from 0 s to as long as is said."""

    version = device = "recorder"

    def __init__(self, token_times_s: list[float] | None = None, takes_s: Sequence[float] = (1.0,)) -> None:
        self.asked: list[int | str] = []
        self.prompts: list[list[int]] = []
        self.token_times_s = token_times_s
        self.takes_s = [*takes_s]

    def load(self) -> None:
        self.asked.append("load")

    def synchronize(self) -> None: ...
    def overridden(self) -> list[str]:
        return []

    def close(self) -> None:
        self.asked.append("close")

    def device_memory(self) -> None: ...
    def architecture(self) -> None: ...
    def effective_config(self) -> dict[str, object]:
        return {}

    def open_window(self) -> None:
        self.asked.append("window")

    def generate(self, prompts: Sequence[Sequence[int]]) -> Batch:
        self.asked.append(len(prompts))
        self.prompts += [list(prompt) for prompt in prompts]
        takes_s = self.takes_s.pop(0) if len(self.takes_s) > 1 else self.takes_s[0]
        return Batch(0.0, takes_s, self.token_times_s, [[1]] * len(prompts))


class Sampler:
    """A sampler that sees a steady power, up to a while after now."""

    def __init__(self, power_w: float | None = None) -> None:
        self.power = power_w
        self.sources = () if power_w is None else (GPU,)

    def check(self) -> None: ...
    def power_w(self) -> None: ...
    def follow(self, end_s: float) -> None: ...
    def recording(self) -> Recording:
        if self.power is None:
            return Recording((), (), [])
        begin_s = time.monotonic() - 5
        edges = tuple(Edge(GPU.name, t_s, t_s, self.power * t_s) for t_s in (begin_s + n / 100 for n in range(700)))
        return Recording(self.sources, (), [Tick(begin_s + 7, None, None, (), edges, (), ())])


class Supply:
    """Rounds of as many prompts as were asked for; each prompt is a number of its own."""

    def __init__(self, prompts: int, batch_size: int = 1) -> None:
        self.size = prompts
        self.made = 1
        self.prompts = Prompts([[n] for n in range(prompts)], [[-n] for n in range(1, batch_size + 1)])

    def first(self, loaded: Recorder) -> Prompts:
        return self.prompts

    def further(self, loaded: Recorder, first: Prompts, rounds: int) -> list[list[list[int]]]:
        self.made += rounds
        return [[[1000 * number + n] for n in range(self.size)] for number in range(1, rounds + 1)]


GPU = MeterSource(name="gpu:A", kind="gpu", method="nvml", scope="gpu", uuid="A", power_limit_w=500.0)
ESTIMATE = MeterSource(name="machine", kind="machine", method="estimated", scope="machine")
PLAYED = MeterSource(name="simulated", kind="simulated", method="simulated", scope="simulated")
PLAYED_GPU = GPU.model_copy(update={"method": "simulated"})


def carried_out(
    make_request: Any,
    backend: Recorder,
    prompts: int = 1,
    batch_size: int = 1,
    sampler: Sampler | None = None,
    supply: Supply | None = None,
    baseline: Baseline | None = None,
    **measurement: Any,
) -> Measured:
    declared = {"warmup": {"iterations": 0}, "baseline_s": 0, "loaded_idle_s": 0, **measurement}
    request = make_request({"prompts": prompts}, {"batch_size": batch_size}, measurement=declared, baseline=baseline)
    events = EventWriter(os.open(os.devnull, os.O_WRONLY))
    made = supply or Supply(prompts, batch_size)
    return measure(backend, request, made, sampler or Sampler(), events)  # type: ignore[arg-type]


@pytest.mark.parametrize(("iterations", "sizes"), [(2, [3, 3, 1, "window", 3, 3, 1]), (0, ["window", 3, 3, 1])])
def test_the_warmup_meets_every_size_of_batch_that_the_window_has(make_request, iterations: int, sizes) -> None:
    backend = Recorder()
    carried_out(make_request, backend, prompts=7, batch_size=3, warmup={"iterations": iterations})
    assert backend.asked == ["load", *sizes, "close"]


@pytest.mark.parametrize(
    ("takes_s", "warmup", "batches", "converged"),
    [
        ([1.0], {}, 3, True),
        ([9.0, 3.0, 2.0, 1.0, 1.0, 1.0], {}, 6, True),
        ([1.0, 2.0] * 20, {}, 10, False),
        ([1.0, 2.0] * 20, {"max_iterations": 4}, 4, False),
        ([1.0, 1.2, 1.0, 1.0], {"until_cv": 0.5}, 3, True),
        ([1.0, 2.0, 1.0], {"iterations": 2}, 2, None),
        ([1.0], {"iterations": 0}, 0, None),
    ],
)
def test_the_warmup_goes_on_until_it_converges_or_its_cap(make_request, takes_s, warmup, batches, converged) -> None:
    backend = Recorder(takes_s=takes_s)
    report = carried_out(make_request, backend, warmup=warmup).warmup
    assert (report.iterations, report.converged) == (batches, converged)
    assert report.durations_s == pytest.approx((takes_s * 10)[:batches])
    assert backend.asked == ["load", *[1] * batches, "window", 1, "close"]


@pytest.mark.parametrize(
    ("token_times_s", "decode"), [([0.25, 0.5, 0.875], (0.25, 0.875)), ([0.25], (0.25, 0.25)), (None, None)]
)
def test_decode_lasts_from_the_first_token_to_the_last(make_request, token_times_s, decode) -> None:
    found = carried_out(make_request, Recorder(token_times_s)).marks
    assert [(mark.start_s, mark.end_s) for mark in found if mark.phase == "prefill"] == (
        [(0.0, 0.25)] if decode else []
    )
    assert [(mark.start_s, mark.end_s) for mark in found if mark.phase == "decode"] == ([decode] if decode else [])


def test_the_phases_follow_one_another_and_the_end_is_stamped_before_any_clean_up(make_request) -> None:
    marks = carried_out(
        make_request, Recorder(), sampler=Sampler(50.0), baseline_s=0.01, loaded_idle_s=0.01, warmup={}
    ).marks
    assert [mark.phase for mark in marks] == ["baseline", "load", "loaded_idle", "warmup", "window", "teardown"]
    moments = [t_s for mark in marks for t_s in (mark.start_s, mark.end_s)]
    assert moments == sorted(moments)


def test_without_a_wish_for_its_length_the_window_is_one_round(make_request) -> None:
    supply = Supply(5)
    backend = Recorder()
    found = carried_out(make_request, backend, prompts=5, supply=supply)
    assert (found.rounds, supply.made, backend.prompts) == (1, 1, [[n] for n in range(5)])


def test_rounds_of_fresh_prompts_are_asked_until_the_window_is_long_enough(make_request) -> None:
    """Each prompt takes no time at all, so all rounds that there are get asked; none has a prompt of another."""
    backend, supply = Recorder(), Supply(2)
    found = carried_out(make_request, backend, prompts=2, supply=supply, min_window_s=60, max_rounds=4)
    assert (found.rounds, len(found.batches)) == (4, 8)
    assert len({prompt for (prompt,) in backend.prompts}) == 8


def test_a_window_that_is_long_enough_asks_no_further_round(make_request) -> None:
    backend = Recorder()
    found = carried_out(make_request, backend, min_window_s=1e-9, max_rounds=4)
    assert (found.rounds, backend.asked.count(1)) == (1, 1)


def test_rounds_are_asked_until_the_energy_is_certain_enough(make_request) -> None:
    """A sampler that tells no energy leaves it to the cap; one that does, to what it tells."""
    assert carried_out(make_request, Recorder(), target_relative_uncertainty=0.5, max_rounds=3).rounds == 3
    certain = carried_out(
        make_request, Recorder(), sampler=Sampler(50.0), target_relative_uncertainty=0.9, max_rounds=3
    )
    assert certain.rounds == 1


def cached(power_w: float, age_s: float = 60, machine: str | None = None) -> Baseline:
    return Baseline(
        machine=machine or machine_of([GPU]),
        power_w={GPU.name: power_w},
        measured_at=datetime.now(UTC) - timedelta(seconds=age_s),
        duration_s=10,
    )


@pytest.mark.parametrize(
    ("earlier", "taken"),
    [
        (None, False),
        ({"power_w": 50.0}, True),
        ({"power_w": 54.0}, True),
        ({"power_w": 90.0}, False),
        ({"power_w": 50.0, "age_s": 4000}, False),
        ({"power_w": 50.0, "age_s": -600}, False),
        ({"power_w": 50.0, "machine": "another"}, False),
    ],
)
def test_an_earlier_baseline_is_taken_where_it_still_holds_else_one_is_measured(make_request, earlier, taken) -> None:
    at_hand = cached(**earlier) if earlier else None
    found = carried_out(make_request, Recorder(), sampler=Sampler(50.0), baseline=at_hand, baseline_s=0.05)
    assert found.baseline is not None
    assert (found.baseline.age_s > 0) == taken
    assert (found.baseline.seen_power_w is not None) == taken
    assert found.baseline.power_w[GPU.name] == pytest.approx(earlier["power_w"] if taken else 50.0)
    assert [mark.phase for mark in found.marks].count("baseline") == 1
    assert found.baseline.machine == machine_of([GPU])


def test_without_an_idle_time_there_is_no_baseline_whatever_is_at_hand(make_request) -> None:
    found = carried_out(make_request, Recorder(), sampler=Sampler(50.0), baseline=cached(50.0), baseline_s=0)
    assert found.baseline is None
    assert "baseline" not in [mark.phase for mark in found.marks]


@pytest.mark.parametrize(
    ("sources", "default_s"), [([GPU], 10), ([PLAYED_GPU], 10), ([ESTIMATE], 0), ([PLAYED], 0), ([], 0)]
)
def test_the_machine_idles_by_default_where_energy_is_measured(sources, default_s: float) -> None:
    assert baseline_s(Measurement(), sources) == default_s
    assert loaded_idle_s(Measurement(), sources) == default_s / 5
    asked = Measurement(baseline_s=3, loaded_idle_s=4)
    assert (baseline_s(asked, sources), loaded_idle_s(asked, sources)) == (3, 4)


def test_an_earlier_baseline_is_held_against_a_short_while() -> None:
    assert (validation_s(10), validation_s(0.5)) == (2, 0.5)


def test_a_baseline_is_of_a_machine_with_its_meters_and_power_limits() -> None:
    other = GPU.model_copy(update={"power_limit_w": 400.0})
    assert machine_of([GPU, PLAYED]) == machine_of([PLAYED, GPU])
    assert len({machine_of([GPU]), machine_of([other]), machine_of([GPU, PLAYED]), machine_of([])}) == 4


@pytest.mark.parametrize(
    ("age_s", "machine", "found"),
    [(0, "m", True), (3600, "m", True), (3601, "m", False), (-1, "m", False), (10, "other", False)],
)
def test_an_earlier_baseline_serves_while_it_is_fresh_and_of_this_machine(age_s, machine, found) -> None:
    now = datetime(2026, 1, 2, 3, tzinfo=UTC)
    earlier = Baseline(machine="m", power_w={}, measured_at=now - timedelta(seconds=age_s), duration_s=1)
    assert usable(earlier, Measurement(), machine, now) == (earlier if found else None)
    assert usable(None, Measurement(), machine, now) is None


@pytest.mark.parametrize(
    ("then_w", "now_w", "agreed"),
    [
        ({"gpu:A": 100}, {"gpu:A": 110}, True),
        ({"gpu:A": 100}, {"gpu:A": 111}, False),
        ({"gpu:A": 100}, {"gpu:A": 89}, False),
        ({"gpu:A": 20}, {"gpu:A": 25}, True),
        ({"gpu:A": 20}, {"gpu:A": 26}, False),
        ({}, {"gpu:A": 20}, False),
        ({"gpu:A": 20}, {}, False),
        ({"gpu:A": 20, "cpu:0": 10}, {"gpu:A": 20, "cpu:0": 99}, True),
    ],
)
def test_powers_agree_within_a_tenth_or_5_w_of_what_counts(then_w, now_w, agreed: bool) -> None:
    cpu = MeterSource(name="cpu:0", kind="cpu", method="rapl", scope="package")
    assert agrees(then_w, now_w, [GPU, cpu]) == agreed


def test_a_source_that_does_not_tell_its_idle_power_is_left_out() -> None:
    steady = Series(GPU, [CounterEdge(n / 10, n / 10, 5.0 * n) for n in range(100)], [])
    silent = Series(PLAYED, [], [PowerReading(0, 1)])
    idle = Mark(phase="baseline", start_s=1, end_s=4)
    assert idle_power_w({"gpu:A": steady, "simulated": silent}, idle) == {"gpu:A": pytest.approx(50)}


@pytest.mark.parametrize(
    ("durations_s", "cv"),
    [
        ([], None),
        ([1, 1], None),
        ([1, 1, 1], 0),
        ([50, 1, 1, 1], 0),
        ([1, 2, 3], (2 / 3) ** 0.5 / 2),
        ([0, 0, 0], None),
    ],
)
def test_the_variation_of_the_last_three(durations_s: list[float], cv: float | None) -> None:
    assert cv_of(durations_s) == (None if cv is None else pytest.approx(cv))


@pytest.mark.parametrize(
    ("warmup", "durations_s", "warm"),
    [
        ({}, [], False),
        ({}, [1, 1], False),
        ({}, [1, 1, 1.1], True),
        ({}, [1, 1, 1.2], False),
        ({"until_cv": 0.1}, [1, 1, 1.2], True),
        ({}, [1, 2] * 5, True),
        ({}, [*[1, 2] * 4, 1], False),
        ({"max_iterations": 3}, [1, 2, 3], True),
        ({"iterations": 0}, [], True),
        ({"iterations": 5}, [1] * 4, False),
        ({"iterations": 5}, [1, 2, 3, 4, 5], True),
    ],
)
def test_when_the_engine_is_warm(warmup: dict[str, Any], durations_s: list[float], warm: bool) -> None:
    assert is_warm(Warmup(**warmup), durations_s) == warm


def test_a_fixed_number_of_batches_is_neither_converged_nor_not() -> None:
    assert warmup_report(Warmup(iterations=3), [1, 1, 1]).converged is None
    assert warmup_report(Warmup(), [1, 1, 1]).converged is True
    assert warmup_report(Warmup(), [1, 2, 1]).converged is False
    assert warmup_report(Warmup(max_iterations=3), [1.0, 1.0, 1.0]).durations_s == [1, 1, 1]


@pytest.mark.parametrize(
    ("measurement", "round_s", "period_s", "rounds"),
    [
        ({}, 1.0, 0.1, 1),
        ({"min_window_s": 10}, 1.0, 0.1, 16),
        ({"min_window_s": 10}, 100.0, 0.1, 2),
        ({"min_window_s": 10}, None, 0.1, 100),
        ({"min_window_s": 10}, 0.0, 0.1, 100),
        ({"min_window_s": 10, "max_rounds": 4}, 1.0, 0.1, 4),
        ({"min_window_s": 1000}, 1.0, 0.1, 100),
        ({"target_relative_uncertainty": 0.02}, 1.0, 0.1, 16),
        ({"target_relative_uncertainty": 0.02}, 1.0, None, 100),
        ({"target_relative_uncertainty": 0.02, "min_window_s": 20}, 1.0, 0.1, 31),
    ],
)
def test_rounds_to_prepare(measurement: dict[str, Any], round_s: float | None, period_s, rounds: int) -> None:
    assert rounds_to_prepare(Measurement(**measurement), round_s, period_s) == rounds
