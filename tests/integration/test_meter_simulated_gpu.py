"""The real meter on simulated GPUs whose true energy is known: a live recording, and every fault through the runner."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest

from orchestrator.system.simulated_gpu.build import build, environment, find_compiler
from orchestrator.system.simulated_gpu.curves import Curve, Step, inference, square
from orchestrator.system.simulated_gpu.settings import Change, Fault, SimulatedGpu, Simulation, uuid_of
from runners.contract import paths
from runners.contract.energy import Counter, CounterEdge
from runners.contract.result import RunFailure, RunResult
from runners.harness.recording import Recording
from runners.harness.sampling import Sampler
from runners.meters.choose import Spec

SLOW = square(80, 600, 1.0)
"""Slow enough for a counter that runs behind to show."""
STEADY = Curve((Step(1, 300),))
WRONG = 0.05
SLACK_J = 0.01
AT_ONCE = 4

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="a simulated GPU needs a C compiler")


class Live(NamedTuple):
    """A recording of two GPUs, and when their curves began."""

    recording: Recording
    gpus: tuple[SimulatedGpu, ...]
    origin_s: float

    def edges(self, gpu: SimulatedGpu) -> list[CounterEdge]:
        return self.recording.edges(f"gpu:{gpu.uuid}")


LIVE = (
    SimulatedGpu(uuid=uuid_of(0), curve=inference(), counter_period_s=0.1),
    SimulatedGpu(uuid=uuid_of(1), curve=square(), counter_period_s=0.02, counter_phase_s=0.0071),
)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Eight seconds of the real sampler on both GPUs."""
    folder = tmp_path_factory.mktemp("live")
    origin_s = time.monotonic() - 5
    build(folder / "gpu", Simulation(LIVE, call_s=0.00005), origin_s)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder / "gpu", os.environ).items():
            patch.setenv(name, value)
        spec = Spec(str(folder / paths.SAMPLES), 10, os.getpid(), [gpu.uuid for gpu in LIVE], None, 0.0)
        with Sampler(spec) as sampler:
            time.sleep(8)
            sampler.follow(time.monotonic())
            yield Live(sampler.recording(), LIVE, origin_s)


@pytest.mark.parametrize("gpu", LIVE, ids=["100 ms", "20 ms"])
def test_every_interval_contains_the_update_that_it_is_of(live: Live, gpu: SimulatedGpu) -> None:
    """The value says which one that is, up to the counter's arbitrary beginning; a missed one shows in the width."""
    edges = live.edges(gpu)
    assert len(edges) > 0.5 * 7 / gpu.counter_period_s
    seen = [candidates(edge, gpu, live.origin_s) for edge in edges]
    beginning_j = median(edge.energy_j - energy_at(gpu, numbers[-1]) for edge, numbers in zip(edges, seen, strict=True))
    shown = []
    for edge, numbers in zip(edges, seen, strict=True):
        fitting = [n for n in numbers if abs(edge.energy_j - energy_at(gpu, n) - beginning_j) <= 0.0025]
        assert fitting, f"{edge} is of none of the updates {numbers}"
        shown.append((fitting[-1], edge))
    for (before, _), (number, edge) in pairwise(shown):
        assert number == before + 1 or edge.latest_s - edge.earliest_s > gpu.counter_period_s


def candidates(edge: CounterEdge, gpu: SimulatedGpu, origin_s: float) -> list[int]:
    """Numbers of the updates within an edge's interval."""
    first, last = (
        (t_s - origin_s - gpu.counter_phase_s) / gpu.counter_period_s for t_s in (edge.earliest_s, edge.latest_s)
    )
    return list(range(math.ceil(first - 1e-6), math.floor(last + 1e-6) + 1))


def energy_at(gpu: SimulatedGpu, number: int) -> float:
    return gpu.curve.energy_j(0, gpu.counter_phase_s + number * gpu.counter_period_s)


@pytest.mark.parametrize("gpu", LIVE, ids=["100 ms", "20 ms"])
def test_the_true_energy_of_every_window_lies_within_the_bounds(live: Live, gpu: SimulatedGpu) -> None:
    source = next(source for source in live.recording.sources if source.uuid == gpu.uuid)
    counter = Counter(live.edges(gpu), source.resolution_j, source.power_limit_w)
    chance = random.Random(7)
    begin_s, end_s = counter.edges[0].latest_s, counter.edges[-1].earliest_s
    for _ in range(1000):
        length_s = chance.choice((0.05, 0.3, 1.0, 3.0))
        start_s = chance.uniform(begin_s, end_s - length_s)
        found = counter.energy(start_s, start_s + length_s)
        truth_j = gpu.curve.energy_j(start_s, start_s + length_s, live.origin_s)
        assert found.low is not None
        assert found.high is not None
        assert found.low - SLACK_J <= truth_j <= found.high + SLACK_J


