"""What is asked of TensorRT-LLM in plain values, and under which key a built engine is kept. Pure, and files."""

from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runners.backends.tensorrt_config import (
    build_arguments,
    engine_arguments,
    load_arguments,
    overridden,
    plain,
    sampling_arguments,
)
from runners.backends.tensorrt_engines import CACHE_VARIABLE, Platform, engine_key, engines_folder, kept_engine
from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.options.tensorrt_paths import ENGINE, SAMPLING
from runners.errors import EngineError

PLATFORM = Platform("1.2.1", "10.0", "13.0", ("NVIDIA H100 sm90",))
NOT_OF_A_BUILD = {
    "kv_cache_free_gpu_memory_fraction": 0.5,
    "kv_cache_max_tokens": 64,
    "enable_block_reuse": False,
    "enable_partial_reuse": False,
    "enable_chunked_prefill": True,
    "capacity_scheduler_policy": "MAX_UTILIZATION",
    "context_chunking_policy": "EQUAL_PROGRESS",
    "batching_type": "STATIC",
    "multi_block_mode": False,
    "cuda_graph_mode": True,
}
OF_A_BUILD = {
    "dtype": "float16",
    "max_batch_size": 7,
    "max_num_tokens": 999,
    "max_seq_len": 555,
    "tensor_parallel_size": 2,
    "pipeline_parallel_size": 2,
    "moe_tensor_parallel_size": 1,
    "moe_expert_parallel_size": 1,
    "kv_cache_dtype": "fp8",
    "kv_cache_tokens_per_block": 64,
    "quant_algo": "FP8",
    "max_input_len": 2048,
    "opt_batch_size": 3,
    "opt_num_tokens": 77,
    "strongly_typed": False,
    "gemm_plugin": "auto",
    "use_paged_context_fmha": False,
    "use_fp8_context_fmha": False,
    "use_fused_mlp": False,
    "reduce_fusion": True,
    "multiple_profiles": True,
    "fast_build": True,
    "engine_args": {"calib_config": {"calib_batches": 8}},
}
OF_SAMPLING = {name: 1 if name in ("top_k", "no_repeat_ngram_size") else 0.5 for name in SAMPLING}


def key(model: str = "a" * 64, platform: Platform = PLATFORM, **options: Any) -> str:
    asked = TensorrtOptions(llm_backend="tensorrt", **options)
    return engine_key(model, build_arguments(engine_arguments(asked)), platform)


def test_every_parameter_of_the_tensorrt_engine_changes_the_key_or_is_known_not_to() -> None:
    there = {option for option, paths in ENGINE.items() if paths.tensorrt}
    assert OF_A_BUILD.keys() | NOT_OF_A_BUILD.keys() == there | {"engine_args"}


@pytest.mark.parametrize("option", OF_A_BUILD)
def test_what_changes_a_build_changes_the_key(option: str) -> None:
    assert key(**{option: OF_A_BUILD[option]}) != key()


@pytest.mark.parametrize("option", [*NOT_OF_A_BUILD, *OF_SAMPLING])
def test_what_is_of_the_run_alone_does_not(option: str) -> None:
    assert key(**{option: {**NOT_OF_A_BUILD, **OF_SAMPLING}[option]}) == key()


@pytest.mark.parametrize("part", Platform._fields)
def test_another_platform_has_another_key(part: str) -> None:
    other = ("NVIDIA A100 sm80",) if part == "gpus" else "other"
    assert key(platform=PLATFORM._replace(**{part: other})) != key()


def test_another_model_has_another_key() -> None:
    assert key("b" * 64) != key()


def test_sampling_is_not_handed_to_the_engine_and_no_build_to_the_loading() -> None:
    asked = engine_arguments(TensorrtOptions(llm_backend="tensorrt", temperature=0.5, quant_algo="FP8"))
    assert "quant_config" not in load_arguments(asked)
    assert "temperature" not in json.dumps(asked)
    assert asked["return_perf_metrics"] is True
    sampling = sampling_arguments(TensorrtOptions(temperature=0.5, sampling_args={"detokenize": True}), 8, 3)
    assert (sampling["temperature"], sampling["detokenize"], sampling["max_tokens"]) == (0.5, True, 8)


