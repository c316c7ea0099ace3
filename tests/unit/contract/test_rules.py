from __future__ import annotations

import pytest

from runners.contract.options import OPTIONS
from runners.contract.rules import RULES, broken_rule
from tests.builders import experiment

FLASH = {"attn_implementation": "flash_attention_2"}


@pytest.mark.parametrize(
    ("rule", "forbidden", "allowed"),
    [
        ("batch-exceeds-prompts", {"batch_size": 33}, {"batch_size": 32}),
        ("flash-attention-needs-half-precision", {**FLASH, "dtype": "float32"}, {**FLASH, "dtype": "float16"}),
        ("flash-attention-needs-gpu", {**FLASH, "device": "cpu"}, {**FLASH, "device": "auto"}),
        ("compile-mode-needs-compile", {"torch_compile_mode": "default"}, {"torch_compile": True}),
        ("sampling-needs-do-sample", {"temperature": 0.7}, {"temperature": 0.7, "do_sample": True}),
        ("sampling-needs-do-sample", {"top_k": 5}, {"top_k": 5, "do_sample": True}),
        ("sampling-needs-do-sample", {"top_p": 0.5}, {"top_p": 0.5, "do_sample": True}),
    ],
)
def test_pytorch(rule: str, forbidden: dict[str, object], allowed: dict[str, object]) -> None:
    broken = broken_rule(experiment("pytorch", **forbidden))
    assert broken is not None
    assert broken.name == rule
    assert broken_rule(experiment("pytorch", **allowed)) is None


@pytest.mark.parametrize(
    ("rule", "forbidden", "allowed"),
    [
        ("ubatch-fits-batch", {"n_batch": 256}, {"n_batch": 256, "n_ubatch": 256}),
        (
            "quantised-values-need-flash-attention",
            {"cache_type_v": "q8_0", "flash_attn": "off"},
            {"cache_type_v": "bf16", "cache_type_k": "q8_0", "flash_attn": "off"},
        ),
        ("sampling-needs-temperature", {"top_k": 5}, {"top_k": 5, "temperature": 0.5}),
        ("sampling-needs-temperature", {"min_p": 0.1}, {"min_p": 0.1, "temperature": 0.5}),
    ],
)
def test_llamacpp(rule: str, forbidden: dict[str, object], allowed: dict[str, object]) -> None:
    broken = broken_rule(experiment("llamacpp", **forbidden))
    assert broken is not None
    assert broken.name == rule
    assert broken_rule(experiment("llamacpp", **allowed)) is None


@pytest.mark.parametrize(
    ("rule", "forbidden", "allowed"),
    [
        ("step-below-sequences", {"max_num_batched_tokens": 127}, {"max_num_batched_tokens": 128}),
        (
            "whole-prompts-need-room",
            {"enable_chunked_prefill": False, "max_num_batched_tokens": 512, "max_model_len": 513},
            {"enable_chunked_prefill": False, "max_num_batched_tokens": 512, "max_model_len": 512},
        ),
        (
            "one-size-of-the-cache",
            {"kv_cache_memory_bytes": 2**30, "gpu_memory_utilization": 0.5},
            {"kv_cache_memory_bytes": 2**30},
        ),
        (
            "eager-compiles-nothing",
            {"enforce_eager": True, "optimization_level": 1},
            {"enforce_eager": True, "optimization_level": 0},
        ),
        ("sampling-needs-temperature", {"top_k": 5}, {"top_k": 5, "temperature": 0.7}),
        ("sampling-needs-temperature", {"min_p": 0.1}, {"min_p": 0.1, "temperature": 0.7}),
    ],
)
def test_vllm(rule: str, forbidden: dict[str, object], allowed: dict[str, object]) -> None:
    broken = broken_rule(experiment("vllm", **forbidden))
    assert broken is not None
    assert broken.name == rule
    assert broken_rule(experiment("vllm", **allowed)) is None


TENSORRT = {"llm_backend": "tensorrt"}