def test_two_gpus_are_read_by_one_sampler_each_at_its_own_pace(live: Live) -> None:
    periods = {source.uuid: series.counter.period_s for source, series in told(live.recording) if series.counter}
    assert periods == {
        LIVE[0].uuid: pytest.approx(0.1, rel=0.02),
        LIVE[1].uuid: pytest.approx(0.02, rel=0.1),
    }
    assert {source.method for source in live.recording.sources} == {"simulated"}


def told(recording: Recording) -> list[tuple[Any, Any]]:
    return [(series.source, series) for series in recording.series().values()]


class Case(NamedTuple):
    """What is simulated; what comes of it where the fault falls into the window, which is up to the runner's start."""

    gpus: tuple[SimulatedGpu, ...]
    comes: tuple[str, ...]
    """``good``, ``failed``, or the name of a check of which one at least has failed."""


def one(*comes: str, **settings: Any) -> Case:
    return Case((SimulatedGpu(**settings),), comes)


def fault(kind: str, from_s: float = -math.inf, to_s: float = math.inf) -> tuple[Fault, ...]:
    return (Fault(kind, from_s, to_s),)  # type: ignore[arg-type]


BEGIN_S, MIDDLE_S, LATER_S = 1.2, 4.0, 4.7
"""In seconds after the runner's start. The window is open from about 1.5 to 6.5 s."""
ONE_RISE = Curve((Step(MIDDLE_S, 80), Step(1000, 500)))

CASES = {
    "healthy, 100 ms": one("good", curve=inference()),
    "healthy, 20 ms": one("good", counter_period_s=0.02),
    "healthy, steady": one("good", curve=STEADY),
    "healthy, slow wave": one("good", curve=SLOW),
    "two GPUs": Case(
        (SimulatedGpu(), SimulatedGpu(uuid=uuid_of(1), curve=inference(), counter_period_s=0.02)), ("good",)
    ),
    "two GPUs, one lost": Case(
        (SimulatedGpu(), SimulatedGpu(uuid=uuid_of(1), faults=fault("lost", MIDDLE_S))), ("failed",)
    ),
    "lost": one("failed", faults=fault("lost")),
    "lost in the window": one("failed", faults=fault("lost", MIDDLE_S)),
    "lost for a moment": one("failed", faults=fault("lost", MIDDLE_S, LATER_S)),
    "errors": one("failed", faults=fault("error")),
    "errors at the start": one("good", "failed", "counter_moved", faults=fault("error", to_s=BEGIN_S)),
    "errors in the window": one("no_read_errors", faults=fault("error", MIDDLE_S, LATER_S)),
    "errors to the end": one("failed", faults=fault("error", MIDDLE_S)),
    "stuck": one("counter_moved", faults=fault("stuck")),
    "stuck at the start": one("counter_moved", faults=fault("stuck", to_s=MIDDLE_S)),
    "stuck in the window": one("counter_moved", faults=fault("stuck", MIDDLE_S, LATER_S)),
    "stuck to the end": one("counter_moved", faults=fault("stuck", MIDDLE_S)),
    "stuck for a period": one("good", "counter_moved", faults=fault("stuck", MIDDLE_S, MIDDLE_S + 0.11)),
    "reset before": one("good", faults=fault("reset", 0.0)),
    "reset in the window": one("counter_monotonic", faults=fault("reset", MIDDLE_S)),
    "no counter": one("good", "energy_counter", curve=STEADY, faults=fault("missing")),
    "no counter, fast wave": one("good", "energy_counter", faults=fault("missing")),
    "no counter, inference": one("good", "energy_counter", curve=inference(), faults=fault("missing")),
    "no counter from the middle": one("counter_moved", faults=fault("missing", MIDDLE_S)),
    "no permission": one("failed", faults=fault("permission")),
    "no permission from the middle": one("failed", faults=fault("permission", MIDDLE_S)),
    "no power": one("good", faults=fault("power_missing")),
    "no power from the middle": one("good", faults=fault("power_missing", MIDDLE_S)),
    "neither": one("failed", faults=(*fault("missing"), *fault("power_missing"))),
    "late by 50 ms": one("counter_timely", curve=SLOW, counter_delay_s=0.05),
    "late by 300 ms": one("counter_timely", curve=SLOW, counter_delay_s=0.3),
    "late by 100 ms, inference": one("counter_timely", curve=inference(), counter_delay_s=0.1),
    "late by 100 ms, fast wave": one("good", "counter_timely", counter_delay_s=0.1),
    "healthy, one rise": one("good", curve=ONE_RISE),
    "late by 200 ms, one rise": one("counter_timely", curve=ONE_RISE, counter_delay_s=0.2),
    "late by 100 ms, one rise, 20 ms": one(
        "counter_timely", curve=ONE_RISE, counter_delay_s=0.1, counter_period_s=0.02
    ),
    "beyond the limit": one("power_within_limits", curve=SLOW, changes=(Change("power_limit_w", 300, -math.inf),)),
    "jitter": one("good", curve=inference(), counter_jitter_s=0.01),
}


