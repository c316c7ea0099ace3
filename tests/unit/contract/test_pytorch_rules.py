"""The rules of the pytorch backend: each is broken by what its reason names, and by nothing sensible."""

from __future__ import annotations

from typing import Any

import pytest

from runners.contract.identity import canonical_json
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.options.pytorch_rules import RULES
from tests.builders import experiment

BROKEN: dict[str, dict[str, Any]] = {
    "flash-attention-needs-half-precision": {"attn_implementation": "flash_attention_3", "dtype": "float32"},
    "flash-attention-needs-gpu": {"attn_implementation": "flash_attention_2", "device": "cpu"},
    "compile-mode-needs-compile": {"torch_compile_mode": "default"},
    "compile-shape-needs-compile": {"torch_compile_dynamic": False},
    "sampling-needs-do-sample": {"min_p": 0.1},
    "length-penalty-needs-beams": {"length_penalty": 2.0},
    "bnb-4bit-needs-4bit": {"bnb_4bit_quant_type": "nf4", "quantization": "bitsandbytes_8bit"},
    "assistant-tokens-need-assistant": {"num_assistant_tokens": 4},
    "merging-needs-adapter": {"adapter_merged": True},
    "pre-quantised-needs-half-precision": {"quantization": "gptq", "dtype": "float32"},
    "awq-needs-float16": {"quantization": "awq"},
    "int4-needs-gpu": {"quantization": "torchao_int4_weight_only", "device": "cpu"},
    "int4-needs-bfloat16": {"quantization": "torchao_int4_weight_only", "dtype": "float16"},
    "float8-dynamic-needs-gpu": {"quantization": "torchao_float8_dynamic", "device": "cpu"},
    "float8-dynamic-needs-bfloat16": {"quantization": "torchao_float8_dynamic", "dtype": "float32"},
    "static-compile-needs-compilable-quantisation": {
        "quantization": "gptq",
        "torch_compile": True,
        "cache_implementation": "static",
    },
    "merging-into-quantised-weights": {"adapter": "a/b", "adapter_merged": True, "quantization": "bitsandbytes_8bit"},
    "one-way-of-drafting": {"assistant_model": "a/b", "prompt_lookup_num_tokens": 3},
    "assisted-decoding-without-beams": {"assistant_model": "a/b", "num_beams": 2},
    "assisted-decoding-one-by-one": {"prompt_lookup_num_tokens": 3, "batch_size": 2},
    "assisted-decoding-needs-dynamic-cache": {"assistant_model": "a/b", "cache_implementation": "static"},
    "offloaded-cache-needs-gpu": {"cache_implementation": "offloaded", "device": "cpu"},
    "generation-args-once": {"generation_args": {"top_k": 5}},
    "device-map-needs-gpu": {"device_map": "auto", "device": "cpu"},
    "device-map-in-one-process": {"device_map": "auto", "data_parallel_size": 2},
    "tensor-or-data-parallel": {"tensor_parallel_size": 2, "data_parallel_size": 2},
    "tensor-parallel-without-quantisation": {"tensor_parallel_size": 2, "quantization": "bitsandbytes_8bit"},
    "tensor-parallel-without-adapter": {"tensor_parallel_size": 2, "adapter": "a/b"},
    "tensor-parallel-without-assistant": {"tensor_parallel_size": 2, "assistant_model": "a/b"},
}
SENSIBLE: list[dict[str, Any]] = [
    {},
    {"cache_implementation": "static", "torch_compile": True, "torch_compile_fullgraph": True},
    {"cache_implementation": "static", "num_beams": 2, "length_penalty": 1.2},
    {"quantization": "bitsandbytes_4bit", "bnb_4bit_quant_type": "nf4", "adapter": "a/b"},
    {"quantization": "awq", "dtype": "float16"},
    {"assistant_model": "a/b", "num_assistant_tokens": 4, "data_parallel_size": 2},
    {"tensor_parallel_size": 4, "batch_size": 8},
    {"device_map": "auto", "quantization": "gptq"},
    {"generation_args": {"guidance_scale": 1.5}},
]


def broken(**options: Any) -> set[str]:
    return {rule.name for rule in RULES if rule.forbids(PytorchOptions(**options))}


def test_there_is_a_case_for_every_rule() -> None:
    assert BROKEN.keys() == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_is_broken_by_what_it_names(name: str) -> None:
    assert broken(**BROKEN[name]) == {name}


@pytest.mark.parametrize("options", SENSIBLE)
def test_what_makes_sense_breaks_none(options: dict[str, Any]) -> None:
    assert broken(**options) == set()


def test_what_came_later_leaves_an_identity_alone_until_it_is_used() -> None:
    plain, later = experiment("pytorch"), experiment("pytorch", cache_implementation="static")
    assert not any(f'"{name}"' in canonical_json(plain) for name in PytorchOptions.LATER)
    assert '"cache_implementation":"static"' in canonical_json(later)


@pytest.mark.parametrize(
    ("options", "gpus", "prompts"),
    [
        ({"batch_size": 4}, 1, 4),
        ({"tensor_parallel_size": 2, "batch_size": 4}, 2, 4),
        ({"data_parallel_size": 3, "batch_size": 4}, 3, 12),
        ({"device_map": "auto"}, None, 1),
    ],
)
def test_gpus_and_prompts_by_arithmetic(options: dict[str, Any], gpus: int | None, prompts: int) -> None:
    declared = PytorchOptions(**options)
    assert (declared.gpus_needed, declared.handed_at_once(100)) == (gpus, prompts)
