"""The ``tensorrt`` backend with what stands in for TensorRT-LLM: refusals, failures, times, and what is read back."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from runners.backends.children import descendants_cpu_s, told_while_children_work
from runners.backends.tensorrt_requests import begun
from runners.contract.paths import FailureKind
from runners.contract.request import SIMULATED_NAME
from runners.errors import BadRequestError, EngineError, UnsupportedError
from runners.failures import classify
from tests.standins.installed import gpus, save_tiny_model, tensorrt_llm_installed, tensorrt_request

FAULT = "TENSORRT_LLM_STANDIN_FAULT"
HOPPER = (9, 0)
Make = Callable[..., Any]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """Makes the backend with options, on one GPU of compute capability 9.0 unless others are named."""
    model = save_tiny_model(tmp_path / "model")
    made: list[Any] = []

    def made_with(
        named: list[dict[str, Any]] | None = None, alive: Callable[[], None] = lambda: None, **options: Any
    ) -> Any:
        module = importlib.import_module("runners.backends.tensorrt")
        monkeypatch.setattr(module, "build", importlib.import_module("runners.backends.tensorrt_build").build_here)
        request = tensorrt_request(model, gpus(monkeypatch, HOPPER) if named is None else named, **options)
        made.append(module.BACKEND(request, request.experiment.options, alive))
        return made[-1]

    with tensorrt_llm_installed(monkeypatch):
        yield made_with
        for backend in made:
            backend.close()


def started(backend: Any) -> Any:
    backend.prepare()
    backend.load()
    return backend


def test_without_a_real_gpu_it_is_refused(make: Make) -> None:
    simulated = {"index": 0, "uuid": "GPU-0", "name": f"{SIMULATED_NAME}A100"}
    for named in ([], [simulated]):
        with pytest.raises(UnsupportedError, match="given none that is real"):
            make(named)


def test_a_gpu_that_is_not_the_metered_one_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (named,) = gpus(monkeypatch, HOPPER)
    with pytest.raises(BadRequestError, match="is metered"):
        make([{**named, "uuid": "GPU-another"}])


@pytest.mark.parametrize(
    ("capability", "options", "said"),
    [
        ((7, 5), {}, "has compute capability 7.5, and TensorRT-LLM runs on 8.0, 8.6, 8.9, 9.0, 10.0, 10.3, 12.0, 12.1"),
        ((8, 7), {}, "has compute capability 8.7"),
        ((8, 6), {"quant_algo": "FP8"}, "FP8 needs compute capability 8.9, 9.0, .* has 8.6"),
        ((9, 0), {"quant_algo": "NVFP4"}, "NVFP4 needs compute capability 10.0, 10.3, 12.0, 12.1, .* has 9.0"),
        ((10, 0), {"quant_algo": "W4A8_AWQ"}, "W4A8_AWQ needs compute capability 8.9, 9.0, .* has 10.0"),
        ((8, 0), {"gemm_plugin": "fp8"}, "fp8 needs compute capability"),
    ],
)
def test_a_gpu_on_which_it_cannot_run_is_refused_before_a_model_is_looked_for(
    make: Make, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], options: dict[str, str], said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        make(gpus(monkeypatch, capability), llm_backend="tensorrt", **options)


def test_a_model_is_not_split_over_gpus_of_two_kinds(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"capabilities 8\.0, 9\.0"):
        make(gpus(monkeypatch, (8, 0), (9, 0)), tensor_parallel_size=2)


def test_fewer_gpus_than_parts_are_refused(make: Make) -> None:
    with pytest.raises(BadRequestError, match="the options need 2 GPUs, and the run was given 1"):
        make(tensor_parallel_size=2)


@pytest.mark.parametrize("engine", ["pytorch", "tensorrt"])
def test_each_request_has_its_own_answer_of_the_exact_length_and_its_own_times(make: Make, engine: str) -> None:
    told = []
    backend = started(make(alive=lambda: told.append(1), llm_backend=engine))
    batch = backend.generate([[1, 2, 3], [1]])

    assert [call["inputs"] for call in backend._llm.calls] == [[1, 2, 3], [1]]
    assert batch.outputs == [[1, 2, 3, 4]] * 2
    assert batch.token_times_s is None
    assert len(told) == 8
    assert batch.timings is not None
    for timing in batch.timings:
        assert timing.token_times_s is not None
        assert len(timing.token_times_s) == 4
        moments = [batch.start_s, timing.begun_s, *timing.token_times_s, batch.end_s]
        assert moments == sorted(moments)  # one clock, in order
        assert (timing.first_token_s, timing.last_token_s) == (timing.token_times_s[0], timing.token_times_s[-1])
    for call in backend._llm.calls:
        assert call["streaming"] is True
        sampling = call["sampling"]
        assert (sampling.max_tokens, sampling.end_id, sampling.ignore_eos, sampling.seed) == (4, -1, True, 11)
        assert sampling.detokenize is False


def test_moments_of_another_clock_are_not_mixed_in(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAULT, "generate:other_clock")
    batch = started(make()).generate([[1]])
    assert batch.timings is not None
    assert batch.timings[0].begun_s is None
    assert batch.timings[0].first_token_s is not None


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((10.1, 10.2, 10.3), 10.2),
        ((9.9, 10.2, 10.3), None),
        ((10.1, 10.05, 10.3), None),
        ((10.1, 10.2, 10.6), None),
        ((0.0, 0.0, 0.0), None),
    ],
)
def test_when_a_request_was_taken_up(moments: tuple[float, float, float], expected: float | None) -> None:
    names = ("arrival_time", "first_scheduled_time", "first_token_time")
    timing = SimpleNamespace(**{name: timedelta(seconds=at) for name, at in zip(names, moments, strict=True)})
    assert begun(SimpleNamespace(timing_metrics=timing), 10.0, 10.5) == expected
    assert begun(None, 10.0, 10.5) is None


def test_text_becomes_tokens_with_the_model_s_own_tokenizer(make: Make) -> None:
    backend = started(make())
    assert backend.encode("a few words") == [2, 3, 4]
    assert backend.prefix == [1]
    architecture = backend.architecture()
    assert architecture is not None
    assert len(architecture.layers) == 2


@pytest.mark.parametrize(
    ("fault", "raised", "kind"),
    [
        ("load:out_of_memory", torch.OutOfMemoryError, None),
        ("load:unsupported", UnsupportedError, "unsupported"),
        ("load:error", RuntimeError, "engine_failed"),
        ("generate:out_of_memory", torch.OutOfMemoryError, None),
        ("generate:error", RuntimeError, "engine_failed"),
        ("generate:short", EngineError, "engine_failed"),
    ],
)
def test_a_failure_is_of_its_kind(
    make: Make, monkeypatch: pytest.MonkeyPatch, fault: str, raised: type[Exception], kind: str | None
) -> None:
    backend = make()
    backend.prepare()
    monkeypatch.setenv(FAULT, fault)

    def run() -> None:
        backend.load()
        backend.generate([[1], [2]])

    with pytest.raises(raised) as failed:
        run()
    found = classify(failed.value).value
    assert found == kind if kind else found.endswith("out_of_memory")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine_args": {"no_such_argument": 1}}, "no_such_argument"),
        ({"engine_args": {"kv_cache_config": {"host_cache_size": "much"}}}, "host_cache_size"),
        ({"engine_args": {"embedding_parallel_mode": "NONE"}}, "specific to TensorRT"),
        ({"sampling_args": {"no_such_field": 1}}, "no_such_field"),
    ],
)
def test_what_the_library_does_not_take_is_a_bad_request(make: Make, options: dict[str, Any], said: str) -> None:
    backend = make(**options)
    backend.prepare()
    with pytest.raises(BadRequestError, match=said):
        backend.load()


def test_a_plugin_that_there_is_not_would_be_ignored_and_is_refused(make: Make) -> None:
    arguments = {"build_config": {"plugin_config": {"gem_plugin": "auto"}}}
    with pytest.raises(BadRequestError, match="no plugin gem_plugin"):
        make(llm_backend="tensorrt", engine_args=arguments).prepare()


@pytest.mark.parametrize(
    ("options", "prompt", "said"),
    [
        ({"max_seq_len": 12}, 9, "a prompt of 9 tokens and an answer of 4 exceed the engine's 12 positions"),
        ({"max_num_tokens": 200}, 201, "exceeds the engine's max_num_tokens of 200"),
        ({"llm_backend": "tensorrt"}, 1025, "exceeds the engine's max_input_len of 1024"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(make: Make, options: dict[str, Any], prompt: int, said: str) -> None:
    backend = started(make(**options))
    with pytest.raises(BadRequestError, match=said):
        backend.generate([[1] * prompt])


def test_what_the_engine_does_otherwise_is_told(make: Make) -> None:
    backend = started(make(max_num_tokens=4096))
    assert backend.overridden() == []
    backend._llm.args.max_num_tokens = 2048
    backend._llm.args.kv_cache_config.enable_block_reuse = False
    assert backend.overridden() == ["max_num_tokens 4096 was asked for, and TensorRT-LLM uses 2048"]


def test_closing_ends_the_engine(make: Make) -> None:
    backend = started(make())
    engine = backend._llm
    backend.close()
    assert engine.running is False
    assert "pytorch" in engine.args.backend


def test_an_engine_is_built_once_and_loaded_from_where_it_is_kept(make: Make, tmp_path: Path) -> None:
    first = started(make(llm_backend="tensorrt", quant_algo="FP8"))
    found = first.effective_config()
    assert Path(found["engine_folder"]).parent == tmp_path / ".cache/orchestrate/trt-engines"
    assert found["engine"]["pretrained_config"]["quantization"]["quant_algo"] == "FP8"
    assert first._llm.args.model == Path(found["engine_folder"])

    before = (Path(found["engine_folder"]) / "rank0.engine").stat().st_mtime_ns
    second = started(make(llm_backend="tensorrt", quant_algo="FP8", temperature=0.5, enable_block_reuse=False))
    assert second.effective_config()["engine_folder"] == found["engine_folder"]
    assert (Path(found["engine_folder"]) / "rank0.engine").stat().st_mtime_ns == before


def test_an_engine_that_is_not_whole_is_never_kept(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FAULT, "build:half")
    with pytest.raises(EngineError, match=r"built no rank0\.engine"):
        make(llm_backend="tensorrt").prepare()
    kept = tmp_path / ".cache/orchestrate/trt-engines"
    assert [path.name for path in kept.iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.parametrize(
    ("fault", "arguments", "raised", "said"),
    [
        ("", {"dtype": "float16"}, None, ""),
        ("", {"no_such_argument": 1}, BadRequestError, "does not take an argument"),
        ("build:error", {}, EngineError, "exit code 1"),
        ("build:crash", {}, EngineError, "exit code -9"),
    ],
)
def test_an_engine_is_built_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: str,
    arguments: dict[str, Any],
    raised: type[Exception] | None,
    said: str,
) -> None:
    monkeypatch.setenv(FAULT, fault)
    with tensorrt_llm_installed(monkeypatch):
        build = importlib.import_module("runners.backends.tensorrt_build").build
        model = save_tiny_model(tmp_path / "model")
        if raised is None:
            build(model, arguments, tmp_path / "engine")
            assert {path.name for path in (tmp_path / "engine").iterdir()} == {"config.json", "rank0.engine"}
        else:
            with pytest.raises(raised, match=said):
                build(model, arguments, tmp_path / "engine")


def test_the_engine_describes_itself_by_the_names_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    with tensorrt_llm_installed(monkeypatch):
        described = importlib.import_module("runners.backends.tensorrt").describe()
    assert described.version == f"tensorrt_llm 1.2.1, torch {torch.__version__}, tensorrt 10.0.0"
    assert {"attn_backend", "build_config", "kv_cache_config"} <= described.fields["engine_args"].keys()
    assert described.fields["engine_args"]["max_num_tokens"].default == "8192"
    assert described.fields["sampling_args"]["top_p_min"].default == "None"


def test_processes_that_an_engine_starts_are_signs_of_life_if_they_compute() -> None:
    told: list[float] = []
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as earlier:
        try:
            with told_while_children_work(lambda: told.append(time.monotonic()), every_s=0.05):
                time.sleep(0.3)
            assert told == []  # it was there before
            with told_while_children_work(lambda: told.append(time.monotonic()), every_s=0.05):
                worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
                deadline_s = time.monotonic() + 30
                while not told and time.monotonic() < deadline_s:
                    time.sleep(0.05)
                assert told
                assert {earlier.pid, worker.pid} <= descendants_cpu_s().keys()
                assert os.getpid() not in descendants_cpu_s()
                worker.kill()
                worker.wait()
        finally:
            earlier.kill()


SAMPLING_PARAMS = (
    "end_id pad_id max_tokens bad bad_token_ids stop stop_token_ids include_stop_str_in_output embedding_bias"
    " logits_processor apply_batched_logits_processor n best_of use_beam_search top_k top_p top_p_min top_p_reset_ids"
    " top_p_decay seed temperature min_tokens beam_search_diversity_rate repetition_penalty presence_penalty"
    " frequency_penalty prompt_ignore_length length_penalty early_stopping no_repeat_ngram_size min_p beam_width_array"
    " logprobs prompt_logprobs return_context_logits return_generation_logits exclude_input_from_output"
    " return_encoder_output return_perf_metrics additional_model_outputs lookahead_config guided_decoding ignore_eos"
    " detokenize add_special_tokens truncate_prompt_tokens skip_special_tokens spaces_between_special_tokens"
)
BASE_ARGS = (
    "model tokenizer tokenizer_mode custom_tokenizer skip_tokenizer_init trust_remote_code tensor_parallel_size dtype"
    " revision tokenizer_revision pipeline_parallel_size context_parallel_size gpus_per_node moe_cluster_parallel_size"
    " moe_tensor_parallel_size moe_expert_parallel_size enable_attention_dp enable_lm_head_tp_in_adp pp_partition"
    " cp_config load_format fail_fast_on_attention_window_too_large enable_lora lora_config kv_cache_config"
    " enable_chunked_prefill guided_decoding_backend batched_logits_processor iter_stats_max_iterations"
    " request_stats_max_iterations peft_cache_config scheduler_config cache_transceiver_config sparse_attention_config"
    " speculative_config max_batch_size max_input_len max_seq_len max_beam_width max_num_tokens"
    " gather_generation_logits num_postprocess_workers postprocess_tokenizer_dir reasoning_parser decoding_config"
    " otlp_traces_endpoint backend return_perf_metrics orchestrator_type env_overrides"
)
TRT_ARGS = (
    " enable_tqdm workspace enable_build_cache extended_runtime_perf_knob_config calib_config quant_config"
    " embedding_parallel_mode fast_build build_config enable_prompt_adapter max_prompt_adapter_token batching_type"
    " normalize_log_probs"
)
GENERATE_ASYNC = (
    "self inputs sampling_params lora_request prompt_adapter_request streaming kv_cache_retention_config"
    " disaggregated_params _postproc_params scheduling_params cache_salt"
)


def test_what_stands_in_has_the_signatures_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of 1.2.1, in its order, as its image was introspected; the defaults that matter here beside them."""
    with tensorrt_llm_installed(monkeypatch):
        llmapi = importlib.import_module("tensorrt_llm.llmapi")
        assert [field.name for field in dataclasses.fields(llmapi.SamplingParams)] == SAMPLING_PARAMS.split()
        assert list(llmapi.TrtLlmArgs.model_fields) == (BASE_ARGS + TRT_ARGS).split()
        assert list(llmapi.TorchLlmArgs.model_fields)[: len(BASE_ARGS.split())] == BASE_ARGS.split()
        assert list(inspect.signature(llmapi.LLM.generate_async).parameters) == GENERATE_ASYNC.split()
        defaults = {name: info.default for name, info in llmapi.TrtLlmArgs.model_fields.items()}
        assert (defaults["max_batch_size"], defaults["max_num_tokens"], defaults["dtype"]) == (None, 8192, "auto")
        with pytest.raises(ValueError, match="Extra inputs are not permitted"):
            llmapi.TorchLlmArgs(model="m", unknown=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
            llmapi.SamplingParams(unknown=1)


def test_a_value_error_that_tells_of_memory_is_no_bad_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with tensorrt_llm_installed(monkeypatch):
        module = importlib.import_module("runners.backends.tensorrt")
        with pytest.raises(ValueError, match="out of memory") as caught, module._engine_errors("engine_args"):
            raise ValueError("CUDA out of memory while the KV cache was made")
        with pytest.raises(BadRequestError), module._engine_errors("engine_args"):
            raise ValueError("max_batch_size must be positive")
    assert classify(caught.value) is FailureKind.GPU_OUT_OF_MEMORY