class Outcome(NamedTuple):
    """What came of a case."""

    failure: RunFailure | None
    result: RunResult | None
    truth_j: float | None
    opened_s: float | None
    """When the window opened, and when it closed, in seconds after the runner's start."""
    closed_s: float | None

    @property
    def failed_checks(self) -> list[str]:
        return [check.name for check in self.result.checks if not check.passed] if self.result else []

    @property
    def comes(self) -> set[str]:
        if self.result is None:
            return {"failed"}
        return {"good", *self.failed_checks} if self.result.verdict == "good" else set(self.failed_checks)

    @property
    def covers_the_middle(self) -> bool:
        """Whether what happens in the middle happened within the window: not where the runner was slow to start."""
        if self.opened_s is None or self.closed_s is None:
            return True
        return self.opened_s < MIDDLE_S - 1 and self.closed_s > LATER_S + 1

    @property
    def off(self) -> float | None:
        """Relative error of the energy; None where it is not told."""
        if self.result is None or self.result.energy_j is None or self.truth_j is None:
            return None
        return self.result.energy_j / self.truth_j - 1

    @property
    def is_wrong(self) -> bool:
        """Whether a figure is told that has bounds that do not hold, or is off though a counter tells it."""
        if self.result is None or self.result.energy_j is None:
            return False
        low_j, high_j = self.result.energy_low_j, self.result.energy_high_j
        assert self.off is not None
        assert self.truth_j is not None
        assert low_j is not None
        assert high_j is not None
        is_off = self.result.energy_basis == "counter" and abs(self.off) > WRONG
        return is_off or not low_j - SLACK_J <= self.truth_j <= high_j + SLACK_J

    def __str__(self) -> str:
        if self.failure:
            return f"failed ({self.failure.kind.value}): {self.failure.message}"
        assert self.result
        off = "no energy" if self.off is None else f"off by {self.off:+.2%}, by {self.result.energy_basis}"
        bounds = "bounds WRONG" if self.is_wrong else "bounds hold"
        return f"{self.result.verdict}: {off}, {bounds}; failed: {', '.join(self.failed_checks)}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every case carried out by the real runner, a few at a time: they mostly wait."""
    folder = tmp_path_factory.mktemp("cases")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda item: carried_out(folder / str(item[0]), item[1]), enumerate(CASES.values()))
        return dict(zip(CASES, found, strict=True))


def carried_out(folder: Path, case: Case) -> Outcome:
    attempt = folder / "attempt"
    attempt.mkdir(parents=True)
    request = {
        "campaign": "c",
        "experiment_id": "e-1",
        "cycle": 1,
        "cycles": 1,
        "attempt": 1,
        "order_index": 0,
        "experiment": {
            "model": "none",
            "workload": {"prompts": 2, "output_tokens": 50},
            "options": {"backend": "simulated", "tokens_per_s": 100},
        },
        "measurement": {
            "warmup": {"iterations": 0},
            "baseline_s": 0,
            "loaded_idle_s": 0,
            "min_window_s": 5,
            "max_rounds": 20,
        },
        "gpus": [{"index": n, "uuid": gpu.uuid, "name": gpu.name} for n, gpu in enumerate(case.gpus)],
    }
    (attempt / paths.REQUEST).write_text(json.dumps(request))
    origin_s = time.monotonic()
    build(folder / "gpu", Simulation(case.gpus), origin_s)
    with (folder / "streams").open("wb") as streams:
        subprocess.run(
            [sys.executable, "-m", "runners", "simulated", "--request", str(attempt / paths.REQUEST)],
            env={**os.environ, **environment(folder / "gpu", os.environ)},
            stdout=streams,
            stderr=streams,
            timeout=60,
            check=False,
        )
    if (attempt / paths.FAILURE).exists():
        return Outcome(RunFailure.model_validate_json((attempt / paths.FAILURE).read_bytes()), None, None, None, None)
    result = RunResult.model_validate_json((attempt / paths.RESULT).read_bytes())
    window = next(mark for mark in result.marks if mark.phase == "window")
    truth_j = sum(gpu.curve.energy_j(window.start_s, window.end_s, origin_s) for gpu in case.gpus)
    return Outcome(None, result, truth_j, window.start_s - origin_s, window.end_s - origin_s)


@pytest.mark.parametrize("name", CASES)
def test_no_fault_gives_a_wrong_figure_that_passes_for_good(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    print(f"{name}: {outcome}")
    assert outcome.result is None or outcome.result.verdict == "suspect" or not outcome.is_wrong, str(outcome)
    if outcome.covers_the_middle:
        assert outcome.comes & set(CASES[name].comes), str(outcome)
    if outcome.failure:
        assert outcome.failure.kind is paths.FailureKind.METER_FAILED
        assert outcome.failure.hint


def test_the_raw_parts_of_two_gpus_are_kept(outcomes: dict[str, Outcome]) -> None:
    result = outcomes["two GPUs"].result
    assert result is not None
    assert [gpu.uuid for gpu in result.gpus] == [uuid_of(0), uuid_of(1)]
    assert sum(gpu.energy_j or 0 for gpu in result.gpus) == pytest.approx(result.energy_j)
    assert result.energy_method == "simulated"
