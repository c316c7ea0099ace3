"""Parameters of the ``vllm`` backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from runners.contract.options.base import Options, OptionsRule, PassedOn

_MINE = "the runner sets it: it would not be measured as the request says"
_RESERVED_ENGINE_ARGS: Mapping[str, str] = {
    "model": "the campaign's model says it",
    "tokenizer": "it is the model's own",
    "revision": "the campaign's model says it: ORG/NAME@REVISION",
    "tokenizer_revision": "it is the model's own",
    "hf_token": "a secret does not belong into a campaign: set HF_TOKEN",
    "seed": "the campaign's seed says it",
    "runner": _MINE,
    "skip_tokenizer_init": _MINE,
    "disable_log_stats": "the times of each request come from the engine's statistics",
    "stream_interval": "each token's time is recorded as it comes",
    "device_ids": "the campaign's gpus say it",
    **dict.fromkeys(
        ("prefill_context_parallel_size", "nnodes"),
        "GPUs are counted from tensor_parallel_size and pipeline_parallel_size",
    ),
    "data_parallel_size": "replicas of the model need a server or a process each, and this engine is neither",
    "spec_method": "write speculative_config, which holds all of it",
    "spec_model": "write speculative_config, which holds all of it",
    "spec_tokens": "write speculative_config, which holds all of it",
}
_RESERVED_SAMPLING_ARGS: Mapping[str, str] = {
    "n": "each prompt has one answer",
    "seed": "the campaign's seed says it",
    "output_kind": _MINE,
    "stream_interval": "each token's time is recorded as it comes",
    **dict.fromkeys(
        ("max_tokens", "min_tokens", "ignore_eos", "stop", "stop_token_ids"),
        "workload.output_tokens is the exact length of each answer",
    ),
}


class VllmOptions(Options):
    """Options of the ``vllm`` backend: vLLM's offline engine, which batches continuously.

    Each field but ``backend`` has the name that it has in vLLM's EngineArgs or SamplingParams. What is null is not
    handed over, so that the engine's own default holds.
    """

    SUMMARY: ClassVar[str] = "vLLM"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("dtype", "max_num_seqs")
    MODULES: ClassVar[tuple[str, ...]] = ("torch", "vllm")
    INSTALL_HINT: ClassVar[str] = "run it in its container (--dispatch compose), or pip install vllm"
    PASSED_ON: ClassVar[tuple[str, ...]] = ("engine_args", "sampling_args")
    SAMPLING_FIELDS: ClassVar[tuple[str, ...]] = (
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
    )
    """Fields of vLLM's SamplingParams; the others are of its EngineArgs."""

    backend: Literal["vllm"] = "vllm"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "bfloat16", description="type of weights and activations"
    )
    quantization: str | None = Field(
        None, min_length=1, description="method by which vLLM quantises the weights, such as fp8; null: the model's own"
    )
    load_format: str | None = Field(
        None, min_length=1, description="how weights are read, such as safetensors or dummy; null: as they lie there"
    )
    max_model_len: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens of prompt and answer together, at most; null: the model's own"
    )
    max_num_seqs: int = Field(128, ge=1, le=65_536, description="sequences worked on at the same time, at most")
    max_num_batched_tokens: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens worked on in one step, at most; null: the engine decides"
    )
    enable_chunked_prefill: bool | None = Field(
        None, description="split long prompts over several steps; null: the engine's default"
    )
    async_scheduling: bool | None = Field(
        None, description="schedule a step while the one before is computed; null: the engine decides"
    )
    gpu_memory_utilization: float | None = Field(
        None, gt=0, le=1, description="share of the GPU's memory that the engine takes; null: its default"
    )
    kv_cache_memory_bytes: int | None = Field(
        None,
        ge=1,
        description="memory of the KV cache, in bytes a GPU; null: what gpu_memory_utilization leaves,"
        " and 2 GiB on a CPU",
    )
    kv_cache_dtype: str | None = Field(
        None, min_length=1, description="type of the KV cache, by vLLM's names, such as fp8; null: that of the model"
    )
    block_size: int | None = Field(
        None, ge=1, le=65_536, description="tokens in a block of the KV cache; null: the engine decides"
    )
    enable_prefix_caching: bool | None = Field(
        None, description="keep the KV cache of prompts for others that begin alike; null: the engine decides"
    )
    cpu_offload_gb: float | None = Field(
        None, ge=0, le=100_000, description="GiB of the weights that are kept in the host's memory; null: none"
    )
    enforce_eager: bool | None = Field(
        None, description="neither compile nor capture CUDA graphs; null: the engine decides"
    )
    optimization_level: int | None = Field(
        None, ge=0, le=3, description="how much is compiled and captured, 0 to 3; null: the engine decides"
    )
    attention_backend: str | None = Field(
        None, min_length=1, description="attention kernel, such as FLASH_ATTN; null: the engine decides"
    )
    tensor_parallel_size: int = Field(1, ge=1, le=1024, description="GPUs that each layer is split over")
    pipeline_parallel_size: int = Field(1, ge=1, le=1024, description="groups of GPUs that the layers are split over")
    enable_expert_parallel: bool | None = Field(
        None, description="give each GPU whole experts instead of a part of each; null: the engine decides"
    )
    temperature: float = Field(
        0.0, ge=0, le=100, description="sampling temperature of vLLM; 0: take the most likely token"
    )
    top_k: int | None = Field(None, ge=1, description="sample among the k most likely tokens; null: vLLM's default")
    top_p: float | None = Field(
        None, gt=0, le=1, description="sample within this cumulative probability; null: vLLM's default"
    )
    min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave out tokens below this share of the likeliest's probability; null: vLLM's default",
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="penalty on tokens that the answer has already; null: none"
    )
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="penalty on tokens by how often the answer has them; null: none"
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=100, description="penalty on tokens that prompt or answer have; null: none"
    )
    engine_args: PassedOn = Field(
        default_factory=dict, description="any other argument of vLLM's EngineArgs, by its own name"
    )
    sampling_args: PassedOn = Field(
        default_factory=dict, description="any other field of vLLM's SamplingParams, by its own name"
    )

    @field_validator("engine_args")
    @classmethod
    def _further_engine_args(cls, given: PassedOn) -> PassedOn:
        documented = cls.model_fields.keys() - {*cls.SAMPLING_FIELDS, *cls.PASSED_ON, "backend"}
        return _require_free(given, documented, _RESERVED_ENGINE_ARGS)

    @field_validator("sampling_args")
    @classmethod
    def _further_sampling_args(cls, given: PassedOn) -> PassedOn:
        return _require_free(given, set(cls.SAMPLING_FIELDS), _RESERVED_SAMPLING_ARGS)

    @property
    def gpus_needed(self) -> int | None:
        """A GPU for each part of the model."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    def handed_at_once(self, prompts: int) -> int:
        """All of them: the engine batches by itself."""
        return prompts

    def worked_on_at_once(self, prompts: int) -> int:
        """As many sequences as the engine may hold."""
        return min(prompts, self.max_num_seqs)

    def engine_fields(self) -> dict[str, Any]:
        """What was asked of EngineArgs, further arguments included; without what is null."""
        own = self.model_dump(exclude={"backend", *self.SAMPLING_FIELDS, *self.PASSED_ON}, exclude_none=True)
        return own | self.engine_args

    def sampling_fields(self) -> dict[str, Any]:
        """What was asked of SamplingParams, further fields included; without what is null."""
        return self.model_dump(include=set(self.SAMPLING_FIELDS), exclude_none=True) | self.sampling_args


def _require_free(given: PassedOn, documented: set[str], reserved: Mapping[str, str]) -> PassedOn:
    for name in given:
        if name in documented:
            raise ValueError(f"{name} is a parameter of its own: write it beside, not in here")
        if name in reserved:
            raise ValueError(f"{name} cannot be set: {reserved[name]}")
    return given


def _more_sequences_than_tokens(options: VllmOptions) -> bool:
    return options.max_num_batched_tokens is not None and options.max_num_batched_tokens < options.max_num_seqs


def _unsplit_prompts_that_do_not_fit(options: VllmOptions) -> bool:
    tokens, length = options.max_num_batched_tokens, options.max_model_len
    return options.enable_chunked_prefill is False and None not in (tokens, length) and (tokens or 0) < (length or 0)


def _sampling_without_temperature(options: VllmOptions) -> bool:
    return options.temperature == 0 and any(
        value is not None for value in (options.top_k, options.top_p, options.min_p)
    )


RULES: tuple[OptionsRule[VllmOptions], ...] = (
    OptionsRule(
        "step-below-sequences",
        "max_num_batched_tokens below max_num_seqs cannot give each sequence a token in a step",
        _more_sequences_than_tokens,
    ),
    OptionsRule(
        "whole-prompts-need-room",
        "without enable_chunked_prefill, max_num_batched_tokens must hold max_model_len",
        _unsplit_prompts_that_do_not_fit,
    ),
    OptionsRule(
        "one-size-of-the-cache",
        "gpu_memory_utilization does nothing beside kv_cache_memory_bytes",
        lambda o: o.kv_cache_memory_bytes is not None and o.gpu_memory_utilization is not None,
    ),
    OptionsRule(
        "eager-compiles-nothing",
        "optimization_level above 0 does nothing with enforce_eager",
        lambda o: o.enforce_eager is True and bool(o.optimization_level),
    ),
    OptionsRule(
        "sampling-needs-temperature",
        "top_k, top_p and min_p do nothing at temperature 0",
        _sampling_without_temperature,
    ),
)
