"""What vLLM is asked for and what is made of what it says, without the engine."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from runners.backends.vllm_config import (
    engine_arguments,
    overridden,
    plain,
    read_back,
    sampling_arguments,
    settle_environment,
)
from runners.backends.vllm_errors import engine_errors
from runners.backends.vllm_requests import Progress
from runners.contract.options.vllm import VllmOptions
from runners.failures import classify

FOLDER = Path("/models/one")


def arguments(make_request: Any, *, on_cpu: bool = False, seed: int = 7, **options: Any) -> dict[str, Any]:
    chosen = VllmOptions(**options)
    return engine_arguments(make_request(seed=seed), chosen, FOLDER, on_cpu=on_cpu)


def test_the_engine_is_asked_for_what_was_said_and_for_nothing_that_was_not(make_request: Any) -> None:
    found = arguments(make_request, max_num_batched_tokens=4096, engine_args={"swa_bounded_replay": False})
    assert found == {
        "model": "/models/one",
        "seed": 7,
        "disable_log_stats": False,
        "use_tqdm_on_load": False,
        "dtype": "bfloat16",
        "max_num_seqs": 128,
        "max_num_batched_tokens": 4096,
        "tensor_parallel_size": 1,
        "pipeline_parallel_size": 1,
        "swa_bounded_replay": False,
    }


def test_false_and_zero_are_said(make_request: Any) -> None:
    found = arguments(make_request, enable_prefix_caching=False, optimization_level=0)
    assert (found["enable_prefix_caching"], found["optimization_level"]) == (False, 0)


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 2 * 2**30), ({"kv_cache_memory_bytes": 5}, 5), ({"gpu_memory_utilization": 0.5}, None)],
)
def test_on_a_cpu_the_cache_has_a_size_unless_one_was_asked_for(
    make_request: Any, options: dict[str, Any], size: int | None
) -> None:
    assert arguments(make_request, on_cpu=True, **options).get("kv_cache_memory_bytes") == size
    assert "kv_cache_memory_bytes" not in arguments(make_request)


def test_a_seed_is_one_that_numpy_takes(make_request: Any) -> None:
    assert arguments(make_request, seed=2**32 + 3)["seed"] == 3


def test_it_runs_in_this_process_whatever_the_environment_says_and_else_as_that_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {"VLLM_ENABLE_V1_MULTIPROCESSING": "1", "VLLM_CONFIGURE_LOGGING": "1"})
    settle_environment()
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert os.environ["VLLM_CONFIGURE_LOGGING"] == "1"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("1.0 GiB KV cache is needed, which is larger than the available KV cache memory"), "out_of_memory"),
        (ValueError("Free memory is less than desired GPU memory utilization (0.9)"), "gpu_out_of_memory"),
        (ValueError("Bfloat16 is only supported on GPUs with compute capability of at least 8.0"), "unsupported"),
        (NotImplementedError("not for this one"), "unsupported"),
        (ValueError("block_size must be even"), "bad_request"),
        (TypeError("no such argument"), "bad_request"),
    ],
)
def test_what_the_engine_says_of_memory_is_no_bad_request(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    exceptions = SimpleNamespace(VLLMClientError=type("VLLMClientError", (Exception,), {}))
    for name, module in {
        "vllm": SimpleNamespace(exceptions=exceptions),
        "vllm.exceptions": exceptions,
        "msgspec": SimpleNamespace(ValidationError=type("ValidationError", (Exception,), {})),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)  # of vLLM only the names of its errors
    with pytest.raises(Exception) as caught, engine_errors("engine_args"):
        raise error
    assert classify(caught.value) == kind


def test_every_answer_has_exactly_its_length() -> None:
    found = sampling_arguments(VllmOptions(temperature=0.5, top_k=3, sampling_args={"bad_words": ["no"]}), 9)
    assert found == {
        "detokenize": False,
        "temperature": 0.5,
        "top_k": 3,
        "bad_words": ["no"],
        "min_tokens": 9,
        "max_tokens": 9,
        "ignore_eos": True,
    }


@pytest.mark.parametrize(
    ("field", "name", "reason"),
    [
        ("engine_args", "max_num_seqs", "a parameter of its own"),
        ("engine_args", "seed", "the campaign's seed"),
        ("engine_args", "disable_log_stats", "the engine's statistics"),
        ("engine_args", "device_ids", "the campaign's gpus"),
        ("engine_args", "prefill_context_parallel_size", "GPUs are counted from"),
        ("sampling_args", "temperature", "a parameter of its own"),
        ("sampling_args", "max_tokens", "workload.output_tokens"),
    ],
)
def test_what_has_a_place_of_its_own_is_not_passed_on(field: str, name: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}.*{reason}"):
        VllmOptions.model_validate({field: {name: 1}})


class Mode(enum.IntEnum):
    NONE = 0


class Dtype:
    """As torch prints its own."""

    def __str__(self) -> str:
        return "torch.bfloat16"


def config(**changes: Any) -> SimpleNamespace:
    parts = {
        "model_config": SimpleNamespace(dtype=Dtype(), quantization="gptq_marlin", max_model_len=8192),
        "scheduler_config": SimpleNamespace(max_num_seqs=8, max_num_batched_tokens=2048, policy="fcfs"),
        "cache_config": SimpleNamespace(cache_dtype="fp8", swa_bounded_replay=True),
        "compilation_config": SimpleNamespace(mode=Mode.NONE, backend="inductor", static_forward_context={}),
        "attention_config": SimpleNamespace(backend=None),
    }
    return SimpleNamespace(**(parts | changes))


def test_the_engine_s_configuration_is_read_back_flat_and_in_json() -> None:
    found = read_back(config(), {"swa_bounded_replay": False, "no_such_thing": 1})
    expected = {
        "dtype": "bfloat16",
        "max_num_seqs": 8,
        "kv_cache_dtype": "fp8",
        "compilation_mode": "NONE",
        "swa_bounded_replay": True,
        "attention_backend": None,
    }
    assert expected.items() <= found.items()
    assert "no_such_thing" not in found


def test_the_attention_kernel_is_the_one_that_the_layers_have() -> None:
    layer = SimpleNamespace(attn_backend=SimpleNamespace(get_name=lambda: "FLASH_ATTN"))
    compilation = SimpleNamespace(static_forward_context={"moe": SimpleNamespace(), "attention": layer})
    assert read_back(config(compilation_config=compilation), {})["attention_backend"] == "FLASH_ATTN"


def test_what_the_engine_did_otherwise_is_told_in_words() -> None:
    asked = {"max_num_batched_tokens": 512, "quantization": "gptq", "dtype": "auto", "max_num_seqs": 8}
    assert overridden(asked, read_back(config(), asked)) == [
        "max_num_batched_tokens was 512, and the engine uses 2048",
        "quantization was gptq, and the engine uses gptq_marlin",
    ]


def test_a_part_of_the_configuration_that_was_passed_on_is_held_against_the_engine_s() -> None:
    kept: dict[str, Any] = {"compilation_config": {"mode": Mode.NONE.value}}
    assert overridden(kept, read_back(config(), kept)) == []
    asked = {"compilation_config": {"mode": "NONE", "backend": "eager"}}
    assert overridden(asked, read_back(config(), asked)) == [
        "compilation_config was {'mode': 'NONE', 'backend': 'eager'}, and the engine uses"
        " {'mode': 'NONE', 'backend': 'inductor'}"
    ]


@pytest.mark.parametrize(
    ("asked", "found", "same"),
    [
        ("flash_attn", "FLASH_ATTN", True),
        ({"mode": 0}, {"mode": 0, "level": 2}, True),
        ({"mode": 0}, {"mode": 3}, False),
        (["a"], ["a"], True),
        (True, False, False),
    ],
)
def test_a_mapping_names_only_what_it_changes_and_case_does_not_matter(asked: Any, found: Any, same: bool) -> None:
    assert (overridden({"x": asked}, {"x": found}) == []) is same


def test_values_are_those_of_json() -> None:
    assert plain({1: (Mode.NONE, Path("/a")), "b": {None}}) == {"1": ["NONE", "/a"], "b": [None]}


def output(name: str, tokens: list[int], scheduled_s: float, at_s: float) -> SimpleNamespace:
    metrics = SimpleNamespace(scheduled_ts=scheduled_s, last_token_ts=at_s)
    return SimpleNamespace(request_id=name, outputs=[SimpleNamespace(token_ids=tokens)], metrics=metrics)


def test_each_request_has_its_own_moments_and_several_tokens_of_a_step_one() -> None:
    progress = Progress(["5", "6", "7"])
    progress.add([output("6", [1], 10.0, 10.5)])
    progress.add([output("6", [2, 3], 10.0, 10.8), output("5", [4], 10.6, 11.0)])
    first, second, third = progress.timings
    assert progress.outputs == [[4], [1, 2, 3], []]
    assert first == (10.6, 11.0, 11.0, [11.0])
    assert second == (10.0, 10.5, 10.8, [10.5, 10.8, 10.8])
    assert third == (None, None, None, None)
