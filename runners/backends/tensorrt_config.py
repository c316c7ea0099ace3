"""What TensorRT-LLM is asked for, in plain values, and what it says it used. Pure: the library is not imported here."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.options.tensorrt_paths import ENGINE, SAMPLING, leaves

_RUNTIME_ONLY = frozenset(
    {
        "kv_cache_config",
        "scheduler_config",
        "batching_type",
        "extended_runtime_perf_knob_config",
        "enable_chunked_prefill",
        "return_perf_metrics",
    }
)
"""Arguments that do not change what TensorRT builds. Any that is not named here is taken to change it."""
_BUILD_ONLY = frozenset({"build_config", "quant_config", "calib_config", "dtype", "fast_build", "max_input_len"})
"""Arguments that a built engine has in itself."""
_SWITCHES = frozenset({"cuda_graph", "torch_compile"})
"""Parameters whose argument is a config: true is one of defaults, false is none."""
MISSING: Final = object()

Arguments = dict[str, Any]
"""Arguments of ``LLM`` or of its configs: nested mappings of plain values."""


def engine_arguments(options: TensorrtOptions) -> Arguments:
    """Arguments of ``LLM`` as they were asked for; the model is not among them."""
    arguments: Arguments = {}
    for option, paths in ENGINE.items():
        value = getattr(options, option)
        if value is None:
            continue
        for path in getattr(paths, options.llm_backend):
            _place(arguments, path, _spelled(option, value, path))
    _merge(arguments, options.engine_args)
    return arguments | {"return_perf_metrics": True}


def build_arguments(arguments: Arguments) -> Arguments:
    """Those that an engine of TensorRT is built with, and known by."""
    return {name: value for name, value in arguments.items() if name not in _RUNTIME_ONLY}


def load_arguments(arguments: Arguments) -> Arguments:
    """Those that a built engine is loaded with."""
    return {name: value for name, value in arguments.items() if name not in _BUILD_ONLY}


def sampling_arguments(options: TensorrtOptions, output_tokens: int, seed: int) -> Arguments:
    """Fields of ``SamplingParams`` for answers of exactly so many tokens.

    With -1 as the end nothing ends an answer early, and the library adds no end of its own. Answers stay token ids
    unless ``detokenize`` is asked for: text is not what is measured.
    """
    asked = {name: value for name in SAMPLING if (value := getattr(options, name)) is not None}
    return {
        "detokenize": False,
        **asked,
        **options.sampling_args,
        "max_tokens": output_tokens,
        "end_id": -1,
        "pad_id": -1,
        "ignore_eos": True,
        "seed": seed,
    }


def found_at(arguments: Arguments, live: Any) -> dict[str, Any]:
    """What an engine says of each thing that was asked for, by its path; what it does not tell is left out.

    Args:
        arguments: what was asked for.
        live: its own arguments, as an object or as nested mappings.
    """
    found = ((path, _at(live, path)) for path, _ in leaves(arguments))
    return {path: plain(value) for path, value in found if value is not MISSING}


def overridden(arguments: Arguments, found: Mapping[str, Any]) -> list[str]:
    """What the engine did otherwise than it was asked to, in words."""
    return [
        f"{path} {asked} was asked for, and TensorRT-LLM uses {found[path]}"
        for path, asked in leaves(arguments)
        if path in found and not _same(asked, found[path])
    ]


def plain(value: Any) -> Any:
    """A value of the library as one of JSON."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if hasattr(value, "model_dump"):
        return {name: plain(getattr(value, name, None)) for name in type(value).model_fields}
    return str(value)


def _spelled(option: str, value: Any, path: str) -> Any:
    if option in _SWITCHES:
        return {} if value else None
    return value.upper() if path == "quant_config.kv_cache_quant_algo" else value


def _place(arguments: Arguments, path: str, value: Any) -> None:
    *above, name = path.split(".")
    for part in above:
        arguments = arguments.setdefault(part, {})
    if not (value == {} and name in arguments):
        arguments[name] = value


def _merge(into: Arguments, further: Mapping[str, Any]) -> None:
    for name, value in further.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def _at(live: Any, path: str) -> Any:
    for part in path.split("."):
        live = live.get(part, MISSING) if isinstance(live, Mapping) else getattr(live, part, MISSING)
        if live is MISSING:
            return MISSING
    return live


def _same(asked: Any, found: Any) -> bool:
    if asked == {}:  # a config of defaults
        return found is not None
    if asked == "auto":  # the engine says what it chose
        return True
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        return all(_same(value, found.get(name)) for name, value in asked.items())
    return bool(asked == found)


def rank_files(processes: int) -> Iterator[str]:
    """What the engine of each process is called in a built engine's folder."""
    return (f"rank{rank}.engine" for rank in range(processes))
