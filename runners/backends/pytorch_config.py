"""What is asked of transformers, and what it says it does: never assumed, read back."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch._dynamo.utils import counters

from runners.contract.options.pytorch import PytorchOptions
from runners.errors import EngineError

_HINT = "another version of transformers or another model may honour it; the run is not labelled as what it is not"


def require_honoured(model: Any, options: PytorchOptions) -> None:
    """Makes sure that dtype and attention reached the engine.

    Raises:
        EngineError: one of them did not.
    """
    dtype, attention = _dtype(model), model.config._attn_implementation
    if dtype != options.dtype:
        raise EngineError(f"dtype {options.dtype} was asked for, and the model has {dtype}", _HINT)
    if attention != options.attn_implementation:
        raise EngineError(
            f"attn_implementation {options.attn_implementation} was asked for, and the model uses {attention}", _HINT
        )


def asked_generation(model: Any, tokenizer: Any, options: PytorchOptions, output_tokens: int) -> Any:
    """The generation config of a run; what the options leave open stays unset, for the model to fill in."""
    fallback = model.generation_config.eos_token_id
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = fallback[0] if isinstance(fallback, list) else fallback
    return transformers.GenerationConfig(
        min_new_tokens=output_tokens,
        max_new_tokens=output_tokens,
        do_sample=options.do_sample,
        num_beams=options.num_beams,
        pad_token_id=0 if pad is None else pad,
        **{
            name: value
            for name in ("temperature", "top_k", "top_p", "repetition_penalty")
            if (value := getattr(options, name)) is not None
        },
    )


def read_back(model: Any, generation: Any) -> dict[str, Any]:
    """What the engine says it used; generation settings resolved as ``generate`` itself resolves them."""
    resolved, _ = model._prepare_generation_config(generation)
    return {
        "dtype": _dtype(model),
        "attn_implementation": model.config._attn_implementation,
        "compiled_graphs": counters["stats"]["unique_graphs"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "torch_num_threads": torch.get_num_threads(),
        "model_class": type(model).__name__,
        "generation": {name: value for name, value in resolved.to_dict().items() if value is not None},
    }


def _dtype(model: Any) -> str:
    return str(model.dtype).removeprefix("torch.")
