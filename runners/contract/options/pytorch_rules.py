"""Combinations of the ``pytorch`` backend's parameters that make no sense, or that transformers refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runners.contract.options.base import OptionsRule

if TYPE_CHECKING:
    from runners.contract.options.pytorch import PytorchOptions

RESERVED_GENERATION_ARGS: Final = frozenset(
    {
        # Of the workload: a prompt goes in as it is, and an answer has the length that was asked for.
        "max_length",
        "max_new_tokens",
        "min_length",
        "min_new_tokens",
        "max_time",
        "num_return_sequences",
        "stop_strings",
        "token_healing",
        # Of this backend: derived from other parameters, or needed for reading back what was done.
        "compile_config",
        "disable_compile",
        "is_assistant",
        "output_attentions",
        "output_hidden_states",
        "output_logits",
        "output_scores",
        "return_dict_in_generate",
        "transformers_version",
    }
)
"""Fields of GenerationConfig that cannot be passed on."""

_SAMPLING: Final = ("temperature", "top_k", "top_p", "min_p", "typical_p")
_STATIC: Final = ("static", "offloaded_static")
_OFFLOADED: Final = ("offloaded", "offloaded_static")
_PRE_QUANTISED: Final = ("gptq", "awq")


def _flash(options: PytorchOptions) -> bool:
    return options.attn_implementation.startswith("flash_attention")


def _sampling_without_do_sample(options: PytorchOptions) -> bool:
    return not options.do_sample and any(getattr(options, name) is not None for name in _SAMPLING)


def _bnb_4bit_without_it(options: PytorchOptions) -> bool:
    asked = options.bnb_4bit_quant_type or options.bnb_4bit_compute_dtype or options.bnb_4bit_use_double_quant
    return options.quantization != "bitsandbytes_4bit" and bool(asked)


def _compile_in_generate_of_uncompilable(options: PytorchOptions) -> bool:
    if options.quantization is None or not options.torch_compile or options.cache_implementation not in _STATIC:
        return False
    return not options.quantization.startswith("torchao")


_WITHOUT_EFFECT: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    OptionsRule(
        "compile-mode-needs-compile",
        "torch_compile_mode does nothing without torch_compile",
        lambda o: o.torch_compile_mode is not None and not o.torch_compile,
    ),
    OptionsRule(
        "compile-shape-needs-compile",
        "torch_compile_fullgraph and torch_compile_dynamic do nothing without torch_compile",
        lambda o: (o.torch_compile_fullgraph or o.torch_compile_dynamic is not None) and not o.torch_compile,
    ),
    OptionsRule(
        "sampling-needs-do-sample",
        "temperature, top_k, top_p, min_p and typical_p do nothing without do_sample",
        _sampling_without_do_sample,
    ),
    OptionsRule(
        "length-penalty-needs-beams",
        "length_penalty does nothing without num_beams above 1",
        lambda o: o.length_penalty is not None and o.num_beams == 1,
    ),
    OptionsRule(
        "bnb-4bit-needs-4bit",
        "the bnb_4bit_ parameters do nothing without quantization: bitsandbytes_4bit",
        _bnb_4bit_without_it,
    ),
    OptionsRule(
        "assistant-tokens-need-assistant",
        "num_assistant_tokens does nothing without assistant_model",
        lambda o: o.num_assistant_tokens is not None and o.assistant_model is None,
    ),
    OptionsRule(
        "merging-needs-adapter",
        "adapter_merged does nothing without adapter",
        lambda o: o.adapter_merged and o.adapter is None,
    ),
)

_ATTENTION: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    OptionsRule(
        "flash-attention-needs-half-precision",
        "flash attention knows float16 and bfloat16 only",
        lambda o: _flash(o) and o.dtype == "float32",
    ),
    OptionsRule(
        "flash-attention-needs-gpu",
        "flash attention does not run on a CPU",
        lambda o: _flash(o) and o.device == "cpu",
    ),
)

_QUANTISATION: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    OptionsRule(
        "pre-quantised-needs-half-precision",
        "the kernels of gptq and awq compute in half precision, not in float32",
        lambda o: o.quantization in _PRE_QUANTISED and o.dtype == "float32",
    ),
    OptionsRule(
        "awq-needs-float16",
        "transformers computes awq in float16 on a GPU, whatever dtype says",
        lambda o: o.quantization == "awq" and o.dtype == "bfloat16" and o.device != "cpu",
    ),
    OptionsRule(
        "int4-needs-gpu",
        "torchao's int4 kernel does not run on a CPU",
        lambda o: o.quantization == "torchao_int4_weight_only" and o.device == "cpu",
    ),
    OptionsRule(
        "int4-needs-bfloat16",
        "torchao's int4 kernel knows bfloat16 only",
        lambda o: o.quantization == "torchao_int4_weight_only" and o.dtype != "bfloat16",
    ),
    OptionsRule(
        "float8-dynamic-needs-gpu",
        "torchao's float8 matrix product does not run on a CPU",
        lambda o: o.quantization == "torchao_float8_dynamic" and o.device == "cpu",
    ),
    OptionsRule(
        "float8-dynamic-needs-bfloat16",
        "torchao's float8 matrix product scaled by row knows bfloat16 only",
        lambda o: o.quantization == "torchao_float8_dynamic" and o.dtype != "bfloat16",
    ),
    OptionsRule(
        "static-compile-needs-compilable-quantisation",
        "with a static cache transformers compiles no model quantised by bitsandbytes, gptq or awq",
        _compile_in_generate_of_uncompilable,
    ),
    OptionsRule(
        "merging-into-quantised-weights",
        "an adapter merged into quantised weights is rounded with them",
        lambda o: o.adapter_merged and o.quantization is not None,
    ),
)

_DECODING: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    OptionsRule(
        "one-way-of-drafting",
        "tokens are drafted by assistant_model or by prompt_lookup_num_tokens, not by both",
        lambda o: o.assistant_model is not None and o.prompt_lookup_num_tokens is not None,
    ),
    OptionsRule(
        "assisted-decoding-without-beams",
        "transformers ignores assisted decoding with beams",
        lambda o: o.assisted and o.num_beams > 1,
    ),
    OptionsRule(
        "assisted-decoding-one-by-one",
        "transformers refuses assisted decoding of more than one prompt at once",
        lambda o: o.assisted and o.batch_size > 1,
    ),
    OptionsRule(
        "assisted-decoding-needs-dynamic-cache",
        "tokens that were drafted in vain cannot be taken back from a static or quantised cache",
        lambda o: o.assisted and o.cache_implementation in (*_STATIC, "quantized"),
    ),
    OptionsRule(
        "offloaded-cache-needs-gpu",
        "an offloaded cache moves from a GPU to the host's memory and back",
        lambda o: o.cache_implementation in _OFFLOADED and o.device == "cpu",
    ),
    OptionsRule(
        "generation-args-once",
        "generation_args holds only what no other parameter and no length of the workload decides",
        lambda o: bool(o.generation_args.keys() & (RESERVED_GENERATION_ARGS | type(o).model_fields.keys())),
    ),
)

_PARALLEL: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    OptionsRule(
        "device-map-needs-gpu",
        "device_map spreads layers over GPUs, and there are none with device: cpu",
        lambda o: o.device_map is not None and o.device == "cpu",
    ),
    OptionsRule(
        "device-map-in-one-process",
        "device_map spreads one process's model over all GPUs; parallel processes have a GPU each",
        lambda o: o.device_map is not None and o.processes > 1,
    ),
    OptionsRule(
        "tensor-or-data-parallel",
        "tensor_parallel_size and data_parallel_size together are not supported yet",
        lambda o: o.tensor_parallel_size > 1 and o.data_parallel_size > 1,
    ),
    OptionsRule(
        "tensor-parallel-without-quantisation",
        "transformers' plans split plain weights, not quantised ones",
        lambda o: o.tensor_parallel_size > 1 and o.quantization is not None,
    ),
    OptionsRule(
        "tensor-parallel-without-adapter",
        "transformers' plans split the model's own layers, not an adapter's",
        lambda o: o.tensor_parallel_size > 1 and o.adapter is not None,
    ),
    OptionsRule(
        "tensor-parallel-without-assistant",
        "an assistant model is not split, and would draft anew in each process",
        lambda o: o.tensor_parallel_size > 1 and o.assistant_model is not None,
    ),
)

RULES: Final[tuple[OptionsRule[PytorchOptions], ...]] = (
    *_WITHOUT_EFFECT,
    *_ATTENTION,
    *_QUANTISATION,
    *_DECODING,
    *_PARALLEL,
)