@pytest.mark.parametrize(
    ("rule", "forbidden", "allowed"),
    [
        ("needs-the-tensorrt-engine", {"quant_algo": "FP8"}, {"quant_algo": "FP8", **TENSORRT}),
        ("needs-the-tensorrt-engine", {"opt_batch_size": 8}, {"opt_batch_size": 8, **TENSORRT}),
        ("needs-pytorch", {"attn_backend": "TRTLLM", **TENSORRT}, {"attn_backend": "TRTLLM"}),
        (
            "int8-cache-needs-the-tensorrt-engine",
            {"kv_cache_dtype": "int8"},
            {"kv_cache_dtype": "int8", **TENSORRT},
        ),
        ("step-below-sequences", {"max_num_tokens": 127}, {"max_num_tokens": 128}),
        (
            "prompt-exceeds-sequence",
            {"max_input_len": 9, "max_seq_len": 8, **TENSORRT},
            {"max_input_len": 8, "max_seq_len": 8, **TENSORRT},
        ),
        ("chosen-size-exceeds-limit", {"opt_batch_size": 129, **TENSORRT}, {"opt_batch_size": 128, **TENSORRT}),
        (
            "experts-fill-the-gpus",
            {"tensor_parallel_size": 4, "moe_tensor_parallel_size": 2, "moe_expert_parallel_size": 4},
            {"tensor_parallel_size": 4, "moe_tensor_parallel_size": 2, "moe_expert_parallel_size": 2},
        ),
        (
            "experts-fill-the-gpus",
            {"tensor_parallel_size": 4, "moe_expert_parallel_size": 3},
            {"tensor_parallel_size": 4, "moe_expert_parallel_size": 2},
        ),
        (
            "attention-dp-needs-gpus",
            {"enable_attention_dp": True},
            {"enable_attention_dp": True, "tensor_parallel_size": 2},
        ),
        (
            "chunking-policy-needs-chunks",
            {"context_chunking_policy": "EQUAL_PROGRESS"},
            {"context_chunking_policy": "EQUAL_PROGRESS", "enable_chunked_prefill": True},
        ),
        (
            "chunks-need-a-paged-cache",
            {"enable_chunked_prefill": True, "use_paged_context_fmha": False, **TENSORRT},
            {"enable_chunked_prefill": True, "use_paged_context_fmha": True, **TENSORRT},
        ),
        (
            "partial-reuse-needs-reuse",
            {"enable_partial_reuse": True, "enable_block_reuse": False},
            {"enable_partial_reuse": True},
        ),
        (
            "graph-sizes-need-graphs",
            {"cuda_graph": False, "cuda_graph_padding": True},
            {"cuda_graph": True, "cuda_graph_padding": True},
        ),
        (
            "graph-sizes-need-graphs",
            {"cuda_graph": False, "engine_args": {"cuda_graph_config": {"batch_sizes": [1]}}},
            {"engine_args": {"cuda_graph_config": {"batch_sizes": [1]}}},
        ),
        (
            "compile-settings-need-compile",
            {"torch_compile": False, "engine_args": {"torch_compile_config": {"enable_fullgraph": True}}},
            {"torch_compile": True, "engine_args": {"torch_compile_config": {"enable_fullgraph": True}}},
        ),
        (
            "fp8-attention-needs-fp8",
            {"use_fp8_context_fmha": True, **TENSORRT},
            {"use_fp8_context_fmha": True, "quant_algo": "FP8", **TENSORRT},
        ),
        (
            "quantised-from-half-precision",
            {"quant_algo": "FP8", "dtype": "float32", **TENSORRT},
            {"quant_algo": "FP8", "dtype": "float16", **TENSORRT},
        ),
    ],
)
def test_tensorrt(rule: str, forbidden: dict[str, object], allowed: dict[str, object]) -> None:
    broken = broken_rule(experiment("tensorrt", **forbidden))
    assert broken is not None
    assert broken.name == rule
    assert broken_rule(experiment("tensorrt", **allowed)) is None


def test_simulated() -> None:
    broken = broken_rule(experiment(batch_size=33))
    assert broken is not None
    assert broken.name == "batch-exceeds-prompts"
    assert broken_rule(experiment(batch_size=32)) is None


@pytest.mark.parametrize(("backend", "limit"), [("vllm", "max_num_seqs"), ("tensorrt", "max_batch_size")])
def test_a_limit_above_the_prompts_is_no_batch_that_is_never_full(backend: str, limit: str) -> None:
    assert broken_rule(experiment(backend, workload={"prompts": 2}, **{limit: 64})) is None
    assert "batch-exceeds-prompts" not in {rule.name for rule in RULES[backend]}


@pytest.mark.parametrize("backend", OPTIONS)
@pytest.mark.parametrize(
    ("rule", "workload"),
    [
        ("column-needs-dataset", {"column": "text"}),
        ("column-needs-dataset", {"column": "text", "dataset": "aienergyscore"}),
        ("split-needs-hub-dataset", {"split": "test", "dataset": "aienergyscore"}),
        ("split-needs-hub-dataset", {"split": "test", "dataset": "p.jsonl"}),
    ],
)
def test_what_does_nothing_for_a_dataset_is_refused_of_every_backend(
    backend: str, rule: str, workload: dict[str, str]
) -> None:
    broken = broken_rule(experiment(backend, workload=workload))
    assert broken is not None
    assert broken.name == rule
    assert broken_rule(experiment(backend, workload={"dataset": "hf:a/b", "split": "test", "column": "text"})) is None


def test_every_backend_has_its_rules_and_its_defaults_break_none() -> None:
    assert set(RULES) == set(OPTIONS)
    assert all(broken_rule(experiment(backend)) is None for backend in OPTIONS)
