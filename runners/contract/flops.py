"""Floating-point operations of inference by a named formula: pure, standard library only.

Counted as the "model FLOPs" of appendix B of Chowdhery et al., "PaLM: Scaling Language Modeling with
Pathways" (2022), for the forward pass: matrix multiplications only, 2 operations for each multiply-add. They
are what the model's mathematics asks for, whatever an engine does to get there. So two ways of serving the
same requests have the same FLOPs, and joules per FLOP compare them.

Counted: the projections of attention, its scores and its weighted values over the positions that a token
really attends to (causal, and within the sliding window where there is one), the MLP or the experts that a
token is sent to, shared experts and the router, and the LM head, tied to the embedding or not. Every token
passes once, since keys and values are cached; the last token of an answer is not passed at all. The LM head
is counted for the last position of a prompt and for each decoding step: that is all that generating needs, and
all that transformers' ``generate`` computes.

Not counted: padding, beams that were dropped, masked scores, the embedding's look-up, norms, activations,
softmax, rotary positions, biases, and the choice of the next token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

FLOPS_METHOD: Final = "palm-forward-v1"
"""Name of this way of counting; another way gets another name."""


class Mlp(NamedTuple):
    """What follows attention in a layer: one MLP for all tokens, or experts of which each token uses some."""

    intermediate: int
    """Width of the MLP, or of each routed expert."""
    gated: bool
    """Three matrices (gate, up, down) instead of two."""
    experts: int = 0
    """Routed experts; 0: a single MLP."""
    experts_per_token: int = 0
    shared_intermediate: int = 0
    """Width of all shared experts together."""
    shared_gate: bool = False
    """Whether a single output decides how much the shared experts count."""


class Layer(NamedTuple):
    """One decoder layer."""

    heads: int
    kv_heads: int
    head_dim: int
    window: int | None
    """Positions that a token attends to, itself included; None: all before it."""
    mlp: Mlp


class Architecture(NamedTuple):
    """What of a decoder-only transformer decides its FLOPs."""

    hidden: int
    vocab: int
    layers: tuple[Layer, ...]


class Flops(NamedTuple):
    """FLOPs up to the first token of the answers, and from there to the last."""

    prefill: int
    decode: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.prefill + self.decode


def request_flops(architecture: Architecture, input_tokens: int, output_tokens: int) -> Flops:
    """FLOPs of one request.

    Args:
        architecture: the model.
        input_tokens: tokens of the prompt, at least 1.
        output_tokens: tokens of the answer, at least 1. The prefill yields the first of them.

    Raises:
        ValueError: one of the lengths is below 1.
    """
    if input_tokens < 1 or output_tokens < 1:
        raise ValueError(f"a request of {input_tokens} input and {output_tokens} output tokens has no FLOPs")
    steps = output_tokens - 1
    before, after = (_body_flops(architecture, positions) for positions in (input_tokens, input_tokens + steps))
    head = 2 * architecture.hidden * architecture.vocab
    return Flops(before + head, after - before + steps * head)


def run_flops(architecture: Architecture, requests: Iterable[tuple[int, int]]) -> Flops:
    """FLOPs of all requests of a run, each given as its input tokens and its output tokens."""
    each = [request_flops(architecture, input_tokens, output_tokens) for input_tokens, output_tokens in requests]
    return Flops(sum(flops.prefill for flops in each), sum(flops.decode for flops in each))


def _body_flops(architecture: Architecture, positions: int) -> int:
    """FLOPs to pass the first ``positions`` tokens of a sequence through all layers."""
    return sum(
        2 * positions * _weights(architecture.hidden, layer)
        + 4 * layer.heads * layer.head_dim * _contexts(positions, layer.window)
        for layer in architecture.layers
    )


def _weights(hidden: int, layer: Layer) -> int:
    """Weights of a layer that one token is multiplied with."""
    queries_and_output = 2 * hidden * layer.heads * layer.head_dim
    keys_and_values = 2 * hidden * layer.kv_heads * layer.head_dim
    mlp = layer.mlp
    width = mlp.experts_per_token * mlp.intermediate + mlp.shared_intermediate if mlp.experts else mlp.intermediate
    matrices = 3 if mlp.gated else 2
    routing = hidden * (mlp.experts + mlp.shared_gate)
    return queries_and_output + keys_and_values + matrices * hidden * width + routing


def _contexts(positions: int, window: int | None) -> int:
    """Positions attended to, summed over the first ``positions`` tokens of a sequence."""
    full = positions if window is None else min(positions, window)
    return full * (full + 1) // 2 + (positions - full) * full