@pytest.mark.parametrize("own", ["max_tokens", "end_id", "ignore_eos", "seed", "n", "temperature"])
def test_a_reserved_field_of_sampling_is_refused(own: str) -> None:
    with pytest.raises(ValidationError, match=own):
        TensorrtOptions(sampling_args={own: 1})


@pytest.mark.parametrize(
    "given",
    [
        {"model": "m"},
        {"backend": "pytorch"},
        {"return_perf_metrics": False},
        {"build_config": {"max_beam_width": 4}},
        {"build_config": {"plugin_config": {"gemm_plugin": "auto"}}},
        {"kv_cache_config": {"dtype": "fp8"}},
        {"max_batch_size": 3},
        {"cuda_graph_config": {}},
    ],
)
def test_a_reserved_or_documented_argument_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"cannot be set|is the parameter"):
        TensorrtOptions(engine_args=given)


def test_a_switch_and_the_sizes_beside_it_go_into_one_config() -> None:
    asked = TensorrtOptions(
        cuda_graph=True, cuda_graph_padding=True, engine_args={"cuda_graph_config": {"batch_sizes": [1]}}
    )
    assert engine_arguments(asked)["cuda_graph_config"] == {"enable_padding": True, "batch_sizes": [1]}
    assert engine_arguments(TensorrtOptions(cuda_graph=False))["cuda_graph_config"] is None
    assert engine_arguments(TensorrtOptions(cuda_graph=True))["cuda_graph_config"] == {}


def test_what_was_asked_and_done_otherwise_is_told_by_its_path() -> None:
    asked = {"a": 1, "b": {"c": 2, "d": 3}, "dtype": "auto", "graphs": {}}
    assert overridden(asked, {"a": 1, "b.c": 5, "dtype": "bfloat16", "graphs": {"x": 1}}) == [
        "b.c 2 was asked for, and TensorRT-LLM uses 5"
    ]
    assert overridden({"graphs": {}}, {"graphs": None}) == ["graphs {} was asked for, and TensorRT-LLM uses None"]


def test_values_of_the_library_become_values_of_json() -> None:
    assert plain({1: (1, {2.5}), "p": Path("/x")}) == {"1": [1, [2.5]], "p": "/x"}


def test_engines_lie_in_the_volume_each_user_s_apart_or_in_the_user_s_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1234)
    assert engines_folder({CACHE_VARIABLE: "/trt-engines"}) == Path("/trt-engines/1234")
    assert engines_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/orchestrate/trt-engines")
    assert engines_folder({}) == tmp_path / ".cache/orchestrate/trt-engines"


def write(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "rank0.engine").write_bytes(b"engine")


def kept(root: Path, build: Any = write) -> Path:
    return kept_engine(root, "m", {"dtype": "float16"}, PLATFORM, ["rank0.engine"], build)


def test_an_engine_is_built_once_and_says_what_it_was_built_from(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        write(folder)

    assert kept(tmp_path / "root", build) == kept(tmp_path / "root", build)
    assert len(built) == 1
    folder = kept(tmp_path / "root")
    assert folder.name == engine_key("m", {"dtype": "float16"}, PLATFORM)
    assert json.loads((folder / "orchestrate.json").read_text())["platform"]["tensorrt"] == "10.0"


def test_what_a_build_that_died_left_behind_is_never_used(tmp_path: Path) -> None:
    def dies(folder: Path) -> None:
        write(folder)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        kept(tmp_path, dies)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []

    remains = tmp_path / f".{engine_key('m', {'dtype': 'float16'}, PLATFORM)}.tmp"
    write(remains)  # as after a power cut
    (remains / "old").touch()
    assert not (kept(tmp_path) / "old").exists()


@pytest.mark.parametrize("missing", ["config.json", "rank0.engine"])
def test_an_engine_that_lacks_a_file_is_refused(tmp_path: Path, missing: str) -> None:
    def build(folder: Path) -> None:
        write(folder)
        (folder / missing).unlink()

    with pytest.raises(EngineError, match=f"built no {missing}"):
        kept(tmp_path, build)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_of_two_that_want_the_same_engine_one_waits(tmp_path: Path) -> None:
    key = engine_key("m", {"dtype": "float16"}, PLATFORM)
    built: list[Path] = []
    other = threading.Thread(target=lambda: kept(tmp_path, built.append))
    with (tmp_path / f".{key}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other.start()
        write(tmp_path / key)  # the first has built it when it lets go
    other.join(30)
    assert not other.is_alive()
    assert built == []
