"""In a process of its own: makes a model with random weights, and a tokenizer, without network.

``python -m tests.gpu.check.model FOLDER PARAMETERS DEVICE UUID`` leaves them in the folder as ``save_pretrained``
does, and says ``{"parameters"}``.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from tests.gpu.check.children import require_device, say

_LARGE = 100_000_000
_HEAD = 64
_SEED = 0
_POSITIONS = 4096


class Shape(NamedTuple):
    """Of a Llama whose feed-forward is four times as wide as its hidden state, embeddings tied."""

    vocabulary: int
    hidden: int
    layers: int


def shape_of(parameters: int) -> Shape:
    """The shape with about so many parameters; about 1/128 as many layers as the hidden state is wide."""
    vocabulary = 32_000 if parameters >= _LARGE else 512
    # A layer has 4 h² in its attention and 12 h² in its gated feed-forward.
    step = 4 * _HEAD if parameters >= _LARGE else _HEAD
    hidden = max(step, round((8 * parameters) ** (1 / 3) / step) * step)
    layers = max(1, round((parameters - vocabulary * hidden) / (16 * hidden**2)))
    return Shape(vocabulary, hidden, layers)


def main() -> None:
    """Makes both."""
    folder, parameters, device, uuid = sys.argv[1:]
    import tokenizers
    import torch
    import transformers

    require_device(torch, device, uuid)
    shape = shape_of(int(float(parameters)))
    bytes_of_text = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    names = [*bytes_of_text, *(f"<{number}>" for number in range(len(bytes_of_text), shape.vocabulary))]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=[])
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=names[-1])
    wrapped.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=4 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // _HEAD,
        num_key_value_heads=shape.hidden // _HEAD,
        max_position_embeddings=_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=shape.vocabulary - 1,
    )
    torch.manual_seed(_SEED)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    say({"parameters": sum(parameter.numel() for parameter in model.parameters())})


if __name__ == "__main__":
    main()
