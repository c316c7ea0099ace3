"""Whether a model fits into the memory of what it runs on: arithmetic over its weights and its configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.errors import Issue
from runners.contract.request import Experiment

_GB = 1e9
_BITS = {"F64": 64, "F32": 32, "BF16": 16, "F16": 16, "I64": 64, "I32": 32, "I16": 16}
_FLOATS = ("F64", "F32", "BF16", "F16")
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_NO_SIZE = 2**40
"""No model has so many of anything that its configuration counts."""
_QUARTER = 0.5
"""Bytes that a weight takes at least, quantised to four bits."""
_PAGED = ("vllm", "tensorrt")
"""Their cache takes what memory is left: it must hold one sequence, not all that are worked on at once."""
_PROMPT_TOKENS = 512
"""Taken for prompts of unknown length."""
_OFFLOADS = ("cpu_offload_gb", "device_map")
"""Options that let weights lie elsewhere than on the GPUs."""


class Weights(NamedTuple):
    """What is known of a model."""

    size_bytes: int
    """Of its files of weights."""
    parameters: Mapping[str, int]
    """How many there are of each type, by safetensors' names; empty: not known."""
    config: Mapping[str, Any]
    """Its ``config.json``; empty: not known."""


class Need(NamedTuple):
    """Memory that an experiment needs, in bytes; estimates."""

    weights: float
    weights_least: float
    """Without anything that is not certain."""
    cache: float
    """Of keys and values; 0 where it cannot be told."""


class Room(NamedTuple):
    """Memory that an experiment gets."""

    size_bytes: int
    where: str
    """``2 GPUs`` or ``this machine``."""
    on_gpus: bool


def need(weights: Weights, experiment: Experiment) -> Need:
    """What an experiment needs of memory, for each of its copies of the model."""
    options = experiment.options
    dtype = getattr(options, "dtype", "auto")
    quantised = any(getattr(options, name, None) for name in ("quantization", "quant_algo"))
    copies: int = getattr(options, "data_parallel_size", 1) or 1
    stored, loaded = float(weights.size_bytes), float(weights.size_bytes)
    each = _BYTES.get(dtype)
    floats = sum(weights.parameters.get(name, 0) for name in _FLOATS)
    count = sum(weights.parameters.values())
    if each and weights.parameters:
        stored_floats = sum(weights.parameters.get(name, 0) * _BITS[name] / 8 for name in _FLOATS)
        loaded = max(stored - stored_floats, 0.0) + floats * each
    least = loaded if weights.parameters or not each else stored / 2
    if quantised:
        least = min(least, count * _QUARTER if count else stored / 8)
    return Need(loaded * copies, least * copies, _cache_bytes(weights.config, experiment) * copies)


def _cache_bytes(config: Mapping[str, Any], experiment: Experiment) -> float:
    text = config.get("text_config")
    shape = {**config, **text} if isinstance(text, Mapping) else config

    def number(name: str) -> int | None:
        value = shape.get(name)
        return value if type(value) is int and 0 < value < _NO_SIZE else None

    layers, heads, hidden = (number(name) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size"))
    width = number("head_dim") or (hidden // heads if hidden and heads else None)
    groups = number("num_key_value_heads") or heads
    if not (layers and width and groups):
        return 0.0
    workload, options = experiment.workload, experiment.options
    tokens = (workload.input_tokens or _PROMPT_TOKENS) + workload.output_tokens
    sequences = 1 if experiment.backend in _PAGED else options.worked_on_at_once(workload.prompts)
    each = _BYTES.get(getattr(options, "dtype", "auto"), 2)
    return float(2 * layers * groups * width * each * tokens * min(sequences, workload.prompts))


def memory_issue(experiment: Experiment, needed: Need, room: Room) -> Issue | None:
    """What is to be said of a model that does not fit, or hardly."""
    total = needed.weights + needed.cache
    if total <= room.size_bytes:
        return None
    parts = f"about {_gb(needed.weights)} of weights"
    parts += f" and {_gb(needed.cache)} of cache" if needed.cache else ""
    message = (
        f"{experiment.model} on {experiment.backend} needs {parts} (estimated), and {room.where} ha{_verb(room)}"
        f" {_gb(room.size_bytes)}"
    )
    certain = room.on_gpus and needed.weights_least > room.size_bytes
    if certain and not any(getattr(experiment.options, name, None) for name in _OFFLOADS):
        hint = "name more GPUs and spread the model over them, quantise it, or take a smaller one"
        return Issue(message, "model", hint=hint)
    hint = "it may run out of memory: a smaller batch, shorter prompts or another dtype need less"
    return Issue(message, "model", hint=hint, severity="warning")


def _verb(room: Room) -> str:
    return "ve" if room.where.endswith("GPUs") else "s"


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / _GB:.3g} GB"
