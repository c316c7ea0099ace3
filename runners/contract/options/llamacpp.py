"""Parameters of the ``llamacpp`` backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runners.contract.options.base import Options, OptionsRule

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]

_UNQUANTISED = ("f32", "f16", "bf16")


class LlamacppOptions(Options):
    """Options of the ``llamacpp`` backend: llama.cpp's server engine in this process, on the CPU."""

    SUMMARY: ClassVar[str] = "llama.cpp, on the CPU"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("n_parallel",)
    MODULES: ClassVar[tuple[str, ...]] = ("xllamacpp",)
    INSTALL_HINT: ClassVar[str] = "pip install 'llm-orchestrate[llamacpp]'"
    MODEL_FILE: ClassVar[str | None] = "*.gguf"

    backend: Literal["llamacpp"] = "llamacpp"
    gguf_file: str | None = Field(
        None, min_length=1, description="which file of the model's folder or repository; null: the only one"
    )
    n_parallel: int = Field(1, ge=1, le=256, description="sequences worked on at the same time, at most")
    n_ctx: int = Field(
        4096, ge=0, le=2**24, description="tokens that the key-value cache holds in all; 0: the model's context length"
    )
    kv_unified: bool = Field(False, description="one cache for all sequences, instead of an equal part for each")
    n_batch: int = Field(2048, ge=1, le=2**20, description="tokens handed to the model at once, at most")
    n_ubatch: int = Field(512, ge=1, le=2**20, description="tokens that it computes at once, at most")
    n_threads: int | None = Field(
        None, ge=1, le=512, description="threads that generate; null: the machine's cores, as llama.cpp counts them"
    )
    n_threads_batch: int | None = Field(
        None, ge=1, le=512, description="threads that process prompts; null: as many as generate"
    )
    flash_attn: Literal["auto", "on", "off"] = Field("auto", description="flash attention; auto: where it works")
    cache_type_k: CacheType = Field("f16", description="type of the cached keys")
    cache_type_v: CacheType = Field("f16", description="type of the cached values")
    load_mode: Literal["none", "mmap"] = Field(
        "none", description="how the weights come into memory; none: read before the run begins; mmap: when first used"
    )
    temperature: float = Field(
        0.0, ge=0, le=100, description="sampling temperature of llama.cpp; 0: take the most likely token"
    )
    top_k: int | None = Field(
        None, ge=1, description="sample among the k most likely tokens; null: llama.cpp's default"
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="sample within this cumulative probability; null: llama.cpp's default"
    )
    min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave out tokens below this share of the likeliest's probability; null: llama.cpp's default",
    )
    repeat_penalty: float = Field(1.0, gt=0, le=100, description="penalty on repeated tokens; 1: none")

    @property
    def may_use_gpu(self) -> bool:
        """The package is built for the CPU."""
        return False

    def handed_at_once(self, prompts: int) -> int:
        """All of them: the engine batches by itself."""
        return prompts

    def worked_on_at_once(self, prompts: int) -> int:
        """As many sequences as the engine may hold."""
        return min(prompts, self.n_parallel)


def _sampling_without_temperature(options: LlamacppOptions) -> bool:
    return options.temperature == 0 and any(
        value is not None for value in (options.top_k, options.top_p, options.min_p)
    )


RULES: tuple[OptionsRule[LlamacppOptions], ...] = (
    OptionsRule(
        "ubatch-fits-batch",
        "n_ubatch above n_batch is cut down to it",
        lambda o: o.n_ubatch > o.n_batch,
    ),
    OptionsRule(
        "quantised-values-need-flash-attention",
        "a quantised cache_type_v works with flash attention only",
        lambda o: o.flash_attn == "off" and o.cache_type_v not in _UNQUANTISED,
    ),
    OptionsRule(
        "sampling-needs-temperature",
        "top_k, top_p and min_p do nothing while temperature is 0",
        _sampling_without_temperature,
    ),
)
