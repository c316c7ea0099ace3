"""Configurations whose FLOPs are not known are not guessed at. What is counted is held in the integration tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runners.backends.architecture import architecture_of
from runners.contract.flops import Mlp

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 56,
    "vocab_size": 97,
}
OPT = {**LLAMA, "model_type": "opt", "ffn_dim": 56, "word_embed_proj_dim": 32}
GPT2 = {**LLAMA, "model_type": "gpt2", "n_inner": None, "add_cross_attention": False}


def _config(fields: dict[str, Any], **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**fields, **changes})


def test_a_head_is_as_wide_as_its_share_unless_the_configuration_says_otherwise() -> None:
    shared, named, null = (
        architecture_of(config)
        for config in (_config(LLAMA), _config(LLAMA, head_dim=16), _config(LLAMA, head_dim=None))
    )

    assert shared is not None
    assert named is not None
    assert [layer.head_dim for layer in shared.layers] == [8, 8, 8]
    assert [layer.head_dim for layer in named.layers] == [16, 16, 16]
    assert null == shared


def test_each_layer_has_the_window_of_its_kind() -> None:
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]

    architecture = architecture_of(_config(LLAMA, model_type="gemma2", sliding_window=7, layer_types=kinds))

    assert architecture is not None
    assert [layer.window for layer in architecture.layers] == [7, None, 7]


def test_gpt2_is_four_times_as_wide_inside_unless_it_says_otherwise() -> None:
    default, named = (architecture_of(_config(GPT2, n_inner=n_inner)) for n_inner in (None, 40))

    assert default is not None
    assert named is not None
    assert default.layers[0].mlp == Mlp(128, gated=False)
    assert named.layers[0].mlp == Mlp(40, gated=False)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(_config(LLAMA, model_type="deepseek_v3"), id="multi-head latent attention"),
        pytest.param(_config(LLAMA, model_type="mamba"), id="no attention"),
        pytest.param(_config(LLAMA, model_type="made_up"), id="unknown"),
        pytest.param(
            _config(LLAMA, model_type="qwen3", layer_types=["full_attention"] * 2 + ["linear_attention"]),
            id="a layer with another attention",
        ),
        pytest.param(_config(OPT, word_embed_proj_dim=16), id="embedding of another width"),
        pytest.param(_config(GPT2, add_cross_attention=True), id="cross-attention"),
        pytest.param(SimpleNamespace(), id="no kind at all"),
    ],
)
def test_what_is_not_understood_has_no_architecture(config: SimpleNamespace) -> None:
    assert architecture_of(config) is None


def test_those_that_are_refused_differ_only_in_what_is_not_understood() -> None:
    assert architecture_of(_config(OPT)) is not None
    assert architecture_of(_config(GPT2)) is not None
    assert architecture_of(_config(LLAMA, model_type="qwen3", layer_types=["full_attention"] * 3)) is not None
