"""The live part of a run: load, warm-up, window, teardown. It records; nothing is computed here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, NamedTuple

from runners.backends.base import Backend, Batch, DeviceMemory
from runners.contract.request import RunRequest
from runners.contract.result import Mark, Phase, WarmupReport
from runners.events import EventWriter
from runners.harness.sampling import Sampler
from runners.harness.working import told_while_working
from runners.logs import LOGGER
from runners.meters.process import resident_bytes
from runners.workloads.lengths import Prompts

Prompt = list[int]


class Measured(NamedTuple):
    """What a run recorded of itself; the samples are apart."""

    started_at: datetime
    ended_at: datetime
    marks: list[Mark]
    warmup: WarmupReport
    batches: list[tuple[Sequence[Prompt], Batch]]
    rss_model_bytes: int | None
    """Resident memory of the runner once the model was loaded."""
    device_memory: DeviceMemory | None
    device: str
    version: str
    effective_config: dict[str, Any]


def measure(
    backend: Backend,
    request: RunRequest,
    tokenise: Callable[[Backend], Prompts],
    sampler: Sampler,
    events: EventWriter,
) -> Measured:
    """Carries the measurement out, up to where the samples reach past the window.

    Args:
        backend: prepared, not yet loaded.
        request: what to measure.
        tokenise: makes the prompts, once the model with its tokenizer is loaded.
        sampler: running.
        events: where progress is told.

    Raises:
        RunnerError: the engine, the meters or the request failed.
    """
    started_at = datetime.now(timezone.utc)
    clock = _Clock(backend)

    events.phase("load")
    LOGGER.info("loading %s", request.experiment.model)
    with told_while_working(events.alive):
        with clock.phase("load"):
            backend.load()
        rss_model_bytes = resident_bytes(os.getpid())
        prompts = tokenise(backend)
    batch_size = request.experiment.options.batch_size
    sampler.check()

    events.phase("warmup")
    iterations = request.measurement.warmup.iterations
    LOGGER.info("warming up; iterations: %d", iterations)
    durations_s = []
    with clock.phase("warmup"):
        for _ in range(iterations):
            batch = backend.generate(prompts.warmup)
            durations_s.append(batch.end_s - batch.start_s)
            events.progress("warmup", sampler.power_w())
            sampler.check()
        remainder = len(prompts.measured) % batch_size
        if iterations and remainder:
            # The window's last batch is smaller. Its shapes are new to the engine, which may compile for them.
            backend.generate(prompts.warmup[:remainder])

    events.phase("window")
    LOGGER.info("the window opens: %d requests in batches of %d", len(prompts.measured), batch_size)
    backend.open_window()
    batches: list[tuple[Sequence[Prompt], Batch]] = []
    with clock.phase("window"):
        for start in range(0, len(prompts.measured), batch_size):
            asked = prompts.measured[start : start + batch_size]
            batches.append((asked, backend.generate(asked)))
            events.progress("window", sampler.power_w(), start + len(asked), len(prompts.measured))
            sampler.check()
    window = clock.marks[-1]
    LOGGER.info("the window closed after %.3f s", window.end_s - window.start_s)

    events.phase("teardown")
    device_memory = backend.device_memory()
    effective_config = backend.effective_config()
    device, version = backend.device, backend.version
    with clock.phase("teardown"):
        backend.close()
    sampler.follow(window.end_s)
    return Measured(
        started_at=started_at,
        ended_at=datetime.now(timezone.utc),
        marks=[*clock.marks, *_token_marks([batch for _, batch in batches])],
        warmup=WarmupReport(iterations=iterations, durations_s=durations_s),
        batches=batches,
        rss_model_bytes=rss_model_bytes,
        device_memory=device_memory,
        device=device,
        version=version,
        effective_config=effective_config,
    )


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
