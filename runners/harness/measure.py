"""The live part of a run: baseline, load, idle, warm-up, window, teardown. It records; the figures come later."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from runners.backends.base import Backend, Batch, DeviceMemory
from runners.contract.flops import Architecture
from runners.contract.request import RunRequest
from runners.contract.result import BaselineReport, Mark, Phase, WarmupReport
from runners.events import EventWriter
from runners.harness.baseline import (
    agrees,
    baseline_s,
    idle_power_w,
    loaded_idle_s,
    machine_of,
    usable,
    validation_s,
)
from runners.harness.convergence import is_warm, rounds_to_prepare, warmup_report
from runners.harness.sampling import Sampler
from runners.harness.working import told_while_working
from runners.logs import LOGGER, warnings_only
from runners.meters.process import resident_bytes
from runners.workloads.lengths import Prompts
from runners.workloads.supply import Supply

Prompt = list[int]

_IDLE_STEP_S = 0.5


class Measured(NamedTuple):
    """What a run recorded of itself; the samples are apart."""

    started_at: datetime
    ended_at: datetime
    marks: list[Mark]
    baseline: BaselineReport | None
    warmup: WarmupReport
    rounds: int
    batches: list[tuple[Sequence[Prompt], Batch]]
    rss_model_bytes: int | None
    """Resident memory of the runner once the model was loaded."""
    device_memory: DeviceMemory | None
    device: str
    version: str
    effective_config: dict[str, Any]
    overridden: list[str]
    """What was asked for and the engine did otherwise."""
    architecture: Architecture | None


def measure(
    backend: Backend,
    request: RunRequest,
    supply: Supply,
    sampler: Sampler,
    events: EventWriter,
    before_load: Callable[[], None] = lambda: None,
) -> Measured:
    """Carries the measurement out, up to where the samples reach past the window.

    Args:
        backend: prepared, not yet loaded.
        request: what to measure.
        supply: makes the prompts, once the model with its tokenizer is loaded.
        sampler: running.
        events: where progress is told.
        before_load: called last before the model is loaded.

    Raises:
        RunnerError: the engine, the meters or the request failed.
    """
    started_at = datetime.now(timezone.utc)
    clock = _Clock(backend)
    sampler.follow(time.monotonic())  # until the counters' updates are seen, the first phase would have none before it
    sources = sampler.recording().sources
    baseline = _baseline(request, sampler, clock, events)

    events.phase("load")
    LOGGER.info("loading %s", request.experiment.model)
    with told_while_working(events.alive):
        before_load()
        with clock.phase("load"):
            backend.load()
        rss_model_bytes = resident_bytes(os.getpid())
        prompts = supply.first(backend)
    sampler.check()

    idle_s = loaded_idle_s(request.measurement, sources)
    if idle_s:
        _idle("loaded_idle", idle_s, sampler, clock, events)

    warmup = _warm_up(backend, request, prompts, sampler, clock, events)
    with told_while_working(events.alive):
        rounds = [prompts.measured, *_further_rounds(backend, request, supply, prompts, warmup, sampler)]
    batches, asked_rounds = _window(backend, request, rounds, sampler, clock, events)
    window = clock.marks[-1]
    LOGGER.info("the window closed after %.3f s", window.end_s - window.start_s)

    events.phase("teardown")
    device_memory = backend.device_memory()
    effective_config, architecture = backend.effective_config(), backend.architecture()
    overridden = backend.overridden()
    device, version = backend.device, backend.version
    with clock.phase("teardown"):
        backend.close()
    sampler.follow(window.end_s)
    return Measured(
        started_at=started_at,
        ended_at=datetime.now(timezone.utc),
        marks=[*clock.marks, *_token_marks([batch for _, batch in batches])],
        baseline=baseline,
        warmup=warmup,
        rounds=asked_rounds,
        batches=batches,
        rss_model_bytes=rss_model_bytes,
        device_memory=device_memory,
        device=device,
        version=version,
        effective_config=effective_config,
        overridden=overridden,
        architecture=architecture,
    )


def _baseline(request: RunRequest, sampler: Sampler, clock: _Clock, events: EventWriter) -> BaselineReport | None:
    """The idle power of the machine: of an earlier run where it still holds, else measured now."""
    measurement, sources = request.measurement, sampler.recording().sources
    full_s = baseline_s(measurement, sources)
    if not full_s:
        return None
    machine = machine_of(sources)
    cached = usable(request.baseline, measurement, machine, datetime.now(timezone.utc))
    if cached:
        idle = _idle("baseline", validation_s(full_s), sampler, clock, events)
        seen = idle_power_w(sampler.recording().series(), idle)
        if agrees(cached.power_w, seen, sources):
            age_s = (datetime.now(timezone.utc) - cached.measured_at).total_seconds()
            LOGGER.info("the baseline of %.0f s ago still holds", age_s)
            return BaselineReport(**cached.model_dump(), age_s=age_s, seen_power_w=seen)
        LOGGER.warning(
            "the baseline of an earlier run does not hold any more: %s W then, %s W now", cached.power_w, seen
        )
        clock.marks.pop()
    idle = _idle("baseline", full_s, sampler, clock, events)
    return BaselineReport(
        power_w=idle_power_w(sampler.recording().series(), idle),
        machine=machine,
        measured_at=datetime.now(timezone.utc),
        duration_s=idle.end_s - idle.start_s,
        age_s=0.0,
    )


def _idle(
    phase: Literal["baseline", "loaded_idle"], seconds: float, sampler: Sampler, clock: _Clock, events: EventWriter
) -> Mark:
    """Does nothing for a while, and waits until the samples reach past it."""
    events.phase(phase)
    LOGGER.info("%s: idle for %.1f s", phase, seconds)
    with clock.phase(phase):
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _IDLE_STEP_S))
            events.alive()
            sampler.check()
    sampler.follow(clock.marks[-1].end_s)
    return clock.marks[-1]


def _warm_up(
    backend: Backend, request: RunRequest, prompts: Prompts, sampler: Sampler, clock: _Clock, events: EventWriter
) -> WarmupReport:
    events.phase("warmup")
    warmup = request.measurement.warmup
    LOGGER.info("warming up")
    durations_s: list[float] = []
    with warnings_only(), clock.phase("warmup"):
        while not is_warm(warmup, durations_s):
            batch = backend.generate(prompts.warmup)
            durations_s.append(batch.end_s - batch.start_s)
            events.progress("warmup", sampler.power_w())
            sampler.check()
        remainder = len(prompts.measured) % request.experiment.options.handed_at_once(len(prompts.measured))
        if durations_s and remainder:
            # The window's last batch is smaller. Its shapes are new to the engine, which may compile for them.
            backend.generate(prompts.warmup[:remainder])
    report = warmup_report(warmup, durations_s)
    LOGGER.info("warmed up with %d batches%s", report.iterations, "" if report.cv is None else f", CV {report.cv:.3f}")
    return report


def _further_rounds(
    backend: Backend, request: RunRequest, supply: Supply, first: Prompts, warmup: WarmupReport, sampler: Sampler
) -> list[list[Prompt]]:
    """Prompts for as many rounds as a window that is long enough may take; made before it opens."""
    at_once = request.experiment.options.worked_on_at_once(len(first.measured))
    batches = -(-len(first.measured) // at_once)
    round_s = warmup.durations_s[-1] * batches if warmup.durations_s else None
    periods = [one.counter.period_s for one in sampler.recording().series().values() if one.counter]
    rounds = rounds_to_prepare(request.measurement, round_s, max(periods, default=None))
    return supply.further(backend, first, rounds - 1)


def _window(
    backend: Backend,
    request: RunRequest,
    rounds: Sequence[Sequence[Prompt]],
    sampler: Sampler,
    clock: _Clock,
    events: EventWriter,
) -> tuple[list[tuple[Sequence[Prompt], Batch]], int]:
    """The batches of the window, and how many rounds of prompts it took."""
    batch_size = request.experiment.options.handed_at_once(len(rounds[0]))
    events.phase("window")
    LOGGER.info("the window opens: %d requests in batches of %d", len(rounds[0]), batch_size)
    backend.open_window()
    batches: list[tuple[Sequence[Prompt], Batch]] = []
    asked = 0
    with warnings_only(), clock.phase("window"):
        start_s = time.monotonic()
        for number, prompts in enumerate(rounds, start=1):
            for start in range(0, len(prompts), batch_size):
                batch = prompts[start : start + batch_size]
                batches.append((batch, backend.generate(batch)))
                asked += len(batch)
                events.progress("window", sampler.power_w(), asked, len(prompts) * number)
                sampler.check()
            if _enough(request, sampler, start_s):
                break
    return batches, number


def _enough(request: RunRequest, sampler: Sampler, start_s: float) -> bool:
    """Whether a window that opened then may close now."""
    measurement = request.measurement
    now_s = time.monotonic()
    if measurement.min_window_s and now_s - start_s < measurement.min_window_s:
        return False
    if measurement.target_relative_uncertainty is None:
        return True
    uncertainty = sampler.recording().relative_uncertainty(start_s)
    return uncertainty is not None and uncertainty <= measurement.target_relative_uncertainty


class _Clock:
    """Marks the phases, the device synchronised at both ends."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.marks: list[Mark] = []

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        self._backend.synchronize()
        start_s = time.monotonic()
        yield
        self._backend.synchronize()
        self.marks.append(Mark(phase=phase, start_s=start_s, end_s=time.monotonic()))


def _token_marks(batches: Sequence[Batch]) -> list[Mark]:
    """Prefill, up to the first token, and decode, from there to the last, of each batch that tells its token times."""
    marks = []
    for batch in batches:
        if batch.token_times_s:
            first_s, last_s = batch.token_times_s[0], batch.token_times_s[-1]
            marks.append(Mark(phase="prefill", start_s=batch.start_s, end_s=first_s))
            marks.append(Mark(phase="decode", start_s=first_s, end_s=last_s))
    return marks
