"""From what a run recorded to its result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runners.contract import paths
from runners.contract.flops import FLOPS_METHOD, run_flops
from runners.contract.joules import Counts, joules_of
from runners.contract.request import RunRequest
from runners.contract.result import ColdStart, EngineMessage, Environment, FileRecord, Mark, RunResult
from runners.contract.series import Series, figures_of
from runners.harness.checks import Evidence, checks_of, throttle_of, verdict_of
from runners.harness.measure import Measured
from runners.harness.recording import Recording
from runners.harness.requests import RequestRecord, latencies_of, output_sha256_of


class _Memory(NamedTuple):
    model_bytes: int | None
    peak_bytes: int | None
    reserved_bytes: int | None
    device_bytes: int | None


def result_of(
    request: RunRequest,
    measured: Measured,
    recording: Recording,
    series: Mapping[str, Series],
    records: Sequence[RequestRecord],
    gpu_changes: Sequence[str],
    environment: Environment,
    cold_start: ColdStart | None,
    engine_messages: list[EngineMessage],
    warnings: list[str],
    files: dict[str, FileRecord],
) -> RunResult:
    """The result of a run.

    Args:
        request: what was asked.
        measured: what the harness recorded.
        recording: what the sampler recorded.
        series: the same, by source.
        records: the requests of the window.
        gpu_changes: what NVML says otherwise of the GPUs than before the run.
        environment: what the machine is.
        cold_start: what was done so that it found no warm cache; None: nothing.
        engine_messages: what the engine and the libraries warned of.
        warnings: what the runner warns of.
        files: the files beside the result.
    """
    load, window = (_mark(measured.marks, phase) for phase in ("load", "window"))
    duration_s = window.end_s - window.start_s
    input_tokens = sum(record.input_tokens for record in records)
    output_tokens = sum(record.output_tokens for record in records)
    figures = figures_of(series, measured.marks)
    latencies = latencies_of(records)
    memory = _memory(measured, recording, window)
    throttle = throttle_of(recording, window)
    checks = checks_of(
        Evidence(
            request,
            recording,
            series,
            window,
            figures,
            throttle,
            records,
            measured.warmup,
            measured.baseline,
            measured.marks,
            gpu_changes,
            cold_start,
        )
    )
    counts = Counts(len(records), input_tokens, output_tokens)
    joules = joules_of(series, measured.marks, counts, measured.baseline, request.gpus)
    flops = _flops(measured, records)
    return RunResult(
        run_id=paths.run_id(request.experiment_id, request.cycle),
        campaign=request.campaign,
        experiment_id=request.experiment_id,
        experiment=request.experiment,
        cycle=request.cycle,
        attempt=request.attempt,
        order_index=request.order_index,
        order=request.order,
        gap=request.gap,
        cold_start=cold_start is not None and cold_start.page_cache_dropped,
        cold_start_steps=cold_start,
        concurrency_on_host=request.concurrency_on_host,
        backend=request.experiment.backend,
        backend_version=measured.version,
        model=request.experiment.model,
        device=measured.device,
        started_at=measured.started_at,
        ended_at=measured.ended_at,
        verdict=verdict_of(checks),
        load_s=load.end_s - load.start_s,
        duration_s=duration_s,
        rounds=measured.rounds,
        requests=len(records),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        **joules,
        output_tokens_per_s=output_tokens / duration_s,
        total_tokens_per_s=(input_tokens + output_tokens) / duration_s,
        requests_per_s=len(records) / duration_s,
        ttft_s=latencies.ttft_s,
        tpot_s=latencies.tpot_s,
        itl_s=latencies.itl_s,
        e2e_s=latencies.e2e_s,
        queue_s=latencies.queue_s,
        output_sha256=output_sha256_of(records),
        memory_peak_bytes=memory.peak_bytes,
        memory_model_bytes=memory.model_bytes,
        memory_inference_bytes=_difference(memory.peak_bytes, memory.model_bytes),
        memory_reserved_bytes=memory.reserved_bytes,
        memory_device_bytes=memory.device_bytes,
        flops=flops,
        flops_method=None if flops is None else FLOPS_METHOD,
        flops_per_output_token=_ratio(flops, output_tokens),
        flops_per_j=_ratio(flops, joules["energy_j"]),
        metering_cpu_s=_metering_cpu_s(recording, window),
        sources=list(recording.sources),
        throttle=throttle,
        baseline=measured.baseline,
        warmup=measured.warmup,
        marks=measured.marks,
        checks=checks,
        warnings=warnings,
        engine_messages=engine_messages,
        environment=environment,
        effective_config=measured.effective_config,
        files=files,
    )


def _mark(marks: Sequence[Mark], phase: str) -> Mark:
    return next(mark for mark in marks if mark.phase == phase)


def _flops(measured: Measured, records: Sequence[RequestRecord]) -> float | None:
    """What the window's requests asked of the model; None where its architecture is not known."""
    lengths = [(record.input_tokens, record.output_tokens) for record in records]
    if measured.architecture is None or not all(output_tokens for _, output_tokens in lengths):
        return None
    return float(run_flops(measured.architecture, lengths).total)


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _difference(after: int | None, before: int | None) -> int | None:
    return after - before if after is not None and before is not None else None


def _memory(measured: Measured, recording: Recording, window: Mark) -> _Memory:
    """Memory of the model, its peak in the window, and what is held for it, in bytes.

    On a GPU these are what the engine's allocator had given out (peak, model) and held (reserved), and
    ``device_bytes`` is what the driver saw in use on the metered GPUs, by anybody. On a CPU they are the
    runner's resident memory: after the load, and its highest sample in the window.
    """
    ticks = recording.between(window.start_s, window.end_s)
    on_device = [[r.memory_bytes for r in tick.readings if r.memory_bytes is not None] for tick in ticks]
    device_bytes = max((sum(used) for used in on_device if used), default=None)
    if measured.device_memory is not None:
        allocated = measured.device_memory
        return _Memory(allocated.model_bytes, allocated.peak_bytes, allocated.reserved_bytes, device_bytes)
    if measured.device == "cpu":
        peak_bytes = max((tick.rss_bytes for tick in ticks if tick.rss_bytes is not None), default=None)
        return _Memory(measured.rss_model_bytes, peak_bytes, None, device_bytes)
    return _Memory(None, None, None, device_bytes)


def _metering_cpu_s(recording: Recording, window: Mark) -> float | None:
    """CPU time that the sampler used from the first to the last sample of the window."""
    used = [tick.cpu_s for tick in recording.between(window.start_s, window.end_s) if tick.cpu_s is not None]
    return used[-1] - used[0] if len(used) > 1 else None
