"""What is asked of llama.cpp, and what its running server says it does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xllamacpp

from runners.backends.llamacpp_server import Server
from runners.contract.options.llamacpp import LlamacppOptions

_FLASH_ATTENTION = {
    "auto": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_LOAD_MODES = {
    "none": xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE,
    "mmap": xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_MMAP,
}
_WARNINGS_ONLY = 2
_SEEDS = 2**32 - 1
"""One more would be LLAMA_DEFAULT_SEED, by which the engine draws one of its own."""


def asked_params(options: LlamacppOptions, file: Path, output_tokens: int, seed: int) -> Any:
    """The engine's own parameters for a run.

    Args:
        options: what was asked for.
        file: the GGUF file.
        output_tokens: tokens of each answer; the engine stops at no earlier token.
        seed: of the sampling.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    for name in ("n_parallel", "n_ctx", "kv_unified", "n_batch", "n_ubatch"):
        setattr(params, name, getattr(options, name))
    if options.n_threads:
        params.cpuparams.n_threads = options.n_threads
    if options.n_threads_batch:
        params.cpuparams_batch.n_threads = options.n_threads_batch
    params.flash_attn_type = _FLASH_ATTENTION[options.flash_attn]
    params.cache_type_k = _cache_type(options.cache_type_k)
    params.cache_type_v = _cache_type(options.cache_type_v)
    params.load_mode = _LOAD_MODES[options.load_mode]
    params.n_predict = output_tokens
    _set_sampling(params.sampling, options, seed)
    _measure_what_was_asked(params)
    return params


def read_back(server: Server) -> dict[str, Any]:
    """What the server says of itself and of its model, and the parameters as it resolved them."""
    params, model = server.params, server.model
    n_batch = min(params.n_batch, server.cache_tokens)  # its context cuts it down so, and does not tell
    return {
        "quantization": model["ftype"],
        "parameters": model["n_params"],
        "model_bytes": model["size"],
        "n_parallel": server.sequences,
        "n_ctx_of_a_sequence": server.context_tokens,
        "kv_unified": params.kv_unified,
        "n_batch": n_batch,
        "n_ubatch": min(params.n_ubatch, n_batch),
        "n_threads": params.cpuparams.n_threads,
        "n_threads_batch": params.cpuparams_batch.n_threads,
        "flash_attn": _name_of(_FLASH_ATTENTION, params.flash_attn_type),
        "cache_type_k": _type_name(params.cache_type_k),
        "cache_type_v": _type_name(params.cache_type_v),
        "load_mode": _name_of(_LOAD_MODES, params.load_mode),
        "system": xllamacpp.get_system_info().strip(" |"),
    }


def overridden(options: LlamacppOptions, found: Mapping[str, Any]) -> list[str]:
    """Where the engine does otherwise than it was asked, in words; what it was left to decide is not among it.

    Args:
        options: what was asked for.
        found: what it says it does.
    """
    asked = {name: value for name, value in options.model_dump().items() if value not in (None, "auto")}
    return [
        f"{name} {value} was asked for, and the engine uses {found[name]}"
        for name, value in asked.items()
        if name in found and found[name] != value
    ]


def _set_sampling(sampling: Any, options: LlamacppOptions, seed: int) -> None:
    sampling.seed = seed % _SEEDS
    sampling.ignore_eos = True
    sampling.temp = options.temperature
    sampling.penalty_repeat = options.repeat_penalty
    for name in ("top_k", "top_p", "min_p"):
        if (value := getattr(options, name)) is not None:
            setattr(sampling, name, value)


def _measure_what_was_asked(params: Any) -> None:
    """No answer out of a cache of earlier prompts, no parameter fitted to the machine, no page for a browser."""
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.fit_params = False
    params.ui = False
    params.verbosity = _WARNINGS_ONLY
    params.api_keys = [secrets.token_urlsafe()]


def _cache_type(name: str) -> Any:
    return getattr(xllamacpp.ggml_type, f"GGML_TYPE_{name.upper()}")


def _type_name(value: Any) -> str:
    return str(xllamacpp.ggml_type(value).name).removeprefix("GGML_TYPE_").lower()


def _name_of(names: dict[str, Any], value: Any) -> str:
    return next(name for name, known in names.items() if known == value)
