"""What decides a model's FLOPs, read from its configuration; no guess where that is not understood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runners.contract.flops import Architecture, Layer, Mlp


def architecture_of(config: Any) -> Architecture | None:
    """The architecture behind a transformers configuration.

    Args:
        config: a ``PreTrainedConfig`` of transformers.

    Returns:
        None for a kind of model that is not known here. Among those are the models with multi-head latent
        attention (DeepSeek-V2 and V3): engines multiply its matrices in different orders, with different FLOPs.
    """
    read = READERS.get(getattr(config, "model_type", ""))
    return None if read is None else read(config)


def _decoder(config: Any, mlp_of: Callable[[int], Mlp]) -> Architecture | None:
    """A decoder that calls its sizes as Llama does, with the MLP of each layer."""
    windows = _windows(config)
    if windows is None:
        return None
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    layers = (Layer(heads, kv_heads, head_dim, window, mlp_of(index)) for index, window in enumerate(windows))
    return Architecture(config.hidden_size, config.vocab_size, tuple(layers))


def _windows(config: Any) -> list[int | None] | None:
    """The sliding window of each layer; None if a layer attends in another way."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return [window] * config.num_hidden_layers
    known = {"full_attention": None, "sliding_attention": window}
    return [known[kind] for kind in kinds] if known.keys() >= set(kinds) else None


def _gated(config: Any) -> Architecture | None:
    return _decoder(config, lambda _: Mlp(config.intermediate_size, gated=True))


def _ungated(config: Any) -> Architecture | None:
    return _decoder(config, lambda _: Mlp(config.intermediate_size, gated=False))


def _all_experts(config: Any) -> Architecture | None:
    """Experts in every layer, each as wide as ``intermediate_size``: Mixtral, OLMoE, gpt-oss."""
    mlp = Mlp(
        config.intermediate_size,
        gated=True,
        experts=config.num_experts,
        experts_per_token=config.num_experts_per_tok,
    )
    return _decoder(config, lambda _: mlp)


def _qwen_experts(config: Any) -> Architecture | None:
    """Experts in some layers, with one gated shared expert (Qwen2-MoE) or none (Qwen3-MoE)."""
    shared = getattr(config, "shared_expert_intermediate_size", 0)
    experts = Mlp(
        config.moe_intermediate_size,
        gated=True,
        experts=config.num_experts,
        experts_per_token=config.num_experts_per_tok,
        shared_intermediate=shared,
        shared_gate=shared > 0,
    )
    dense = Mlp(config.intermediate_size, gated=True)

    def mlp_of(index: int) -> Mlp:
        sparse = config.num_experts > 0 and (index + 1) % config.decoder_sparse_step == 0
        return experts if sparse and index not in config.mlp_only_layers else dense

    return _decoder(config, mlp_of)


def _deepseek_experts(config: Any) -> Architecture | None:
    """DeepSeek's experts with plain attention: dense layers first, then routed and shared experts."""
    experts = Mlp(
        config.moe_intermediate_size,
        gated=True,
        experts=config.n_routed_experts,
        experts_per_token=config.num_experts_per_tok,
        shared_intermediate=(config.n_shared_experts or 0) * config.moe_intermediate_size,
    )
    dense = Mlp(config.intermediate_size, gated=True)
    return _decoder(config, lambda index: dense if index < config.first_k_dense_replace else experts)


def _gpt2(config: Any) -> Architecture | None:
    if config.add_cross_attention:
        return None
    return _decoder(config, lambda _: Mlp(config.n_inner or 4 * config.hidden_size, gated=False))


def _opt(config: Any) -> Architecture | None:
    if config.word_embed_proj_dim != config.hidden_size:
        return None
    return _decoder(config, lambda _: Mlp(config.ffn_dim, gated=False))


def _falcon(config: Any) -> Architecture:
    heads = config.num_attention_heads
    kv_heads = 1 if config.multi_query and not config.new_decoder_architecture else config.num_kv_heads
    mlp = Mlp(config.ffn_hidden_size, gated=False)
    layer = Layer(heads, kv_heads, config.hidden_size // heads, None, mlp)
    return Architecture(config.hidden_size, config.vocab_size, (layer,) * config.num_hidden_layers)


READERS: dict[str, Callable[[Any], Architecture | None]] = {
    "dots1": _deepseek_experts,
    "falcon": _falcon,
    "gemma": _gated,
    "gemma2": _gated,
    "gemma3_text": _gated,
    "glm4_moe": _deepseek_experts,
    "gpt2": _gpt2,
    "gpt_neox": _ungated,
    "gpt_oss": _all_experts,
    "granite": _gated,
    "llama": _gated,
    "mistral": _gated,
    "mixtral": _all_experts,
    "olmo2": _gated,
    "olmoe": _all_experts,
    "opt": _opt,
    "phi": _ungated,
    "phi3": _gated,
    "qwen2": _gated,
    "qwen2_moe": _qwen_experts,
    "qwen3": _gated,
    "qwen3_moe": _qwen_experts,
    "smollm3": _gated,
    "stablelm": _gated,
    "starcoder2": _ungated,
}
"""How each kind of model is read, by the ``model_type`` of its configuration."""
