"""Parameters of the ``pytorch`` backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runners.contract.options.base import Options, OptionsRule


class PytorchOptions(Options):
    """Options of the ``pytorch`` backend: Hugging Face transformers."""

    SUMMARY: ClassVar[str] = "Hugging Face transformers"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("dtype", "batch_size")
    MODULES: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    INSTALL_HINT: ClassVar[str] = "pip install 'llm-orchestrate[pytorch]'"

    backend: Literal["pytorch"] = "pytorch"
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to run; auto: the campaign's GPUs, else the CPU"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field("bfloat16", description="type of weights and activations")
    batch_size: int = Field(1, ge=1, le=65_536, description="prompts generated together (static batching)")
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] = Field("sdpa", description="attention kernel")
    torch_compile: bool = Field(False, description="compile the model's forward pass with torch.compile")
    torch_compile_mode: Literal["default", "reduce-overhead", "max-autotune"] | None = Field(
        None, description="mode of torch.compile; null: its own default"
    )
    do_sample: bool = Field(False, description="sample instead of taking the most likely token")
    temperature: float | None = Field(None, gt=0, le=100, description="sampling temperature")
    top_k: int | None = Field(None, ge=1, description="sample among the k most likely tokens")
    top_p: float | None = Field(None, gt=0, le=1, description="sample within this cumulative probability")
    num_beams: int = Field(1, ge=1, le=64, description="beams of beam search; 1: none")
    repetition_penalty: float | None = Field(None, gt=0, le=100, description="penalty on repeated tokens")

    @property
    def may_use_gpu(self) -> bool:
        """Unless it was told to stay on the CPU."""
        return self.device != "cpu"

    def handed_at_once(self, prompts: int) -> int:
        """A batch."""
        return self.batch_size


def _sampling_without_do_sample(options: PytorchOptions) -> bool:
    return not options.do_sample and any(
        value is not None for value in (options.temperature, options.top_k, options.top_p)
    )


RULES: tuple[OptionsRule[PytorchOptions], ...] = (
    OptionsRule(
        "flash-attention-needs-half-precision",
        "flash_attention_2 knows float16 and bfloat16 only",
        lambda o: o.attn_implementation == "flash_attention_2" and o.dtype == "float32",
    ),
    OptionsRule(
        "flash-attention-needs-gpu",
        "flash_attention_2 does not run on a CPU",
        lambda o: o.attn_implementation == "flash_attention_2" and o.device == "cpu",
    ),
    OptionsRule(
        "compile-mode-needs-compile",
        "torch_compile_mode does nothing without torch_compile",
        lambda o: o.torch_compile_mode is not None and not o.torch_compile,
    ),
    OptionsRule(
        "sampling-needs-do-sample",
        "temperature, top_k and top_p do nothing without do_sample",
        _sampling_without_do_sample,
    ),
)
