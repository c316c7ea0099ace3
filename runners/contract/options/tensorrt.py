"""Parameters of the ``tensorrt`` backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from runners.contract.options.base import Options, OptionsRule, PassedOn
from runners.contract.options.tensorrt_paths import (
    ENGINE,
    RESERVED_ENGINE_ARGS,
    RESERVED_SAMPLING_ARGS,
    SAMPLING,
    LlmBackend,
    leaves,
    taken_by,
)


class TensorrtOptions(Options):
    """Options of the ``tensorrt`` backend: TensorRT-LLM through its LLM API.

    What is null is not handed over, so that the engine's own default holds. Which argument of TensorRT-LLM a parameter
    becomes stands in ``tensorrt_paths.py``.
    """

    SUMMARY: ClassVar[str] = "TensorRT-LLM"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("llm_backend", "dtype", "max_batch_size")
    MODULES: ClassVar[tuple[str, ...]] = ("torch", "tensorrt_llm")
    INSTALL_HINT: ClassVar[str] = "run it in its container: --dispatch compose"
    PASSED_ON: ClassVar[tuple[str, ...]] = ("engine_args", "sampling_args")

    backend: Literal["tensorrt"] = "tensorrt"
    llm_backend: LlmBackend = Field(
        "pytorch", description="what executes the model: PyTorch, or an engine that TensorRT builds for this GPU"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "bfloat16", description="type of weights and activations"
    )
    max_batch_size: int = Field(128, ge=1, le=65_536, description="sequences worked on at the same time, at most")
    max_num_tokens: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens worked on in one step, at most; null: the engine's default"
    )
    max_seq_len: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens of prompt and answer together, at most; null: the model's own"
    )
    tensor_parallel_size: int = Field(1, ge=1, le=1024, description="GPUs that each layer is split over")
    pipeline_parallel_size: int = Field(1, ge=1, le=1024, description="groups of GPUs that the layers are split over")
    moe_tensor_parallel_size: int | None = Field(
        None, ge=1, le=1024, description="GPUs that each expert is split over; null: the engine decides"
    )
    moe_expert_parallel_size: int | None = Field(
        None, ge=1, le=1024, description="groups of GPUs that the experts are spread over; null: the engine decides"
    )
    enable_attention_dp: bool | None = Field(
        None,
        description="attention of each sequence on one GPU, the rest split (pytorch only); null: the engine's default",
    )
    quant_algo: (
        Literal[
            "W8A16",
            "W4A16",
            "W4A16_AWQ",
            "W4A8_AWQ",
            "W8A8_SQ_PER_CHANNEL",
            "W8A8_SQ_PER_TENSOR_PLUGIN",
            "W8A8_SQ_PER_CHANNEL_PER_TOKEN_PLUGIN",
            "W8A8_SQ_PER_CHANNEL_PER_TENSOR_PLUGIN",
            "W8A8_SQ_PER_TENSOR_PER_TOKEN_PLUGIN",
            "FP8",
            "FP8_PER_CHANNEL_PER_TOKEN",
            "NVFP4",
        ]
        | None
    ) = Field(None, description="quantise the weights so while the engine is built (tensorrt only); null: do not")
    kv_cache_dtype: Literal["fp8", "int8"] | None = Field(
        None, description="type of TensorRT-LLM's KV cache (int8: llm_backend tensorrt only); null: that of the model"
    )
    kv_cache_free_gpu_memory_fraction: float | None = Field(
        None, gt=0, le=1, description="share of the GPU's free memory that the KV cache takes; null: its default"
    )
    kv_cache_max_tokens: int | None = Field(
        None, ge=1, le=10_000_000_000, description="tokens that the KV cache holds, at most; null: what fits"
    )
    kv_cache_tokens_per_block: Literal[16, 32, 64, 128] | None = Field(
        None, description="tokens in a block of the KV cache; null: the engine's default"
    )
    enable_block_reuse: bool | None = Field(
        None, description="keep the KV cache of prompts for others that begin alike; null: the engine's default"
    )
    enable_partial_reuse: bool | None = Field(
        None, description="reuse blocks of which only a part fits; null: the engine's default"
    )
    enable_chunked_prefill: bool | None = Field(
        None, description="split long prompts over several steps; null: the engine's default"
    )
    capacity_scheduler_policy: Literal["GUARANTEED_NO_EVICT", "MAX_UTILIZATION", "STATIC_BATCH"] | None = Field(
        None, description="which requests are taken up while memory is short; null: the engine's default"
    )
    context_chunking_policy: Literal["FIRST_COME_FIRST_SERVED", "EQUAL_PROGRESS"] | None = Field(
        None, description="whose part of a prompt comes first; null: the engine's default"
    )
    attn_backend: Literal["TRTLLM", "FLASHINFER", "VANILLA"] | None = Field(
        None, description="attention kernel (pytorch only); null: the engine's default"
    )
    cuda_graph: bool | None = Field(
        None, description="capture CUDA graphs of decoding steps (pytorch only); null: the engine's default"
    )
    cuda_graph_max_batch_size: int | None = Field(
        None, ge=1, le=65_536, description="largest batch of a CUDA graph (pytorch only); null: the engine's default"
    )
    cuda_graph_padding: bool | None = Field(
        None, description="fill a batch up to the next CUDA graph (pytorch only); null: the engine's default"
    )
    torch_compile: bool | None = Field(
        None,
        description="let TensorRT-LLM compile the model with torch.compile (llm_backend pytorch only);"
        " null: its own default",
    )
    disable_overlap_scheduler: bool | None = Field(
        None, description="schedule a step only once the one before is done (pytorch only); null: the engine's default"
    )
    enable_autotuner: bool | None = Field(
        None, description="try kernels out while loading (pytorch only); null: the engine's default"
    )
    sampler_type: Literal["TRTLLMSampler", "TorchSampler"] | None = Field(
        None, description="what picks the tokens (pytorch only); null: the engine decides"
    )
    max_input_len: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens of a prompt, at most (tensorrt only); null: its default, 1024"
    )
    opt_batch_size: int | None = Field(
        None, ge=1, le=65_536, description="batch that kernels are chosen for (tensorrt only); null: its default"
    )
    opt_num_tokens: int | None = Field(
        None, ge=1, le=100_000_000, description="tokens of a step that kernels are chosen for (tensorrt only)"
    )
    strongly_typed: bool | None = Field(
        None, description="keep the types as the network has them (tensorrt only); null: its default"
    )
    gemm_plugin: Literal["auto", "float16", "float32", "bfloat16", "fp8", "nvfp4"] | None = Field(
        None, description="multiply matrices by cuBLASLt instead of TensorRT (tensorrt only); null: TensorRT"
    )
    use_paged_context_fmha: bool | None = Field(
        None, description="attention over a paged cache in prefill (tensorrt only); null: its default"
    )
    use_fp8_context_fmha: bool | None = Field(
        None, description="FP8 attention in prefill with FP8 weights (tensorrt only); null: its default"
    )
    use_fused_mlp: bool | None = Field(
        None, description="one multiplication for both halves of a gated MLP (tensorrt only); null: its default"
    )
    reduce_fusion: bool | None = Field(
        None, description="fuse what follows an all-reduce into it (tensorrt only); null: its default"
    )
    multiple_profiles: bool | None = Field(
        None, description="choose kernels for several sizes of a step (tensorrt only); null: its default"
    )
    fast_build: bool | None = Field(None, description="build faster, for slower inference (tensorrt only)")
    batching_type: Literal["INFLIGHT", "STATIC"] | None = Field(
        None, description="batch continuously or not (tensorrt only); null: continuously"
    )
    multi_block_mode: bool | None = Field(
        None, description="split one sequence's attention over more of the GPU (tensorrt only); null: its default"
    )
    cuda_graph_mode: bool | None = Field(
        None, description="capture CUDA graphs of decoding steps (tensorrt only); null: its default"
    )
    temperature: float | None = Field(
        None,
        gt=0,
        le=100,
        description="sampling temperature; null with top_k and top_p: TensorRT-LLM takes the most likely token",
    )
    top_k: int | None = Field(
        None, ge=1, description="sample among the k most likely tokens; null: TensorRT-LLM's default"
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="sample within this cumulative probability; null: TensorRT-LLM's default"
    )
    min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave out tokens below this share of the likeliest's probability; null: TensorRT-LLM's default",
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=100, description="penalty on tokens that prompt or answer have; null: none"
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="penalty on tokens that the answer has already; null: none"
    )
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="penalty on tokens by how often the answer has them; null: none"
    )
    no_repeat_ngram_size: int | None = Field(
        None, ge=1, description="length of sequences of tokens that must not come twice; null: none"
    )
    engine_args: PassedOn = Field(
        default_factory=dict, description="any other argument of TensorRT-LLM's LLM, by its own name; nested as there"
    )
    sampling_args: PassedOn = Field(
        default_factory=dict, description="any other field of TensorRT-LLM's SamplingParams, by its own name"
    )

    @field_validator("engine_args")
    @classmethod
    def _further_engine_args(cls, given: PassedOn) -> PassedOn:
        for path, _ in leaves(given):
            _require_not_reserved(path, RESERVED_ENGINE_ARGS)
            if option := taken_by(path):
                raise ValueError(f"{path} is the parameter {option}: write that, not this")
        return given

    @field_validator("sampling_args")
    @classmethod
    def _further_sampling_args(cls, given: PassedOn) -> PassedOn:
        for name in given:
            _require_not_reserved(name, RESERVED_SAMPLING_ARGS)
            if name in SAMPLING:
                raise ValueError(f"{name} is a parameter of its own: write it beside, not in here")
        return given

    @property
    def gpus_needed(self) -> int | None:
        """A GPU for each part of the model."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    def handed_at_once(self, prompts: int) -> int:
        """All of them: the engine batches by itself."""
        return prompts

    def worked_on_at_once(self, prompts: int) -> int:
        """As many sequences as the engine may hold."""
        return min(prompts, self.max_batch_size)


