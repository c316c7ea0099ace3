"""What vLLM says of itself before a run: its version, and the arguments that it takes."""

from __future__ import annotations

import dataclasses
import re
from importlib.metadata import version
from typing import Any

from runners.backends.vllm_config import settle_environment
from runners.contract.description import Engine, EngineField


def version_text() -> str:
    """Versions of vLLM and torch."""
    import vllm

    return f"vllm {vllm.__version__}, torch {version('torch')}"


def describe() -> Engine:
    """Versions of vLLM and torch, and the names that EngineArgs and SamplingParams take."""
    settle_environment()
    from vllm import SamplingParams
    from vllm.engine.arg_utils import EngineArgs

    engine = {
        field.name: EngineField(type=_type_text(field.type), default=_default_text(field.default))
        for field in dataclasses.fields(EngineArgs)
    }
    names, values = SamplingParams.__struct_fields__, SamplingParams.__struct_defaults__
    defaults = dict(zip(names[len(names) - len(values) :], values, strict=True))
    sampling = {
        name: EngineField(
            type=_type_text(SamplingParams.__annotations__[name]), default=_default_text(defaults.get(name))
        )
        for name in names
    }
    return Engine(version=version_text(), fields={"engine_args": _public(engine), "sampling_args": _public(sampling)})


def _public(fields: dict[str, EngineField]) -> dict[str, EngineField]:
    return {name: field for name, field in sorted(fields.items()) if not name.startswith("_")}


def _type_text(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"typing\.| at 0x[0-9a-f]+", "", text)


def _default_text(default: Any) -> str | None:
    """None where it has none, or makes it up."""
    return repr(default) if default is None or isinstance(default, (bool, int, float, str)) else None
