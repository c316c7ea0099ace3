"""From plain arguments to TensorRT-LLM's own configs, which refuse what they do not know; and its fields as text."""

from __future__ import annotations

import dataclasses
from typing import Any

from tensorrt_llm import llmapi
from tensorrt_llm.plugin import PluginConfig

from runners.backends.tensorrt_config import Arguments
from runners.contract.description import EngineField
from runners.errors import BadRequestError

_CONFIGS = {
    "kv_cache_config": llmapi.KvCacheConfig,
    "scheduler_config": llmapi.SchedulerConfig,
    "cuda_graph_config": llmapi.CudaGraphConfig,
    "torch_compile_config": llmapi.TorchCompileConfig,
    "extended_runtime_perf_knob_config": llmapi.ExtendedRuntimePerfKnobConfig,
    "calib_config": llmapi.CalibConfig,
}
"""By the argument of ``LLM`` that takes it. Others are handed over as mappings, which its models read too."""


def engine_objects(arguments: Arguments) -> dict[str, Any]:
    """Arguments of ``LLM`` with each config as an object of its own class.

    Raises:
        ValueError: a config does not take a field or its value.
        TypeError: likewise.
        BadRequestError: there is no such plugin.
    """
    made = {
        name: _CONFIGS[name](**value) if name in _CONFIGS and value is not None else value
        for name, value in arguments.items()
    }
    if "quant_config" in made:
        made["quant_config"] = _quantisation(made["quant_config"])
    if "build_config" in made:
        made["build_config"] = _build(made["build_config"])
    return made


def _quantisation(fields: Arguments) -> Any:
    """With the library's own names of algorithms: it compares them by identity."""
    known = {name: llmapi.QuantAlgo(value) for name, value in fields.items() if name.endswith("quant_algo")}
    return llmapi.QuantConfig(**{**fields, **known})


def _build(fields: Arguments) -> Any:
    plugins = fields.get("plugin_config", {})
    made = llmapi.BuildConfig(**{name: value for name, value in fields.items() if name != "plugin_config"})
    for name, value in plugins.items():
        # The config ignores names that it does not know, and would so do something else than what was asked.
        if name not in PluginConfig.model_fields:
            raise BadRequestError(f"TensorRT-LLM has no plugin {name}", "see engine_args.build_config.plugin_config")
        setattr(made.plugin_config, name, value)
    return made


def fields_of(models: list[Any]) -> dict[str, EngineField]:
    """The public fields of pydantic models or of a dataclass, sorted by name; of a name that several have, one."""
    found: dict[str, EngineField] = {}
    for model in models:
        for name, annotation, default in _declared(model):
            if not name.startswith("_"):
                found.setdefault(name, EngineField(type=_type_text(annotation), default=_default_text(default)))
    return dict(sorted(found.items()))


def _declared(model: Any) -> list[tuple[str, Any, Any]]:
    if dataclasses.is_dataclass(model):
        return [(field.name, field.type, field.default) for field in dataclasses.fields(model)]
    return [(name, info.annotation, info.default) for name, info in model.model_fields.items()]


def _type_text(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.replace("typing.", "")


def _default_text(default: Any) -> str | None:
    """None where it has none, or makes it up."""
    return repr(default) if default is None or isinstance(default, (bool, int, float, str)) else None
