"""Parameters of the ``tensorrt`` backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runners.contract.options.base import Options, OptionsRule, PassedOn


class TensorrtOptions(Options):
    """Options of the ``tensorrt`` backend: TensorRT-LLM through its LLM API."""

    SUMMARY: ClassVar[str] = "TensorRT-LLM"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("dtype", "max_batch_size")
    MODULES: ClassVar[tuple[str, ...]] = ("torch", "tensorrt_llm")
    INSTALL_HINT: ClassVar[str] = "run it in its container: --dispatch compose"
    PASSED_ON: ClassVar[tuple[str, ...]] = ("engine_args", "sampling_args")

    backend: Literal["tensorrt"] = "tensorrt"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "bfloat16", description="type of weights and activations"
    )
    max_batch_size: int = Field(128, ge=1, le=65_536, description="sequences worked on at the same time, at most")
    tensor_parallel_size: int = Field(1, ge=1, le=1024, description="GPUs that each layer is split over")
    pipeline_parallel_size: int = Field(1, ge=1, le=1024, description="groups of GPUs that the layers are split over")
    engine_args: PassedOn = Field(
        default_factory=dict, description="any other argument of TensorRT-LLM's LLM, by its own name"
    )
    sampling_args: PassedOn = Field(
        default_factory=dict, description="any other field of TensorRT-LLM's SamplingParams, by its own name"
    )

    @property
    def gpus_needed(self) -> int | None:
        """A GPU for each part of the model."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    def handed_at_once(self, prompts: int) -> int:
        """All of them: the engine batches by itself."""
        return prompts

    def worked_on_at_once(self, prompts: int) -> int:
        """As many sequences as the engine may hold."""
        return min(prompts, self.max_batch_size)


RULES: tuple[OptionsRule[TensorrtOptions], ...] = ()
