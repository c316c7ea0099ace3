"""What goes into a run: the experiment, and how it is to be measured.

The options of each backend stand in :mod:`runners.contract.options`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from runners.contract.model import ContractModel
from runners.contract.options import BackendOptions
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.paths import CONTRACT_VERSION

SIMULATED_NAME: Final = "Simulated "
"""How the name of every simulated GPU begins."""


class Workload(ContractModel):
    """What is asked of the engine: which prompts, how many, how long, and how many tokens back."""

    dataset: str = Field(
        "builtin",
        min_length=1,
        description="builtin, aienergyscore (the prompts of that score, from the hub), a JSONL file (PATH.jsonl),"
        " or hf:NAME from the hub",
    )
    column: str = Field("prompt", min_length=1, description="field of a dataset that holds the prompt")
    split: str = Field("train", min_length=1, description="split of a dataset from the hub")
    prompts: int = Field(32, ge=1, le=1_000_000, description="requests in the measured window")
    input_tokens: int | None = Field(
        None, ge=1, le=10_000_000, description="exact length of each prompt in tokens; null: as they come"
    )
    output_tokens: int = Field(
        64, ge=1, le=1_000_000, description="exact length of each answer in tokens (minimum = maximum)"
    )
    dataset_sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the prompt file; filled in by the host"
    )


Order = Literal["grouped", "interleaved", "shuffled", "reversed"]
"""How the runs of a campaign follow one another."""


class Gap(ContractModel):
    """The pause that was made before a run."""

    between: Literal["experiments", "cycles"]
    duration_s: float = Field(ge=0, description="how long it was")
    ended_by: Literal["time", "cool"] = Field(description="its time was over, or the GPUs were cool again before")


class Gpu(ContractModel):
    """A GPU that a run was given."""

    index: int = Field(ge=0)
    uuid: str
    name: str

    @property
    def simulated(self) -> bool:
        """Whether a simulated NVML plays it."""
        return self.name.startswith(SIMULATED_NAME)


class Experiment(ContractModel):
    """One fully resolved configuration of one backend."""

    model: str = Field(min_length=1, description="demo:NAME, a Hugging Face id (ORG/NAME[@REVISION]), or a folder")
    model_sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="fingerprint of a local model's files; filled in by the host"
    )
    workload: Workload = Workload()
    options: Annotated[BackendOptions, Field(discriminator="backend")]
    input_sha256: dict[str, str] = Field(
        default_factory=dict,
        description="fingerprints of local models that options name, by the option; filled in by the host",
    )

    @property
    def backend(self) -> str:
        """The name of the backend that runs it."""
        return self.options.backend

    def gpus_of(self, named: Sequence[Gpu]) -> list[Gpu]:
        """The GPUs that it works on, and that are metered: the first of those that the campaign names.

        An engine takes real ones, the simulated backend simulated ones; beside a simulated GPU an engine
        works on the CPU.
        """
        if isinstance(self.options, SimulatedOptions):
            return [gpu for gpu in named if gpu.simulated]
        return list(named)[: self.options.gpus_needed] if self.options.may_use_gpu else []


class Warmup(ContractModel):
    """How the engine is brought into its steady state before the window opens: by default until it converges."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["iterations"], "properties": {"iterations": {"type": "integer"}}},
            "then": {"properties": {"until_cv": {"type": "null"}, "max_iterations": {"type": "null"}}},
        }
    )

    iterations: int | None = Field(
        None, ge=0, le=10_000, description="generate so many batches, whether or not they converge; null: until they do"
    )
    until_cv: float | None = Field(
        None,
        gt=0,
        le=1,
        description="go on until the last three batches' durations have at most this coefficient of variation;"
        " null: 0.05",
    )
    max_iterations: int | None = Field(None, ge=3, le=10_000, description="and give up after so many batches; null: 10")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Warmup:
        if self.iterations is not None and (self.until_cv is not None or self.max_iterations is not None):
            raise ValueError("iterations is a fixed count: leave out until_cv and max_iterations, or iterations")
        return self


class Measurement(ContractModel):
    """How a run is measured. Not part of an experiment's identity."""

    warmup: Warmup = Warmup()
    meter: Literal["auto", "nvml", "rapl", "estimate", "zeus", "codecarbon"] = Field(
        "auto",
        description="what measures the energy; auto: nvml where there is a GPU, else rapl where it can be read,"
        " else estimate",
    )
    sample_hz: float = Field(10.0, ge=0.1, le=100, description="samples of power and memory a second")
    baseline_s: float | None = Field(
        None,
        ge=0,
        le=3600,
        description="idle time before the engine loads in which the baseline power is measured; 0: none;"
        " null: 10 where energy is measured, else none",
    )
    baseline_max_age_s: float = Field(
        3600.0, ge=0, le=30 * 86_400, description="a baseline of the same machine is used again for so long"
    )
    loaded_idle_s: float | None = Field(
        None,
        ge=0,
        le=3600,
        description="idle time with the model loaded in which its power is measured; 0: none;"
        " null: 2 where energy is measured, else none",
    )
    min_window_s: float | None = Field(
        None, gt=0, le=86_400, description="ask rounds of fresh prompts until the window is this long"
    )
    target_relative_uncertainty: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="ask rounds of fresh prompts until half the interval of the energy is at most this share of it",
    )
    max_rounds: int = Field(100, ge=1, le=10_000, description="but never more rounds of prompts than this")
    cpu_tdp_w: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="power of the whole CPU at full load, for estimates; null: a default per core",
    )


class Baseline(ContractModel):
    """The power of an idle machine, before any engine was loaded."""

    machine: str = Field(description="what it was measured on: host, sources, power limits; another machine's is void")
    power_w: dict[str, float] = Field(description="mean power of each source, in watts")
    measured_at: AwareDatetime
    duration_s: float = Field(gt=0)


class RunRequest(ContractModel):
    """The whole configuration of one attempt; nothing else configures it."""

    contract_version: Literal[4] = CONTRACT_VERSION
    campaign: str
    experiment_id: str
    cycle: int = Field(ge=1)
    cycles: int = Field(ge=1)
    attempt: int = Field(ge=1)
    order_index: int = Field(ge=0, description="place in the campaign's order")
    order: Order | None = Field(None, description="how the campaign's runs follow one another; null: a single run")
    gap: Gap | None = Field(None, description="the pause made before this run; null: none")
    force_cold_start: bool = Field(False, description="whether the run must find no warm cache")
    concurrency_on_host: int = Field(
        1, ge=1, description="how many runs of the campaign go on at once on this host, at most"
    )
    experiment: Experiment
    measurement: Measurement = Measurement()
    seed: int = Field(0, ge=0, lt=2**63, description="seed for sampling")
    gpus: list[Gpu] = Field(default_factory=list, description="empty: the CPU")
    baseline: Baseline | None = Field(None, description="of an earlier run on this machine; filled in by the host")
    host_samples: bool = Field(
        False, description="whether the host samples what a container cannot read, beside it; filled in by the host"
    )
    model_path: str | None = Field(None, description="where a local model lies, as the runner sees it")
    dataset_path: str | None = Field(None, description="where a prompt file lies, as the runner sees it")
    option_paths: dict[str, str] = Field(
        default_factory=dict, description="where local models that options name lie, as the runner sees them"
    )
    container_strategy: Literal["ephemeral", "persistent"] | None = Field(
        None, description="whether the container is this run's own, or other runs share it; filled in by the host"
    )
    image_digest: str | None = Field(
        None, description="digest of the container image the run is started in; filled in by the host"
    )
