"""What is asked of transformers, and what it says it does: never assumed, read back."""

from __future__ import annotations

from typing import Any, Final

import torch
import transformers
from torch._dynamo.utils import counters

from runners.backends.pytorch_quantization import read_quantization
from runners.contract.description import EngineField
from runners.contract.messages import nearest
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.options.pytorch_rules import RESERVED_GENERATION_ARGS
from runners.errors import BadRequestError, EngineError

_HINT: Final = (
    "another version of transformers or another model may honour it; the run is not labelled as what it is not"
)
_STATIC: Final = ("static", "offloaded_static")


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


def generation_fields() -> dict[str, EngineField]:
    """The fields of GenerationConfig that ``generation_args`` may hold, with the defaults that ``generate`` takes."""
    config = transformers.GenerationConfig()
    defaults = config._get_default_generation_params()
    own = PytorchOptions.model_fields.keys() | RESERVED_GENERATION_ARGS
    names = sorted(name for name in vars(config) if not name.startswith("_") and name not in own)
    return {
        name: EngineField(type=type(defaults[name]).__name__, default=repr(defaults[name]))
        if defaults.get(name) is not None
        else EngineField(type="Any", default="None")
        for name in names
    }


def asked_generation(model: Any, tokenizer: Any, options: PytorchOptions, output_tokens: int) -> Any:
    """The generation config of a run; what the options leave open stays unset, for the model to fill in.

    Raises:
        BadRequestError: ``generation_args`` names a field that there is not, or gives one a value it does not take.
    """
    known = generation_fields()
    for name in options.generation_args:
        if name not in known:
            raise BadRequestError(f"transformers' GenerationConfig has no {name!r}", nearest(name, list(known)))
    fallback = model.generation_config.eos_token_id
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = fallback[0] if isinstance(fallback, list) else fallback
    fields = {
        "min_new_tokens": output_tokens,
        "max_new_tokens": output_tokens,
        "do_sample": options.do_sample,
        "num_beams": options.num_beams,
        "pad_token_id": 0 if pad is None else pad,
        "return_dict_in_generate": True,  # with the answer comes the cache, which tells what it was
        **{name: value for name in options.GENERATION_FIELDS if (value := getattr(options, name)) is not None},
        **_compiled_in_generate(options),
        **options.generation_args,
    }
    try:
        return transformers.GenerationConfig(**fields)
    except (ValueError, TypeError) as error:
        raise BadRequestError(
            f"transformers refuses the generation settings: {error}", "see generation_args"
        ) from error


def compile_forward(model: Any, options: PytorchOptions) -> None:
    """Compiles the whole forward pass where generate does not do so by itself, which it does with a static cache."""
    if options.torch_compile and options.cache_implementation not in _STATIC:
        model.compile(
            mode=options.torch_compile_mode,
            fullgraph=options.torch_compile_fullgraph,
            dynamic=options.torch_compile_dynamic,
        )


def require_compiled(options: PytorchOptions) -> None:
    """Makes sure that what was to be compiled was.

    Raises:
        EngineError: torch.compile was asked for and compiled nothing.
    """
    if options.torch_compile and not _compiled_graphs():
        raise EngineError("torch.compile compiled nothing", "run without torch_compile; runner.log may say why")


def read_back(model: Any, generation: Any) -> dict[str, Any]:
    """What the engine says it used; generation settings resolved as ``generate`` itself resolves them."""
    resolved, _ = model._prepare_generation_config(generation)
    found = {
        "dtype": _dtype(model),
        "attn_implementation": model.config._attn_implementation,
        "compiled_graphs": _compiled_graphs(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "torch_num_threads": torch.get_num_threads(),
        "model_class": type(model).__name__,
        "generation": {name: value for name, value in resolved.to_dict().items() if value is not None},
        "quantization": read_quantization(model),
        "tensor_parallel": {"size": model.tp_size, "plan": dict(model.tp_plan or {})} if model.tp_size else None,
        "device_map": {name: str(device) for name, device in getattr(model, "hf_device_map", {}).items()} or None,
        "adapter": _adapter(model),
    }
    return {name: value for name, value in found.items() if value is not None}


def read_back_assistant(assistant: Any) -> dict[str, Any]:
    """What the assistant is, and how it drafts; where its configuration leaves that open, as generate fills it in."""
    generation = assistant.generation_config
    defaults = generation._get_default_generation_params()
    names = ("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold")
    return {
        "dtype": _dtype(assistant),
        "model_class": type(assistant).__name__,
        "parameters": sum(parameter.numel() for parameter in assistant.parameters()),
        **{name: defaults[name] if getattr(generation, name) is None else getattr(generation, name) for name in names},
    }


def _compiled_in_generate(options: PytorchOptions) -> dict[str, Any]:
    """Whether generate compiles; on a GPU with a static cache it would by itself, whatever was asked for."""
    if not options.torch_compile or options.cache_implementation not in _STATIC:
        return {"disable_compile": True}
    config = transformers.CompileConfig(
        mode=options.torch_compile_mode or "default",
        fullgraph=options.torch_compile_fullgraph,
        dynamic=options.torch_compile_dynamic,
    )
    config._compile_all_devices = True  # on a CPU it would not
    return {"compile_config": config}


def _adapter(model: Any) -> dict[str, Any] | None:
    if not getattr(model, "_hf_peft_config_loaded", False):
        return None
    return {
        name: {"rank": declared.r, "alpha": declared.lora_alpha, "targets": sorted(declared.target_modules)}
        for name in model.active_adapters()
        for declared in [model.peft_config[name]]
    }


def _compiled_graphs() -> int:
    return int(counters["stats"]["unique_graphs"])


def _dtype(model: Any) -> str:
    return str(model.dtype).removeprefix("torch.")
