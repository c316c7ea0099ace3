"""What comes out of a run: its result, or why there is none.

Quantities carry their unit in the name; what was not measured is null, never 0. Their titles,
units and formats stand in :mod:`runners.contract.quantities`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field

from runners.contract.model import ContractModel
from runners.contract.paths import FailureKind
from runners.contract.request import Experiment, Gap, Order

SCHEMA_VERSION: Final = 4

Phase = Literal["baseline", "load", "loaded_idle", "warmup", "prefill", "decode", "teardown", "window"]
EnergyMethod = Literal["nvml", "rapl", "zeus", "codecarbon", "estimated", "simulated"]
EnergyBasis = Literal["counter", "power"]
"""Whether an energy counter told the joules, or power was integrated over time."""


class Distribution(ContractModel):
    """How a latency is spread over requests (or, for ``itl_s``, over the gaps between tokens)."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float


class Mark(ContractModel):
    """A stretch of a run: CLOCK_MONOTONIC seconds, the device synchronised at both ends."""

    phase: Phase
    start_s: float
    end_s: float


class Check(ContractModel):
    """A named verdict of a run on itself."""

    name: str
    passed: bool
    severity: Literal["critical", "warning"]
    observed: str
    hint: str | None = None
    """What to do about it; None where it passed."""


class MeterSource(ContractModel):
    """One thing that was metered, and what is known of its meter; what recomputing needs besides the series."""

    name: str
    """The ``source`` column of the tables."""
    kind: Literal["gpu", "cpu", "dram", "psys", "machine", "simulated"]
    method: EnergyMethod
    scope: str
    """Whose energy it is: ``gpu``, ``package``, ``dram``, ``platform``, ``machine`` or ``simulated``."""
    assumption: str | None = None
    """What the figures rest on, where they are not measured."""
    uuid: str | None = None
    has_counter: bool = True
    resolution_j: float = 0.0
    """The smallest step of the energy counter."""
    power_limit_w: float | None = None
    """The most that it is taken to draw, for the bounds; None: unknown."""


class GpuEnergy(ContractModel):
    """The energy of one GPU over the window: the raw part that ``energy_j`` sums."""

    uuid: str
    name: str
    energy_j: float | None
    energy_low_j: float | None
    energy_high_j: float | None
    energy_basis: EnergyBasis | None = None
    energy_prefill_j: float | None = None
    energy_decode_j: float | None = None
    energy_period_s: float | None = None
    """The learned update period of its counter."""
    counter_to_integral: float | None = None
    """Energy by the counter ÷ energy by integrating power, over the window."""
    baseline_power_w: float | None = None
    power_mean_w: float | None = None
    power_max_w: float | None = None


class Throttle(ContractModel):
    """Share of the window's samples in which the device was held back."""

    thermal: float
    power: float


class WarmupReport(ContractModel):
    """What the warm-up did."""

    iterations: int
    durations_s: list[float]
    cv: float | None = None
    """Coefficient of variation of the last three durations."""
    converged: bool | None = None
    """None where the number of iterations was fixed."""


class BaselineReport(ContractModel):
    """Which baseline was subtracted, and what it was held against."""

    power_w: dict[str, float]
    """Of each source, in watts."""
    machine: str
    measured_at: AwareDatetime
    duration_s: float
    age_s: float
    """0 where this run measured it."""
    seen_power_w: dict[str, float] | None = None
    """What a cached one was validated against: the power just before this run's engine loaded."""


class Environment(ContractModel):
    """What was found on the machine; results of unlike environments are not pooled."""

    environment_id: str
    hostname: str
    os: str
    container: bool
    image_digest: str | None
    git_commit: str | None
    python: str
    cpu: str
    cpu_count: int
    cpu_governor: str | None
    memory_bytes: int
    driver: str | None
    cuda: str | None
    gpus: list[dict[str, Any]]
    libraries: dict[str, str]
    variables: dict[str, str]


class FileRecord(ContractModel):
    """Size and SHA-256 of a file beside the result."""

    size_bytes: int = Field(ge=0)
    sha256: str


