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


def test_simulated() -> None:
    broken = broken_rule(experiment(batch_size=33))
    assert broken is not None
    assert broken.name == "batch-exceeds-prompts"
    assert broken_rule(experiment(batch_size=32)) is None


def test_every_backend_has_its_rules_and_its_defaults_break_none() -> None:
    assert set(RULES) == set(OPTIONS)
    assert all(broken_rule(experiment(backend)) is None for backend in OPTIONS)
