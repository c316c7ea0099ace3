"""What vLLM is asked for, and what it says of itself: arguments in, the live engine's configuration out."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runners.contract.options.vllm import VllmOptions
from runners.contract.request import RunRequest

SEEDS: Final = 2**32
"""The engine seeds NumPy too, which takes no larger one."""

_CPU_KV_CACHE_BYTES = 2 * 2**30
_IN_THIS_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""Its memory is the runner's, its exceptions reach us, our seeds reach it, and nothing waits on a socket."""
_ENVIRONMENT = {
    # Its records go where ours do, its warnings into the result.
    "VLLM_CONFIGURE_LOGGING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}

_PARTS = {
    "model_config": ("dtype", "quantization", "max_model_len", "enforce_eager", "seed"),
    "load_config": ("load_format",),
    "scheduler_config": (
        "max_num_seqs",
        "max_num_batched_tokens",
        "enable_chunked_prefill",
        "async_scheduling",
    ),
    "cache_config": (
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "block_size",
        "enable_prefix_caching",
        "num_gpu_blocks",
        "kv_cache_size_tokens",
    ),
    "parallel_config": (
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "enable_expert_parallel",
        "distributed_executor_backend",
    ),
    "compilation_config": ("cudagraph_mode",),
}
"""What is read back, from which part of the engine's configuration."""
_ELSEWHERE = {
    "kv_cache_dtype": "cache_config.cache_dtype",
    "cpu_offload_gb": "offload_config.uva.cpu_offload_gb",
    "attention_backend": "attention_config.backend",
    "optimization_level": "optimization_level",
    "compilation_mode": "compilation_config.mode",
    "compilation_backend": "compilation_config.backend",
    "scheduling_policy": "scheduler_config.policy",
    "speculative_method": "speculative_config.method",
}
"""The same for what is called otherwise there."""


def settle_environment() -> None:
    """Sets what vLLM reads from its environment; what a user has set stays, but for where the engine runs."""
    os.environ.update(_IN_THIS_PROCESS)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def engine_arguments(request: RunRequest, options: VllmOptions, folder: Path, *, on_cpu: bool) -> dict[str, Any]:
    """Arguments of EngineArgs: what was asked for, and what makes it a run that can be measured.

    Args:
        request: what to run.
        options: its options for this backend.
        folder: where the model lies.
        on_cpu: whether the engine works on the CPU. Without a size of the KV cache it would reserve nearly all of
            the machine's memory there, and refuse to start where others use some.
    """
    asked = options.engine_fields()
    if on_cpu and not asked.keys() & {"kv_cache_memory_bytes", "gpu_memory_utilization"}:
        asked["kv_cache_memory_bytes"] = _CPU_KV_CACHE_BYTES
    return {
        "use_tqdm_on_load": False,
        **asked,
        "model": str(folder),
        "seed": request.seed % SEEDS,
        "disable_log_stats": False,
    }


def sampling_arguments(options: VllmOptions, output_tokens: int) -> dict[str, Any]:
    """Fields of SamplingParams for answers of exactly so many tokens.

    They stay token ids unless `detokenize` is asked for: text is not what is measured.
    """
    return {
        "detokenize": False,
        **options.sampling_fields(),
        "min_tokens": output_tokens,
        "max_tokens": output_tokens,
        "ignore_eos": True,
    }


def read_back(config: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine's configuration says, flat, in values of JSON.

    Args:
        config: the VllmConfig of a live engine.
        asked: arguments that were given; those not listed here are looked for in every part of it.
    """
    found = {name: _at(config, f"{part}.{name}") for part, names in _PARTS.items() for name in names}
    found |= {name: _at(config, path) for name, path in _ELSEWHERE.items()}
    found["attention_backend"] = _attention_backend(config) or found["attention_backend"]
    for name in asked.keys() - found.keys():
        for part in (config, *vars(config).values()):
            if hasattr(part, name):
                found[name] = _part(getattr(part, name), asked[name])
                break
    return dict(sorted(found.items()))


def overridden(asked: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Where the engine does otherwise than it was asked, in words.

    Args:
        asked: names and values that were asked for; ``auto`` leaves it to the engine.
        found: what it says it uses.
    """
    return [
        f"{name} was {value}, and the engine uses {found[name]}"
        for name, value in asked.items()
        if value != "auto" and name in found and not _same(value, found[name])
    ]


def plain(value: Any) -> Any:
    """A value of the engine's as JSON has it: names of enumerations and dtypes, text for what is neither."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return str(value).removeprefix("torch.")


def _same(asked: Any, found: Any) -> bool:
    if isinstance(asked, str) and isinstance(found, str):
        return asked.casefold() == found.casefold()
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        return all(name in found and _same(value, found[name]) for name, value in asked.items())
    return bool(plain(asked) == found)


def _part(found: Any, asked: Any) -> Any:
    """A value of the engine's; of a part of its configuration, what was asked of it."""
    if isinstance(asked, Mapping) and not isinstance(found, Mapping):
        return {name: _part(getattr(found, name), value) for name, value in asked.items() if hasattr(found, name)}
    return asked if isinstance(found, enum.Enum) and found.value == asked else plain(found)


def _at(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name, None)
    if path.endswith("optimization_level") and config is not None:
        return int(config)
    return plain(config)


def _attention_backend(config: Any) -> str | None:
    """The kernel that the model's layers were given; None where they live in other processes."""
    for layer in config.compilation_config.static_forward_context.values():
        chosen = getattr(layer, "attn_backend", None)
        if chosen is not None:
            return str(chosen.get_name())
    return None
