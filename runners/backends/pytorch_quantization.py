"""Quantised weights: what is asked of transformers, and how many layers really are quantised."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import torch
import transformers

from runners.contract.options.pytorch import PytorchOptions
from runners.errors import BadRequestError, EngineError, EngineMissingError

_NEEDED: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "bitsandbytes": (("bitsandbytes",), "pip install 'bitsandbytes>=0.46.1'"),
    "torchao": (("torchao",), "pip install 'torchao>=0.15'"),
    "gptq": (("gptqmodel", "optimum"), "pip install --no-build-isolation gptqmodel optimum"),
    "awq": (("gptqmodel",), "pip install --no-build-isolation gptqmodel"),
}
"""Modules that each method needs, and how to get them."""

_LAYERS: Final = ("Linear", "Linear4bit", "Linear8bitLt")


def asked_quantization(config: Any, options: PytorchOptions) -> Any:
    """What ``from_pretrained`` is told of quantisation; None where the checkpoint says it all.

    Args:
        config: the checkpoint's configuration.
        options: what was asked for.

    Raises:
        EngineMissingError: the library that does it is not installed.
        BadRequestError: the checkpoint is quantised otherwise, or not at all.
    """
    asked = options.quantization
    if asked is None:
        return None
    method = asked.split("_")[0]
    _require_installed(method)
    found = method_of(config)
    if asked in ("gptq", "awq"):
        if found != asked:
            instead = f"quantised by {found}" if found else "not quantised"
            raise BadRequestError(
                f"quantization is {asked}, and the checkpoint is {instead}",
                f"name a model that was saved quantised by {asked}, or another quantization",
            )
        return None
    if found:
        raise BadRequestError(
            f"quantization is {asked}, and the checkpoint is quantised by {found} already",
            "name a model with plain weights, or leave quantization out",
        )
    return _bitsandbytes(options) if method == "bitsandbytes" else _torchao(asked)


def method_of(config: Any) -> str | None:
    """How a checkpoint is quantised, by its configuration; None: it is not."""
    declared = getattr(config, "quantization_config", None)
    if declared is None:
        return None
    method = declared.get("quant_method") if isinstance(declared, dict) else declared.quant_method
    return str(getattr(method, "value", method))


def read_quantization(model: Any) -> dict[str, Any] | None:
    """What a loaded model says of its quantisation: its settings, and its linear layers by kind; None: plain."""
    declared = getattr(model.config, "quantization_config", None)
    if declared is None:
        return None
    settings = declared if isinstance(declared, dict) else declared.to_dict()
    kinds: dict[str, int] = {}
    compute = set()
    for module in model.modules():
        if type(module).__name__ in _LAYERS or "Quant" in type(module).__name__:
            kind = _kind(module)
            kinds[kind] = kinds.get(kind, 0) + 1
            if getattr(module, "compute_dtype", None) is not None:
                compute.add(str(module.compute_dtype).removeprefix("torch."))
    return {
        "method": method_of(model.config),
        "settings": {name: _plain(value) for name, value in settings.items()},
        "layers": kinds,
        **({"compute_dtype": sorted(compute)} if compute else {}),
    }


def require_quantised(model: Any, options: PytorchOptions) -> None:
    """Makes sure that quantisation that was asked for took place; libraries skip layers that do not fit.

    Raises:
        EngineError: no layer is quantised.
    """
    if options.quantization is None:
        return
    found = read_quantization(model)
    if found is None or not any(kind != "Linear" for kind in found["layers"]):
        raise EngineError(
            f"quantization {options.quantization} was asked for, and no layer of the model is quantised",
            "the sizes of its layers may not fit the method; runner.log may say why",
        )


def _kind(module: Any) -> str:
    weight = getattr(module, "weight", None)
    if type(module).__name__ == "Linear" and type(weight) is not torch.nn.Parameter:
        return type(weight).__name__  # torchao leaves the layer, and puts a tensor of its own into it
    inner = getattr(weight, "data", None)
    if type(module).__name__ == "Linear" and inner is not None and type(inner) is not torch.Tensor:
        return type(inner).__name__
    return type(module).__name__


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(getattr(value, "value", value))


def _require_installed(method: str) -> None:
    modules, hint = _NEEDED[method]
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineMissingError(f"quantization by {method} needs {' and '.join(missing)}, not installed here", hint)


def _bitsandbytes(options: PytorchOptions) -> Any:
    if options.quantization == "bitsandbytes_8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    kind = {"bnb_4bit_quant_type": options.bnb_4bit_quant_type} if options.bnb_4bit_quant_type else {}
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_compute_dtype=getattr(torch, options.bnb_4bit_compute_dtype or options.dtype),
        bnb_4bit_use_double_quant=options.bnb_4bit_use_double_quant,
        **kind,
    )


def _torchao(asked: str) -> Any:
    from torchao import quantization

    kinds = {
        "torchao_int8_weight_only": lambda: quantization.Int8WeightOnlyConfig(),
        "torchao_int8_dynamic": lambda: quantization.Int8DynamicActivationInt8WeightConfig(),
        # The default packing needs a library of its own; this one's kernel is in PyTorch.
        "torchao_int4_weight_only": lambda: quantization.Int4WeightOnlyConfig(int4_packing_format="tile_packed_to_4d"),
        "torchao_float8_weight_only": lambda: quantization.Float8WeightOnlyConfig(),
        "torchao_float8_dynamic": lambda: quantization.Float8DynamicActivationFloat8WeightConfig(
            granularity=quantization.PerRow()
        ),
    }
    return transformers.TorchAoConfig(kinds[asked]())
