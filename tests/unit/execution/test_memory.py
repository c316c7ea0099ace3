from __future__ import annotations

from typing import Any

import pytest

from orchestrator.execution.preflight.memory import Room, Weights, memory_issue, need
from tests.builders import experiment

BF16 = Weights(2_000_000, {"BF16": 1_000_000}, {})
CONFIG = {"num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 2, "hidden_size": 64}
GPU = Room(3_000_000, "its GPU", True)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4_000_000), ("bfloat16", 2_000_000), ("float16", 2_000_000)])
def test_weights_are_loaded_in_the_type_that_is_asked_for(dtype: str, size: int) -> None:
    assert need(BF16, experiment("pytorch", dtype=dtype)).weights == size


def test_weights_that_are_no_floats_stay_as_they_are() -> None:
    mixed = Weights(1_000_000 + 4_000, {"I8": 1_000_000, "F32": 1_000}, {})
    assert need(mixed, experiment("pytorch", dtype="bfloat16")).weights == 1_002_000


def test_where_the_type_is_the_models_the_files_tell() -> None:
    assert need(BF16, experiment("vllm", dtype="auto")).weights == 2_000_000
    assert need(Weights(7, {}, {}), experiment("pytorch", dtype="float32")).weights == 7


def test_each_copy_needs_its_own() -> None:
    assert need(BF16, experiment("pytorch", data_parallel_size=3)).weights == 6_000_000


def test_the_cache_is_that_of_all_sequences_at_once() -> None:
    weights = BF16._replace(config=CONFIG)
    workload = {"prompts": 4, "input_tokens": 90, "output_tokens": 10}
    one = 2 * 10 * 2 * 8 * 2 * 100  # keys and values, layers, groups, width, bytes, tokens
    assert need(weights, experiment("pytorch", workload=workload)).cache == one
    assert need(weights, experiment("pytorch", workload=workload, batch_size=4)).cache == 4 * one
    assert need(weights, experiment("vllm", workload=workload, max_num_seqs=4)).cache == one, "more waits its turn"
    nested = BF16._replace(config={"text_config": CONFIG})
    assert need(nested, experiment("pytorch", workload=workload)).cache == one


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": "x"},
        {**CONFIG, "num_hidden_layers": -1},
        {**CONFIG, "num_hidden_layers": 10**400},
        {"text_config": []},
        {"hidden_size": 0},
    ],
)
def test_a_configuration_that_tells_nothing_is_no_cache(config: dict[str, Any]) -> None:
    assert need(BF16._replace(config=config), experiment("pytorch")).cache == 0


def issue(weights: Weights, room: Room, **options: Any) -> tuple[str, str] | None:
    of = experiment("pytorch", **options)
    found = memory_issue(of, need(weights, of), room)
    return (found.severity, found.message) if found else None


def test_what_fits_is_not_told_of() -> None:
    assert issue(BF16, GPU) is None


def test_weights_alone_beyond_all_gpus_are_an_error() -> None:
    found = issue(Weights(4_000_000, {"BF16": 2_000_000}, {}), GPU)
    assert found == (
        "error",
        "org/model on pytorch needs about 0.004 GB of weights (estimated), and its GPU has 0.003 GB",
    )
    assert "its 2 GPUs have" in (issue(BF16, Room(1, "its 2 GPUs", True)) or ("", ""))[1]


@pytest.mark.parametrize(
    ("options", "weights", "room"),
    [
        ({}, Weights(4_000_000, {}, {}), GPU),  # of unknown types, which may be halved when they are loaded
        ({"quantization": "bitsandbytes_4bit"}, Weights(4_000_000, {"BF16": 2_000_000}, {}), GPU),
        ({"device_map": "auto"}, Weights(4_000_000, {"BF16": 2_000_000}, {}), GPU),
        ({}, Weights(4_000_000, {"BF16": 2_000_000}, {}), Room(3_000_000, "this machine", False)),
        ({}, BF16._replace(config={**CONFIG, "num_hidden_layers": 1000}), GPU),
    ],
)
def test_what_is_not_certain_is_a_warning(options: dict[str, Any], weights: Weights, room: Room) -> None:
    assert (issue(weights, room, **options) or ("none", ""))[0] == "warning"
