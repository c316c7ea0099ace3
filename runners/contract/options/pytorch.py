"""Parameters of the ``pytorch`` backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runners.contract.options.base import Options, PassedOn
from runners.contract.options.pytorch_rules import RULES as RULES


class PytorchOptions(Options):
    """Options of the ``pytorch`` backend: Hugging Face transformers."""

    SUMMARY: ClassVar[str] = "Hugging Face transformers"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("dtype", "batch_size")
    MODULES: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    INSTALL_HINT: ClassVar[str] = "pip install 'llm-orchestrate[pytorch]'"
    PASSED_ON: ClassVar[tuple[str, ...]] = ("generation_args",)
    MODEL_FIELDS: ClassVar[tuple[str, ...]] = ("assistant_model", "adapter")
    GENERATION_FIELDS: ClassVar[tuple[str, ...]] = (
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "length_penalty",
        "repetition_penalty",
        "no_repeat_ngram_size",
        "cache_implementation",
        "prompt_lookup_num_tokens",
    )
    """What GenerationConfig knows under the same name; null leaves it to the model."""
    LATER: ClassVar[frozenset[str]] = frozenset(
        {
            "torch_compile_fullgraph",
            "torch_compile_dynamic",
            "cache_implementation",
            "quantization",
            "bnb_4bit_quant_type",
            "bnb_4bit_compute_dtype",
            "bnb_4bit_use_double_quant",
            "min_p",
            "typical_p",
            "length_penalty",
            "no_repeat_ngram_size",
            "assistant_model",
            "num_assistant_tokens",
            "prompt_lookup_num_tokens",
            "adapter",
            "adapter_merged",
            "device_map",
            "tensor_parallel_size",
            "data_parallel_size",
            "num_threads",
            "generation_args",
        }
    )

    backend: Literal["pytorch"] = "pytorch"
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to run; auto: the campaign's GPUs, else the CPU"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field("bfloat16", description="type of weights and activations")
    batch_size: int = Field(1, ge=1, le=65_536, description="prompts generated together (static batching)")
    attn_implementation: Literal[
        "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention"
    ] = Field("sdpa", description="attention kernel")
    torch_compile: bool = Field(
        False,
        description="compile the forward pass of transformers' model; with a static cache, that of the steps"
        " after the prompt",
    )
    torch_compile_mode: Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] | None = (
        Field(None, description="mode of torch.compile; null: its own default")
    )
    torch_compile_fullgraph: bool = Field(False, description="refuse a model that does not compile into one graph")
    torch_compile_dynamic: bool | None = Field(
        None, description="compile for shapes of any size; null: once a second size is seen"
    )
    cache_implementation: Literal["dynamic", "static", "offloaded", "offloaded_static", "quantized"] | None = Field(
        None, description="cache of keys and values; null: the model's own, mostly dynamic"
    )
    quantization: (
        Literal[
            "bitsandbytes_8bit",
            "bitsandbytes_4bit",
            "gptq",
            "awq",
            "torchao_int8_weight_only",
            "torchao_int8_dynamic",
            "torchao_int4_weight_only",
            "torchao_float8_weight_only",
            "torchao_float8_dynamic",
        ]
        | None
    ) = Field(
        None,
        description="how transformers quantises linear layers; gptq and awq: as the checkpoint is, and checked;"
        " the others: while loading; dynamic: activations too",
    )
    bnb_4bit_quant_type: Literal["nf4", "fp4"] | None = Field(
        None, description="4-bit type of bitsandbytes; null: its own default, fp4"
    )
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | None = Field(
        None, description="type that bitsandbytes' 4-bit layers compute in; null: dtype"
    )
    bnb_4bit_use_double_quant: bool = Field(False, description="quantise the scales of bitsandbytes' 4-bit weights too")
    do_sample: bool = Field(False, description="sample instead of taking the most likely token")
    temperature: float | None = Field(
        None, gt=0, le=100, description="sampling temperature; null: as the model sets it, else transformers"
    )
    top_k: int | None = Field(
        None, ge=1, description="sample among the k most likely tokens; null: as the model sets it, else transformers"
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="sample within this cumulative probability; null: as the model sets it, else transformers",
    )
    min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave out tokens below this share of the likeliest's probability;"
        " null: as the model sets it, else transformers",
    )
    typical_p: float | None = Field(
        None, gt=0, le=1, description="sample among the most typical tokens within this cumulative probability"
    )
    num_beams: int = Field(1, ge=1, le=64, description="beams of beam search; 1: none")
    length_penalty: float | None = Field(
        None,
        ge=-100,
        le=100,
        description="penalty on long beams: power of the length that a beam's score is divided by",
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=100, description="penalty on tokens that prompt or answer have; null: none"
    )
    no_repeat_ngram_size: int | None = Field(
        None, ge=1, le=1024, description="length of sequences of tokens that must not come twice; null: none"
    )
    assistant_model: str | None = Field(
        None, min_length=1, description="smaller model that drafts tokens (assisted decoding): named as model is"
    )
    num_assistant_tokens: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="tokens that the assistant drafts at once, at most; null: as its own configuration says, else 20",
    )
    prompt_lookup_num_tokens: int | None = Field(
        None, ge=1, le=1024, description="draft so many tokens from where the prompt had the last ones before"
    )
    adapter: str | None = Field(
        None, min_length=1, description="LoRA adapter: a Hugging Face id (ORG/NAME[@REVISION]), or a folder"
    )
    adapter_merged: bool = Field(False, description="merge the adapter into the weights before anything is measured")
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = Field(
        None, description="spread one model's layers over the campaign's GPUs, in this way; null: one GPU"
    )
    tensor_parallel_size: int = Field(1, ge=1, le=64, description="GPUs that each layer is split over")
    data_parallel_size: int = Field(
        1,
        ge=1,
        le=64,
        description="copies of the model, each in a process of its own with a batch of batch_size at a time",
    )
    num_threads: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="CPU threads of each process; null: PyTorch's default, on a CPU divided among the processes",
    )
    generation_args: PassedOn = Field(
        default_factory=dict, description="any other field of transformers' GenerationConfig, by its own name"
    )

    @property
    def may_use_gpu(self) -> bool:
        """Unless it was told to stay on the CPU."""
        return self.device != "cpu"

    @property
    def processes(self) -> int:
        """Processes that the engine runs in, the runner's own among them."""
        return self.tensor_parallel_size * self.data_parallel_size

    @property
    def assisted(self) -> bool:
        """Whether tokens are drafted and then verified, several at once."""
        return self.assistant_model is not None or self.prompt_lookup_num_tokens is not None

    @property
    def gpus_needed(self) -> int | None:
        """A GPU for each process; with a device map, all there are."""
        return None if self.device_map else self.processes

    def handed_at_once(self, prompts: int) -> int:
        """A batch for each copy of the model."""
        return self.batch_size * self.data_parallel_size
