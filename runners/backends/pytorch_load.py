"""Loads what a run needs of transformers: the tokenizer, the model as it was asked for, an adapter, an assistant."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
import transformers

from runners.backends.models import LocatedModel, locate, locate_option
from runners.backends.pytorch_config import require_honoured
from runners.backends.pytorch_place import Place
from runners.backends.pytorch_quantization import asked_quantization, require_quantised
from runners.backends.resident import make_resident
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest
from runners.errors import BadRequestError, EngineMissingError

_ATTENTION_NEEDS: Final = {
    "flash_attention_2": ("flash_attn", "pip install --no-build-isolation flash-attn"),
    "flash_attention_3": ("flash_attn_interface", "install hopper/ of FlashAttention's repository"),
    "flash_attention_4": ("flash_attn.cute", "pip install flash-attn-4"),
}


class Located(NamedTuple):
    """The models that a run names, on this machine."""

    model: LocatedModel
    assistant: LocatedModel | None
    adapter: LocatedModel | None


class Loaded(NamedTuple):
    """What :func:`load` loaded."""

    tokenizer: Any
    model: Any
    assistant: Any | None
    assistant_tokenizer: Any | None
    """Only where the assistant's vocabulary is another."""


def locate_all(request: RunRequest) -> Located:
    """Finds all models that a run names, and converts or downloads what is not here yet.

    Raises:
        ModelNotFoundError: one is not there, or may not be had.
    """
    assistant = locate_option(request, "assistant_model", "config.json")
    return Located(locate(request), assistant, locate_option(request, "adapter", "adapter_config.json"))


def load_tokenizer(located: Located) -> Any:
    """The model's tokenizer."""
    return transformers.AutoTokenizer.from_pretrained(located.model.folder)


def load(located: Located, options: PytorchOptions, place: Place) -> Loaded:
    """Loads everything onto the devices of a process, and makes sure that it is what was asked for.

    Raises:
        EngineError: dtype, attention or quantisation did not reach the engine.
        EngineMissingError: a library that an option needs is not installed.
        BadRequestError: the options do not fit the checkpoint.
    """
    _require_installed(options)
    model = _load_model(located.model.folder, options, place)
    if located.adapter is not None:
        model = _with_adapter(model, located.adapter.folder, options)
    model.eval()
    require_honoured(model, options)
    require_quantised(model, options)
    assistant = _load_assistant(located, options, place)
    if not place.on_gpu:
        for loaded in filter(None, (model, assistant)):
            make_resident(loaded)
    tokenizer = load_tokenizer(located)
    return Loaded(tokenizer, model, assistant, _tokenizer_of_its_own(located, model, assistant))


def _load_model(folder: Path, options: PytorchOptions, place: Place) -> Any:
    config = transformers.AutoConfig.from_pretrained(folder)
    quantization = asked_quantization(config, options)
    where: dict[str, Any] = {}
    if options.tensor_parallel_size > 1:
        where["distributed_config"] = transformers.distributed.DistributedConfig(tp_size=options.tensor_parallel_size)
    elif options.device_map:
        where["device_map"] = options.device_map
    elif options.quantization:
        # The quantised weights are made where they stay: some cannot be moved afterwards.
        where["device_map"] = {"": place.device}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=getattr(torch, options.dtype),
        attn_implementation=options.attn_implementation,
        **({"quantization_config": quantization} if quantization is not None else {}),
        **where,
    )
    return model if where else model.to(place.device)


def _with_adapter(model: Any, folder: Path, options: PytorchOptions) -> Any:
    if importlib.util.find_spec("peft") is None:
        raise EngineMissingError("an adapter needs peft, not installed here", "pip install 'peft>=0.18'")
    import peft

    declared = peft.PeftConfig.from_pretrained(str(folder))
    if declared.peft_type != peft.PeftType.LORA:
        raise BadRequestError(f"the adapter {folder} is no LoRA but {declared.peft_type.value}", "name a LoRA adapter")
    if options.adapter_merged:
        merged = peft.PeftModel.from_pretrained(model, str(folder), autocast_adapter_dtype=False)
        return merged.merge_and_unload()
    model.load_adapter(str(folder))
    for name, parameter in model.named_parameters():
        if "lora_" in name:  # peft would compute in float32, whatever the model does
            parameter.data = parameter.data.to(getattr(torch, options.dtype))
    return model


def _load_assistant(located: Located, options: PytorchOptions, place: Place) -> Any | None:
    if located.assistant is None:
        return None
    assistant = transformers.AutoModelForCausalLM.from_pretrained(
        located.assistant.folder, dtype=getattr(torch, options.dtype), attn_implementation=options.attn_implementation
    )
    assistant = assistant.to(place.device).eval()
    require_honoured(assistant, options)
    # The engine reads these from the assistant's own configuration, and nowhere else.
    of_draft: dict[str, Any] = {
        name: options.generation_args[name]
        for name in ("num_assistant_tokens_schedule", "assistant_confidence_threshold")
        if name in options.generation_args
    }
    if options.num_assistant_tokens is not None:
        of_draft = {"num_assistant_tokens_schedule": "constant", **of_draft}
        of_draft["num_assistant_tokens"] = options.num_assistant_tokens
    for name, value in of_draft.items():
        setattr(assistant.generation_config, name, value)
    return assistant


def _tokenizer_of_its_own(located: Located, model: Any, assistant: Any | None) -> Any | None:
    """The assistant's tokenizer where transformers has to translate between two vocabularies."""
    if located.assistant is None or assistant is None:
        return None
    if model.config.get_text_config().vocab_size == assistant.config.get_text_config().vocab_size:
        return None
    return transformers.AutoTokenizer.from_pretrained(located.assistant.folder)


def _require_installed(options: PytorchOptions) -> None:
    by_quanto = options.cache_implementation == "quantized" and "cache_config" not in options.generation_args
    if by_quanto and not all(map(importlib.util.find_spec, ("optimum", "optimum.quanto"))):
        raise EngineMissingError(
            "cache_implementation quantized needs optimum-quanto, not installed here", "pip install optimum-quanto"
        )
    if options.attn_implementation in _ATTENTION_NEEDS:
        module, hint = _ATTENTION_NEEDS[options.attn_implementation]
        if importlib.util.find_spec(module.split(".")[0]) is None:
            raise EngineMissingError(f"{options.attn_implementation} needs {module}, not installed here", hint)
