"""One run from its request to its result, engine-agnostic."""

from __future__ import annotations

import os
from pathlib import Path

from runners.backends.create import create
from runners.cold import cold_start
from runners.contract import paths
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.request import Gpu, RunRequest
from runners.contract.result import FileRecord
from runners.events import EventWriter
from runners.files import record_of, write_atomically
from runners.harness import tables
from runners.harness.environment import changes_of, snapshot
from runners.harness.measure import measure
from runners.harness.requests import records_of
from runners.harness.result import result_of
from runners.harness.sampling import Sampler
from runners.harness.working import told_while_working
from runners.logs import LOGGER, WarningCollector
from runners.meters.choose import Spec
from runners.meters.rapl import POWERCAP
from runners.workloads.supply import Supply


def run(request: RunRequest, folder: Path, events: EventWriter, warnings: WarningCollector) -> None:
    """Carries a run out and leaves its files in the attempt folder, ``result.json`` last.

    Args:
        request: what to run.
        folder: the attempt folder.
        events: where progress is told.
        warnings: what was warned of so far and will be.

    Raises:
        RunnerError: the run failed in a way that is understood.
        OSError: a file could not be written.
    """
    events.phase("prepare")
    samples = folder / paths.SAMPLES
    host_samples = folder / paths.HOST_SAMPLES if request.host_samples else None
    with cold_start(request, folder) as cold:
        with told_while_working(events.alive):
            supply = Supply(request)
            backend = create(request, events.alive)
            gpus = _metered_gpus(request)
            environment = snapshot(gpus, os.environ, request.image_digest, request.container_strategy)
            backend.prepare()

        def before_load() -> None:
            if cold:
                cold.drop(backend.model_files())

        with Sampler(_spec(request, gpus, samples), host_samples) as sampler:
            measured = measure(backend, request, supply, sampler, events, before_load)
            recording = sampler.recording()
    changes = changes_of(gpus, environment.gpus)

    series = recording.series()
    records = records_of(measured.batches)
    tables.write_timeseries(folder / paths.TIMESERIES, recording)
    tables.write_counters(folder / paths.COUNTERS, series)
    tables.write_requests(folder / paths.REQUESTS, records)
    samples.unlink()
    messages = warnings.messages(folder / paths.LOG)
    result = result_of(
        request=request,
        measured=measured,
        recording=recording,
        series=series,
        records=records,
        gpu_changes=changes,
        environment=environment,
        cold_start=cold.steps if cold else None,
        engine_messages=messages,
        warnings=[*measured.overridden, *warnings.own()],
        files=_files(folder),
    )
    write_atomically(folder / paths.RESULT, result.model_dump_json(indent=2).encode() + b"\n")
    for check in result.checks:
        LOGGER.info("check %s: %s (%s)", check.name, "passed" if check.passed else "FAILED", check.observed)


def _metered_gpus(request: RunRequest) -> list[Gpu]:
    """The GPUs that the engine uses, none if it was told to stay on the CPU; and those that are played for it."""
    return request.experiment.gpus_of(request.gpus)


def _spec(request: RunRequest, gpus: list[Gpu], samples: Path) -> Spec:
    options = request.experiment.options
    return Spec(
        samples=str(samples),
        sample_hz=request.measurement.sample_hz,
        runner_pid=os.getpid(),
        gpu_uuids=[gpu.uuid for gpu in gpus],
        cpu_tdp_w=request.measurement.cpu_tdp_w,
        meter=request.measurement.meter,
        powercap=os.environ.get(paths.ENV_POWERCAP) or str(POWERCAP),
        host_samples=request.host_samples,
        neighbours=request.concurrency_on_host > 1,
        simulated_power_w=options.power_w if isinstance(options, SimulatedOptions) else None,
    )


def _files(folder: Path) -> dict[str, FileRecord]:
    names = (paths.REQUEST, paths.TIMESERIES, paths.COUNTERS, paths.REQUESTS)
    return {name: record_of(folder / name) for name in names}
