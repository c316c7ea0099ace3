"""Every parameter of the ``tensorrt`` backend arrives in TensorRT-LLM's own objects.

TensorRT-LLM does not run here: the objects are those of tests/standins/tensorrt_llm, which takes exactly the names,
types and defaults of the release that the image pins, and refuses others.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.rules import broken_rule
from tests.standins.installed import gpus, save_tiny_model, tensorrt_llm_installed, tensorrt_request

pytestmark = pytest.mark.runtime


class Case(NamedTuple):
    """A value that is no default, with what else it takes, and where it is to be found."""

    value: Any
    path: str
    found: Any = None
    """As it is found, where that is not the value."""
    beside: dict[str, Any] = {}  # noqa: RUF012 - never changed
    engine: str = "pytorch"


def built(value: Any, path: str, found: Any = None, **beside: Any) -> Case:
    return Case(value, path, found, beside, "tensorrt")


KV, PLUGINS, KNOBS = "kv_cache_config", "build_config.plugin_config", "extended_runtime_perf_knob_config"
GPUS = {"tensor_parallel_size": 4}
CASES: dict[str, list[Case]] = {
    "llm_backend": [Case("pytorch", "backend"), built("tensorrt", "backend", found=type(None))],
    "dtype": [Case("float16", "dtype"), built("float16", "built.pretrained_config.dtype")],
    "max_batch_size": [Case(7, "max_batch_size"), built(7, "max_batch_size"), built(7, "build_config.max_batch_size")],
    "max_num_tokens": [Case(999, "max_num_tokens"), built(999, "build_config.max_num_tokens")],
    "max_seq_len": [Case(555, "max_seq_len"), built(555, "build_config.max_seq_len")],
    "tensor_parallel_size": [Case(2, "tensor_parallel_size"), built(2, "built.pretrained_config.mapping.tp_size")],
    "pipeline_parallel_size": [Case(2, "pipeline_parallel_size"), built(2, "built.pretrained_config.mapping.pp_size")],
    "moe_tensor_parallel_size": [Case(2, "moe_tensor_parallel_size", beside=GPUS)],
    "moe_expert_parallel_size": [Case(2, "moe_expert_parallel_size", beside=GPUS)],
    "enable_attention_dp": [Case(True, "enable_attention_dp", beside=GPUS)],
    "quant_algo": [built("FP8", "built.pretrained_config.quantization.quant_algo")],
    "kv_cache_dtype": [
        Case("fp8", f"{KV}.dtype"),
        built("int8", "built.pretrained_config.quantization.kv_cache_quant_algo", found="INT8"),
    ],
    "kv_cache_free_gpu_memory_fraction": [
        Case(0.5, f"{KV}.free_gpu_memory_fraction"),
        built(0.5, f"{KV}.free_gpu_memory_fraction"),
    ],
    "kv_cache_max_tokens": [Case(4096, f"{KV}.max_tokens")],
    "kv_cache_tokens_per_block": [Case(64, f"{KV}.tokens_per_block"), built(64, f"{PLUGINS}.tokens_per_block")],
    "enable_block_reuse": [Case(False, f"{KV}.enable_block_reuse")],
    "enable_partial_reuse": [Case(False, f"{KV}.enable_partial_reuse")],
    "enable_chunked_prefill": [Case(True, "enable_chunked_prefill"), built(True, "enable_chunked_prefill")],
    "capacity_scheduler_policy": [Case("MAX_UTILIZATION", "scheduler_config.capacity_scheduler_policy")],
    "context_chunking_policy": [
        Case(
            "EQUAL_PROGRESS",
            "scheduler_config.context_chunking_policy",
            beside={"enable_chunked_prefill": True},
        )
    ],
    "attn_backend": [Case("FLASHINFER", "attn_backend")],
    "cuda_graph": [Case(False, "cuda_graph_config", found=type(None))],
    "cuda_graph_max_batch_size": [Case(16, "cuda_graph_config.max_batch_size")],
    "cuda_graph_padding": [Case(True, "cuda_graph_config.enable_padding")],
    "torch_compile": [Case(True, "torch_compile_config.enable_fullgraph")],
    "disable_overlap_scheduler": [Case(True, "disable_overlap_scheduler")],
    "enable_autotuner": [Case(False, "enable_autotuner")],
    "sampler_type": [Case("TorchSampler", "sampler_type")],
    "max_input_len": [built(2048, "build_config.max_input_len")],
    "opt_batch_size": [built(3, "build_config.opt_batch_size")],
    "opt_num_tokens": [built(77, "build_config.opt_num_tokens")],
    "strongly_typed": [built(False, "build_config.strongly_typed")],
    "gemm_plugin": [built("auto", f"{PLUGINS}.gemm_plugin")],
    "use_paged_context_fmha": [built(False, f"{PLUGINS}.use_paged_context_fmha")],
    "use_fp8_context_fmha": [built(False, f"{PLUGINS}.use_fp8_context_fmha")],
    "use_fused_mlp": [built(False, f"{PLUGINS}.use_fused_mlp")],
    "reduce_fusion": [built(True, f"{PLUGINS}.reduce_fusion")],
    "multiple_profiles": [built(True, f"{PLUGINS}.multiple_profiles")],
    "fast_build": [built(True, "key.fast_build")],
    "batching_type": [built("STATIC", "batching_type")],
    "multi_block_mode": [built(False, f"{KNOBS}.multi_block_mode")],
    "cuda_graph_mode": [built(True, f"{KNOBS}.cuda_graph_mode")],
    "temperature": [Case(0.7, "sampling.temperature")],
    "top_k": [Case(5, "sampling.top_k")],
    "top_p": [Case(0.9, "sampling.top_p")],
    "min_p": [Case(0.1, "sampling.min_p")],
    "repetition_penalty": [Case(1.1, "sampling.repetition_penalty")],
    "presence_penalty": [Case(0.2, "sampling.presence_penalty")],
    "frequency_penalty": [Case(0.3, "sampling.frequency_penalty")],
    "no_repeat_ngram_size": [Case(3, "sampling.no_repeat_ngram_size")],
    "engine_args": [
        Case({"allreduce_strategy": "NCCL"}, "allreduce_strategy", found="NCCL"),
        Case({KV: {"host_cache_size": 1024}}, f"{KV}.host_cache_size", found=1024),
        built({"build_config": {"plugin_config": {"moe_plugin": "float16"}}}, f"{PLUGINS}.moe_plugin", found="float16"),
    ],
    "sampling_args": [Case({"top_p_min": 0.2}, "sampling.top_p_min", found=0.2)],
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts the backend with options, on four GPUs of compute capability 9.0, and loads a model without weights."""
    model = save_tiny_model(tmp_path / "model")
    named = gpus(monkeypatch, *[(9, 0)] * 4)
    backends: list[Any] = []

    def start(**options: Any) -> Any:
        request = tensorrt_request(model, named, **options)
        assert broken_rule(request.experiment) is None
        module = importlib.import_module("runners.backends.tensorrt")
        here = importlib.import_module("runners.backends.tensorrt_build").build_here
        monkeypatch.setattr(module, "build", here)  # a process for each would take long; another test has one
        backend = module.BACKEND(request, request.experiment.options, lambda: None)
        backends.append(backend)
        backend.prepare()
        backend.load()
        return backend

    with tensorrt_llm_installed(monkeypatch):
        yield start
        for backend in backends:
            backend.close()