def _require_not_reserved(path: str, reserved: Mapping[str, str]) -> None:
    for name, reason in reserved.items():
        if path == name or path.startswith(f"{name}."):
            raise ValueError(f"{path} cannot be set: {reason}")


def _sets_what_only(options: TensorrtOptions, llm_backend: LlmBackend) -> bool:
    """Whether a parameter is set that does something with this engine only."""
    return any(
        getattr(options, option) is not None and getattr(paths, llm_backend) and not getattr(paths, other)
        for option, paths in ENGINE.items()
        for other in ("pytorch", "tensorrt")
        if other != llm_backend
    )


def _experts_do_not_fill_the_gpus(options: TensorrtOptions) -> bool:
    given = [size for size in (options.moe_tensor_parallel_size, options.moe_expert_parallel_size) if size is not None]
    if len(given) == 2:
        return given[0] * given[1] != options.tensor_parallel_size
    return any(options.tensor_parallel_size % size for size in given)


def _exceeds(larger: int | None, limit: int | None) -> bool:
    return larger is not None and limit is not None and larger > limit


def _graphs_without_graphs(options: TensorrtOptions) -> bool:
    sizes = (
        options.cuda_graph_max_batch_size,
        options.cuda_graph_padding,
        options.engine_args.get("cuda_graph_config"),
    )
    return options.cuda_graph is False and any(size is not None for size in sizes)


