"""FLOPs against numbers worked out by hand."""

from __future__ import annotations

import pytest

from runners.contract.flops import Architecture, Flops, Layer, Mlp, request_flops, run_flops

GATED = Mlp(intermediate=8, gated=True)
LAYER = Layer(heads=2, kv_heads=1, head_dim=2, window=None, mlp=GATED)
TINY = Architecture(hidden=4, vocab=10, layers=(LAYER,))
# A token meets 4×4 + 4×4 (queries, output) + 2×(4×2) (keys, values) + 3×(4×8) (MLP) = 144 weights; each position it
# attends to costs 2 (multiply, add) × 2 (scores, values) × 2 heads × 2 = 16; the LM head costs 2 × 4 × 10 = 80.


def _with_mlp(mlp: Mlp) -> Architecture:
    return TINY._replace(layers=(LAYER._replace(mlp=mlp),))


def test_a_request_of_three_and_three_tokens() -> None:
    prefill = 2 * 3 * 144 + 16 * (1 + 2 + 3) + 80
    decode = 2 * 2 * 144 + 16 * (4 + 5) + 2 * 80

    assert request_flops(TINY, 3, 3) == Flops(prefill, decode) == Flops(1040, 880)
    assert request_flops(TINY, 3, 3).total == 1920


def test_the_first_token_of_an_answer_needs_no_decoding() -> None:
    assert request_flops(TINY, 1, 1) == Flops(2 * 144 + 16 + 80, 0)


def test_decoding_goes_on_where_the_prompt_ended() -> None:
    """A longer prompt costs what its last token would have cost as a decoding step, but for the LM head."""
    longer, step = request_flops(TINY, 6, 1), request_flops(TINY, 5, 2)

    assert longer.total == step.total - 80


def test_an_ungated_mlp_has_two_matrices() -> None:
    ungated = _with_mlp(Mlp(intermediate=8, gated=False))

    assert request_flops(TINY, 1, 1).total - request_flops(ungated, 1, 1).total == 2 * 4 * 8


def test_each_head_has_keys_and_values_of_its_own_without_grouping() -> None:
    plain = TINY._replace(layers=(LAYER._replace(kv_heads=2),))

    assert request_flops(plain, 1, 1).total - request_flops(TINY, 1, 1).total == 2 * 2 * (4 * 2)


def test_a_token_meets_its_own_experts_the_shared_ones_and_the_router() -> None:
    sparse = _with_mlp(Mlp(5, gated=True, experts=16, experts_per_token=3, shared_intermediate=7, shared_gate=True))
    weights = 48 + 3 * 4 * (3 * 5 + 7) + 4 * 16 + 4

    assert request_flops(sparse, 1, 1).prefill == 2 * weights + 16 + 80


def test_experts_that_a_token_is_not_sent_to_cost_only_their_place_in_the_router() -> None:
    few, many = (_with_mlp(Mlp(5, gated=True, experts=n, experts_per_token=3)) for n in (4, 128))

    assert request_flops(many, 1, 1).total - request_flops(few, 1, 1).total == 2 * 4 * (128 - 4)


def test_a_sliding_window_bounds_what_is_attended_to() -> None:
    sliding = TINY._replace(layers=(LAYER._replace(window=2),))
    prefill = 2 * 4 * 144 + 16 * (1 + 2 + 2 + 2) + 80
    decode = 2 * 144 + 16 * 2 + 80

    assert request_flops(sliding, 4, 2) == Flops(prefill, decode)


def test_a_window_that_is_never_filled_changes_nothing() -> None:
    sliding = TINY._replace(layers=(LAYER._replace(window=9),))

    assert request_flops(sliding, 4, 6) == request_flops(TINY, 4, 6)
    assert request_flops(sliding, 4, 7) != request_flops(TINY, 4, 7)


def test_layers_may_differ() -> None:
    sliding = LAYER._replace(window=2)
    mixed = TINY._replace(layers=(LAYER, sliding))
    head = 80

    each = [request_flops(TINY._replace(layers=(layer,)), 5, 1).total - head for layer in (LAYER, sliding)]
    assert request_flops(mixed, 5, 1).total - head == sum(each)


def test_llama_2_7b_has_two_flops_for_each_weight_but_the_embedding_and_the_norms() -> None:
    """6,738,415,616 parameters, of which 32000 × 4096 are looked up and 65 × 4096 belong to norms."""
    layer = Layer(heads=32, kv_heads=32, head_dim=128, window=None, mlp=Mlp(11008, gated=True))
    llama = Architecture(hidden=4096, vocab=32000, layers=(layer,) * 32)
    multiplied = 6_738_415_616 - 32000 * 4096 - 65 * 4096
    attention = 32 * 4 * 4096

    assert request_flops(llama, 1, 1).total == 2 * multiplied + attention


def test_a_run_is_the_sum_of_its_requests() -> None:
    requests = [(3, 3), (7, 1), (3, 3)]
    each = [request_flops(TINY, *request) for request in requests]

    run = run_flops(TINY, iter(requests))

    assert run == Flops(sum(flops.prefill for flops in each), sum(flops.decode for flops in each))
    assert run_flops(TINY, []) == Flops(0, 0)


@pytest.mark.parametrize(("input_tokens", "output_tokens"), [(0, 1), (1, 0), (-1, 2)])
def test_lengths_below_one_are_refused(input_tokens: int, output_tokens: int) -> None:
    with pytest.raises(ValueError, match=rf"{input_tokens} input and {output_tokens} output tokens"):
        request_flops(TINY, input_tokens, output_tokens)