class EngineMessage(ContractModel):
    """Something that an engine, or a library below it, warned of or complained about."""

    source: str
    """The package it came from: ``vllm``, ``torch``, ``transformers``."""
    level: Literal["warning", "error"]
    text: str
    count: int = Field(1, ge=1)
    """How often it was said."""


class ColdStart(ContractModel):
    """What was done so that a run found no warm cache."""

    fresh_process: bool
    private_caches: list[str]
    """The variables by which caches of engines were led to empty folders of this run's own."""
    page_cache_dropped: bool
    why_not: str | None = None
    """Why the page cache was not dropped."""


class RunResult(ContractModel):
    """Everything that one complete run measured; ``result.json``, written last."""

    schema_version: Literal[4] = SCHEMA_VERSION
    run_id: str
    campaign: str
    experiment_id: str
    cycle: int
    attempt: int
    order_index: int
    backend: str
    backend_version: str | None
    model: str
    device: str
    experiment: Experiment
    """As it was declared; what the engine made of it stands in ``effective_config``."""
    started_at: AwareDatetime
    ended_at: AwareDatetime
    order: Order | None = None
    gap: Gap | None = None
    """The pause before this run."""
    cold_start: bool | None = None
    """Whether it was made sure that the run found no warm cache; None: nothing is known of it."""
    cold_start_steps: ColdStart | None = None
    concurrency_on_host: int | None = None
    """How many runs of the campaign went on at once on this host, at most."""
    verdict: Literal["good", "suspect"]

    load_s: float
    duration_s: float
    rounds: int = 1
    """How often the workload's number of prompts was asked, fresh ones each time."""
    requests: int
    input_tokens: int
    output_tokens: int

    energy_j: float | None
    energy_low_j: float | None
    energy_high_j: float | None
    energy_method: EnergyMethod | None
    energy_scope: str | None
    energy_basis: EnergyBasis | None = None
    energy_period_s: float | None = None
    energy_periods: float | None = None
    counter_to_integral: float | None = None
    baseline_power_w: float | None = None
    energy_adjusted_j: float | None = None
    loaded_idle_power_w: float | None = None
    energy_per_output_token_j: float | None
    energy_per_total_token_j: float | None
    energy_per_request_j: float | None
    energy_prefill_j: float | None
    energy_decode_j: float | None
    cpu_energy_j: float | None
    dram_energy_j: float | None
    psys_energy_j: float | None = None
    power_mean_w: float | None
    power_max_w: float | None

    output_tokens_per_s: float
    total_tokens_per_s: float
    requests_per_s: float
    tokens_per_j: float | None
    ttft_s: Distribution | None
    tpot_s: Distribution | None
    itl_s: Distribution | None
    e2e_s: Distribution | None
    queue_s: Distribution | None = None
    """Between handing a request's batch to the engine and its beginning to work on the request."""
    output_sha256: str | None = None
    """Over the token ids of all answers, in the order of the requests: equal for equal outputs."""

    memory_peak_bytes: int | None
    memory_model_bytes: int | None
    memory_inference_bytes: int | None
    memory_reserved_bytes: int | None
    memory_device_bytes: int | None
    flops: float | None = None
    flops_method: str | None = None
    flops_per_output_token: float | None = None
    flops_per_j: float | None = None
    metering_cpu_s: float | None

    gpus: list[GpuEnergy]
    sources: list[MeterSource] = Field(default_factory=list)
    throttle: Throttle | None
    baseline: BaselineReport | None = None
    warmup: WarmupReport
    marks: list[Mark]
    checks: list[Check]
    warnings: list[str]
    engine_messages: list[EngineMessage] = Field(default_factory=list)
    environment: Environment
    effective_config: dict[str, Any]
    files: dict[str, FileRecord]


class RunFailure(ContractModel):
    """Why an attempt gave no result; ``failure.json``."""

    schema_version: Literal[1] = 1
    run_id: str | None
    kind: FailureKind
    message: str
    hint: str | None = None
    traceback: str | None = None
    at: AwareDatetime
