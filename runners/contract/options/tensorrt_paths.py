"""Where each parameter of the ``tensorrt`` backend goes in TensorRT-LLM's own arguments; its two engines differ.

A path such as ``kv_cache_config.dtype`` names an argument of ``LLM`` and the field within it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

LlmBackend = Literal["pytorch", "tensorrt"]


class Paths(NamedTuple):
    """The paths of a parameter for each engine; none: it does nothing there."""

    pytorch: tuple[str, ...] = ()
    tensorrt: tuple[str, ...] = ()


def _both(path: str) -> Paths:
    return Paths((path,), (path,))


def _size(name: str) -> Paths:
    """A limit at run time, for which an engine has to be built as well."""
    return Paths((name,), (name, f"build_config.{name}"))


def _built(name: str) -> Paths:
    return Paths(tensorrt=(f"build_config.{name}",))


def _plugin(name: str) -> Paths:
    return _built(f"plugin_config.{name}")


def _knob(name: str) -> Paths:
    return Paths(tensorrt=(f"extended_runtime_perf_knob_config.{name}",))


ENGINE: Final[Mapping[str, Paths]] = {
    "dtype": _both("dtype"),
    "max_batch_size": _size("max_batch_size"),
    "max_num_tokens": _size("max_num_tokens"),
    "max_seq_len": _size("max_seq_len"),
    "tensor_parallel_size": _both("tensor_parallel_size"),
    "pipeline_parallel_size": _both("pipeline_parallel_size"),
    "moe_tensor_parallel_size": _both("moe_tensor_parallel_size"),
    "moe_expert_parallel_size": _both("moe_expert_parallel_size"),
    "kv_cache_dtype": Paths(("kv_cache_config.dtype",), ("quant_config.kv_cache_quant_algo",)),
    "kv_cache_free_gpu_memory_fraction": _both("kv_cache_config.free_gpu_memory_fraction"),
    "kv_cache_max_tokens": _both("kv_cache_config.max_tokens"),
    "kv_cache_tokens_per_block": Paths(
        ("kv_cache_config.tokens_per_block",), ("build_config.plugin_config.tokens_per_block",)
    ),
    "enable_block_reuse": _both("kv_cache_config.enable_block_reuse"),
    "enable_partial_reuse": _both("kv_cache_config.enable_partial_reuse"),
    "enable_chunked_prefill": _both("enable_chunked_prefill"),
    "capacity_scheduler_policy": _both("scheduler_config.capacity_scheduler_policy"),
    "context_chunking_policy": _both("scheduler_config.context_chunking_policy"),
    "enable_attention_dp": Paths(("enable_attention_dp",)),
    "attn_backend": Paths(("attn_backend",)),
    "cuda_graph": Paths(("cuda_graph_config",)),
    "cuda_graph_max_batch_size": Paths(("cuda_graph_config.max_batch_size",)),
    "cuda_graph_padding": Paths(("cuda_graph_config.enable_padding",)),
    "torch_compile": Paths(("torch_compile_config",)),
    "disable_overlap_scheduler": Paths(("disable_overlap_scheduler",)),
    "enable_autotuner": Paths(("enable_autotuner",)),
    "sampler_type": Paths(("sampler_type",)),
    "quant_algo": Paths(tensorrt=("quant_config.quant_algo",)),
    "max_input_len": Paths(tensorrt=("max_input_len", "build_config.max_input_len")),
    "opt_batch_size": _built("opt_batch_size"),
    "opt_num_tokens": _built("opt_num_tokens"),
    "strongly_typed": _built("strongly_typed"),
    "gemm_plugin": _plugin("gemm_plugin"),
    "use_paged_context_fmha": _plugin("use_paged_context_fmha"),
    "use_fp8_context_fmha": _plugin("use_fp8_context_fmha"),
    "use_fused_mlp": _plugin("use_fused_mlp"),
    "reduce_fusion": _plugin("reduce_fusion"),
    "multiple_profiles": _plugin("multiple_profiles"),
    "fast_build": Paths(tensorrt=("fast_build",)),
    "batching_type": Paths(tensorrt=("batching_type",)),
    "multi_block_mode": _knob("multi_block_mode"),
    "cuda_graph_mode": _knob("cuda_graph_mode"),
}
"""Of the arguments of ``LLM``."""

SAMPLING: Final = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "no_repeat_ngram_size",
)
"""Parameters that have the name of a field of ``SamplingParams``."""

_MINE = "the runner sets it: it would not be measured as the request says"
RESERVED_ENGINE_ARGS: Final[Mapping[str, str]] = {
    "model": "the campaign's model says it",
    "tokenizer": "it is the model's own",
    "revision": "the campaign's model says it: ORG/NAME@REVISION",
    "tokenizer_revision": "it is the model's own",
    "backend": "llm_backend says it",
    "skip_tokenizer_init": _MINE,
    "return_perf_metrics": _MINE,
    "stream_interval": "each token's time is recorded as it comes",
    "num_postprocess_workers": "answers stay token ids",
    "context_parallel_size": "GPUs are counted from tensor_parallel_size and pipeline_parallel_size",
    "max_beam_width": "each prompt has one answer, and beams cannot be streamed",
    "build_config.max_beam_width": "each prompt has one answer, and beams cannot be streamed",
    "enable_build_cache": "orchestrate keeps built engines itself, under more than that cache looks at",
    "workspace": "orchestrate keeps built engines itself",
}
RESERVED_SAMPLING_ARGS: Final[Mapping[str, str]] = {
    "seed": "the campaign's seed says it",
    **dict.fromkeys(("n", "best_of", "use_beam_search"), "each prompt has one answer, and beams cannot be streamed"),
    **dict.fromkeys(
        ("end_id", "pad_id", "max_tokens", "min_tokens", "ignore_eos", "stop", "stop_token_ids"),
        "workload.output_tokens is the exact length of each answer",
    ),
    "return_perf_metrics": _MINE,
    "truncate_prompt_tokens": "workload.input_tokens is the exact length of each prompt",
}


def leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested arguments with its path; an empty mapping is a value."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def taken_by(path: str) -> str | None:
    """The parameter that a path of ``engine_args`` belongs to, or is a part or the whole of."""
    for option, paths in ENGINE.items():
        for own in (*paths.pytorch, *paths.tensorrt):
            # The whole of a config that has fields of its own is another thing than the switch for it.
            if path == own or own.startswith(f"{path}."):
                return option
    return None
