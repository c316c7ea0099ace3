"""Every parameter of the ``llamacpp`` backend arrives at llama.cpp's own object, under its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runners.contract.options.llamacpp import LlamacppOptions

pytestmark = pytest.mark.runtime

FILE = Path("/models/model.gguf")


class Case(NamedTuple):
    """A value that is not the default, and where it has to be found."""

    value: Any
    place: str
    found: Any = None
    """As the engine holds it; None: the same."""


CASES = {
    "n_parallel": Case(3, "n_parallel"),
    "n_ctx": Case(768, "n_ctx"),
    "kv_unified": Case(True, "kv_unified"),
    "n_batch": Case(640, "n_batch"),
    "n_ubatch": Case(64, "n_ubatch"),
    "n_threads": Case(5, "cpuparams.n_threads"),
    "n_threads_batch": Case(7, "cpuparams_batch.n_threads"),
    "flash_attn": Case("off", "flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_DISABLED"),
    "cache_type_k": Case("q5_0", "cache_type_k", "GGML_TYPE_Q5_0"),
    "cache_type_v": Case("q8_0", "cache_type_v", "GGML_TYPE_Q8_0"),
    "load_mode": Case("mmap", "load_mode", "LLAMA_LOAD_MODE_MMAP"),
    "temperature": Case(0.75, "sampling.temp"),
    "top_k": Case(17, "sampling.top_k"),
    "top_p": Case(0.5, "sampling.top_p"),
    "min_p": Case(0.25, "sampling.min_p"),
    "repeat_penalty": Case(1.25, "sampling.penalty_repeat"),
}
ELSEWHERE = {"backend", "gguf_file"}
"""Which backend, and which file: not for the engine's parameters."""


def at(params: Any, place: str) -> Any:
    for name in place.split("."):
        params = getattr(params, name)
    return params


def asked(**options: Any) -> Any:
    from runners.backends.llamacpp_config import asked_params

    return asked_params(LlamacppOptions(**options), FILE, output_tokens=11, seed=2**32 + 13)


def test_every_field_is_looked_at() -> None:
    assert CASES.keys() | ELSEWHERE == LlamacppOptions.model_fields.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_value_arrives(name: str) -> None:
    case = CASES[name]
    assert case.value != LlamacppOptions.model_fields[name].default
    found = at(asked(**{name: case.value}), case.place)
    assert (getattr(found, "name", found)) == (case.value if case.found is None else case.found)
    assert at(asked(), case.place) != found, "the default is another"


@pytest.mark.parametrize("name", LlamacppOptions.model_fields["cache_type_k"].annotation.__args__)
def test_the_engine_knows_every_cache_type(name: str) -> None:
    assert asked(cache_type_k=name).cache_type_k.name == f"GGML_TYPE_{name.upper()}"


def test_what_holds_for_every_run() -> None:
    params = asked()
    assert (params.model.path, params.n_predict, params.sampling.seed) == (str(FILE), 11, 14)
    assert params.sampling.ignore_eos, "answers have the length that was asked for"
    assert not params.cache_prompt, "no prompt is answered out of an earlier one's cache"
    assert not params.fit_params, "nothing is changed to fit the machine"
    assert len(params.api_keys[0]) > 20


def test_flash_attention_of_its_own_choice_stays_the_engine_s() -> None:
    import xllamacpp

    assert asked().flash_attn_type == xllamacpp.CommonParams().flash_attn_type