def at(backend: Any, path: str) -> Any:
    """What lies at a path of the live engine's arguments, of its sampling, or of what it was built from."""
    first, _, rest = path.partition(".")
    found: Any = backend._llm.args
    if first == "sampling":
        backend.generate([[1, 2]])
        found, path = backend._llm.calls[-1]["sampling"], rest
    elif first == "built":
        found, path = backend.effective_config()["engine"], rest
    elif first == "key":
        found, path = backend._arguments, rest
    for part in path.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return found


def test_no_parameter_is_forgotten() -> None:
    assert CASES.keys() == TensorrtOptions.model_fields.keys() - {"backend"}


@pytest.mark.parametrize(
    ("field", "case"),
    [pytest.param(field, case, id=f"{field}-{case.engine}") for field, cases in CASES.items() for case in cases],
)
def test_a_parameter_arrives_in_the_engine(field: str, case: Case, started: Callable[..., Any]) -> None:
    if field != "llm_backend":
        assert case.value != TensorrtOptions.model_fields[field].get_default(call_default_factory=True)
    backend = started(**{"llm_backend": case.engine, **case.beside, field: case.value})

    found = at(backend, case.path)

    if field == "torch_compile":
        assert found is True
    elif case.found is type(None):
        assert found is None
    else:
        assert getattr(found, "value", found) == (case.value if case.found is None else case.found)
    assert backend.overridden() == []


def test_what_is_null_is_left_to_the_engine(started: Callable[..., Any]) -> None:
    args, untouched = started()._llm.args, importlib.import_module("tensorrt_llm.llmapi").TorchLlmArgs(model="m")
    asked = {
        "model",
        "dtype",
        "max_batch_size",
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "return_perf_metrics",
    }
    given = {"backend"}

    assert args.model_fields_set >= asked
    differing = {name for name in type(args).model_fields if getattr(args, name) != getattr(untouched, name)}
    assert differing <= asked | given