RULES: tuple[OptionsRule[TensorrtOptions], ...] = (
    OptionsRule(
        "needs-the-tensorrt-engine",
        "a parameter is set that does nothing with llm_backend pytorch: one of the build, quant_algo, batching_type,"
        " multi_block_mode or cuda_graph_mode",
        lambda o: o.llm_backend == "pytorch" and _sets_what_only(o, "tensorrt"),
    ),
    OptionsRule(
        "needs-pytorch",
        "a parameter is set that does nothing with llm_backend tensorrt: attn_backend, cuda_graph, torch_compile,"
        " or another of PyTorch's",
        lambda o: o.llm_backend == "tensorrt" and _sets_what_only(o, "pytorch"),
    ),
    OptionsRule(
        "int8-cache-needs-the-tensorrt-engine",
        "kv_cache_dtype int8 is not known to llm_backend pytorch",
        lambda o: o.kv_cache_dtype == "int8" and o.llm_backend == "pytorch",
    ),
    OptionsRule(
        "step-below-sequences",
        "max_num_tokens below max_batch_size cannot give each sequence a token in a step",
        lambda o: _exceeds(o.max_batch_size, o.max_num_tokens),
    ),
    OptionsRule(
        "prompt-exceeds-sequence",
        "max_input_len above max_seq_len leaves no room for an answer",
        lambda o: _exceeds(o.max_input_len, o.max_seq_len),
    ),
    OptionsRule(
        "chosen-size-exceeds-limit",
        "opt_batch_size and opt_num_tokens cannot exceed max_batch_size and max_num_tokens",
        lambda o: _exceeds(o.opt_batch_size, o.max_batch_size) or _exceeds(o.opt_num_tokens, o.max_num_tokens),
    ),
    OptionsRule(
        "experts-fill-the-gpus",
        "moe_tensor_parallel_size times moe_expert_parallel_size is tensor_parallel_size, so each divides it",
        _experts_do_not_fill_the_gpus,
    ),
    OptionsRule(
        "attention-dp-needs-gpus",
        "enable_attention_dp does nothing on one GPU",
        lambda o: o.enable_attention_dp is True and o.tensor_parallel_size == 1,
    ),
    OptionsRule(
        "chunking-policy-needs-chunks",
        "context_chunking_policy does nothing without enable_chunked_prefill",
        lambda o: o.context_chunking_policy is not None and not o.enable_chunked_prefill,
    ),
    OptionsRule(
        "chunks-need-a-paged-cache",
        "enable_chunked_prefill needs use_paged_context_fmha in an engine of TensorRT",
        lambda o: o.enable_chunked_prefill is True and o.use_paged_context_fmha is False,
    ),
    OptionsRule(
        "partial-reuse-needs-reuse",
        "enable_partial_reuse does nothing where enable_block_reuse is false",
        lambda o: o.enable_partial_reuse is True and o.enable_block_reuse is False,
    ),
    OptionsRule(
        "graph-sizes-need-graphs",
        "sizes and padding of CUDA graphs do nothing where cuda_graph is false",
        _graphs_without_graphs,
    ),
    OptionsRule(
        "compile-settings-need-compile",
        "engine_args.torch_compile_config would compile where torch_compile is false",
        lambda o: o.torch_compile is False and o.engine_args.get("torch_compile_config") is not None,
    ),
    OptionsRule(
        "fp8-attention-needs-fp8",
        "use_fp8_context_fmha needs quant_algo FP8",
        lambda o: o.use_fp8_context_fmha is True and o.quant_algo != "FP8",
    ),
    OptionsRule(
        "quantised-from-half-precision",
        "quant_algo starts from float16 or bfloat16",
        lambda o: o.quant_algo is not None and o.dtype == "float32",
    ),
)
