"""FLOPs against PyTorch's own count of what transformers computes, on tiny models of random weights."""

from __future__ import annotations

from typing import Any

import pytest

from runners.backends.architecture import READERS, architecture_of
from runners.contract.flops import Architecture, request_flops

pytestmark = pytest.mark.engine

INPUT_TOKENS, OUTPUT_TOKENS, WINDOW = 11, 6, 7

_TOKENS = {"vocab_size": 97, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_UNGROUPED = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 56}
_GROUPED = {**_UNGROUPED, "num_key_value_heads": 2}
_WIDE_HEADS = {**_GROUPED, "head_dim": 12}
_EXPERTS = {"num_experts_per_tok": 2}
_DEEPSEEK = {
    **_WIDE_HEADS,
    **_EXPERTS,
    "n_routed_experts": 5,
    "moe_intermediate_size": 24,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
_FALCON = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_hidden_size": 56}

MODELS: dict[str, dict[str, Any]] = {
    "dots1": {"model_type": "dots1", **_DEEPSEEK},
    "falcon": {"model_type": "falcon", **_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon with one key": {"model_type": "falcon", **_FALCON},
    "falcon ungrouped": {"model_type": "falcon", **_FALCON, "multi_query": False},
    "gemma": {"model_type": "gemma", **_WIDE_HEADS},
    "gemma2": {"model_type": "gemma2", **_WIDE_HEADS, "sliding_window": WINDOW},
    "gemma3_text": {"model_type": "gemma3_text", **_WIDE_HEADS, "sliding_window": WINDOW, "sliding_window_pattern": 2},
    "glm4_moe": {"model_type": "glm4_moe", **_DEEPSEEK},
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 3, "n_head": 4},
    "gpt_neox": {"model_type": "gpt_neox", **_UNGROUPED},
    "gpt_oss": {
        "model_type": "gpt_oss", **_WIDE_HEADS, **_EXPERTS, "num_local_experts": 5, "sliding_window": WINDOW
    },
    "granite": {"model_type": "granite", **_GROUPED},
    "llama": {"model_type": "llama", **_GROUPED},
    "llama with tied embeddings": {"model_type": "llama", **_WIDE_HEADS, "tie_word_embeddings": True},
    "mistral": {"model_type": "mistral", **_WIDE_HEADS, "sliding_window": WINDOW},
    "mixtral": {"model_type": "mixtral", **_WIDE_HEADS, **_EXPERTS, "num_local_experts": 5},
    "olmo2": {"model_type": "olmo2", **_GROUPED},
    "olmoe": {"model_type": "olmoe", **_GROUPED, **_EXPERTS, "num_experts": 5},
    "opt": {
        "model_type": "opt", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 56,
        "word_embed_proj_dim": 32,
    },
    "phi": {"model_type": "phi", **_GROUPED},
    "phi3": {"model_type": "phi3", **_GROUPED, "sliding_window": WINDOW},
    "qwen2": {"model_type": "qwen2", **_GROUPED},
    "qwen2 with a window": {
        "model_type": "qwen2", **_GROUPED, "use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1
    },
    "qwen2_moe": {
        "model_type": "qwen2_moe", **_GROUPED, **_EXPERTS, "num_experts": 5, "moe_intermediate_size": 24,
        "shared_expert_intermediate_size": 40,
    },
    "qwen3": {"model_type": "qwen3", **_WIDE_HEADS},
    "qwen3_moe": {
        "model_type": "qwen3_moe", **_WIDE_HEADS, **_EXPERTS, "num_experts": 5, "moe_intermediate_size": 24,
        "mlp_only_layers": [1],
    },
    "qwen3_moe in every second layer": {
        "model_type": "qwen3_moe", **_WIDE_HEADS, **_EXPERTS, "num_experts": 5, "moe_intermediate_size": 24,
        "decoder_sparse_step": 2,
    },
    "smollm3": {"model_type": "smollm3", **_GROUPED},
    "stablelm": {"model_type": "stablelm", **_GROUPED},
    "starcoder2": {"model_type": "starcoder2", **_GROUPED, "sliding_window": WINDOW},
}  # fmt: skip


def test_every_architecture_that_is_read_is_counted_here() -> None:
    assert {model["model_type"] for model in MODELS.values()} == set(READERS)


@pytest.mark.parametrize("name", MODELS)
def test_flops_are_those_that_are_computed(name: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(1)
    fields = dict(MODELS[name])
    config = transformers.AutoConfig.for_model(fields.pop("model_type"), **_TOKENS, **fields)
    # Attention and experts as plain matrix products, each of which PyTorch counts.
    model = transformers.AutoModelForCausalLM.from_config(
        config, attn_implementation="eager", experts_implementation="eager"
    ).eval()
    architecture = architecture_of(config)
    assert architecture is not None

    prefill, whole = (_computed(torch, model, output_tokens) for output_tokens in (1, OUTPUT_TOKENS))

    flops = request_flops(architecture, INPUT_TOKENS, OUTPUT_TOKENS)
    assert (flops.prefill, flops.decode) == (prefill - _masked(architecture), whole - prefill)


def _computed(torch: Any, model: Any, output_tokens: int) -> int:
    """What PyTorch counts while the model answers one prompt."""
    from torch.utils.flop_counter import FlopCounterMode

    prompt = torch.arange(3, 3 + INPUT_TOKENS)[None]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            min_new_tokens=output_tokens,
            max_new_tokens=output_tokens,
            do_sample=False,
        )
    return int(counter.get_total_flops())


def _masked(architecture: Architecture) -> int:
    """FLOPs of the scores and values that eager attention computes in the prefill and then masks."""
    pairs = INPUT_TOKENS**2
    seen = [
        sum(min(position, layer.window or position) for position in range(1, INPUT_TOKENS + 1))
        for layer in architecture.layers
    ]
    return sum(
        4 * layer.heads * layer.head_dim * (pairs - kept) for layer, kept in zip(architecture.layers, seen, strict=True)
    )
