"""Every parameter of the pytorch backend, from our model to transformers' own objects.

A tiny model is really loaded and asked wherever that goes on a CPU. What needs a GPU, or a library that needs one, is
followed to what ``from_pretrained`` is called with: the last call before the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

pytest.importorskip("transformers")

import torch
import transformers

from runners.backends.pytorch import PytorchBackend
from runners.backends.pytorch_load import Located, _load_model, locate_all
from runners.backends.pytorch_place import Place
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest
from tests.tiny import tiny_adapter, tiny_model

pytestmark = pytest.mark.runtime

PROMPT = [5, 6, 7, 8, 5, 6]


class Case(NamedTuple):
    """Options, one of which is what the case is about, and where the engine has it."""

    options: dict[str, Any]
    seen: Callable[[Any, dict[str, Any]], Any]
    """Of the loaded models and of what the engine says of itself."""
    expected: Any
    needs: str = "transformers"
    """A module without which there is no such thing to load."""


def generation(name: str, value: Any, **further: Any) -> Case:
    return Case({name: value, **further}, lambda held, config: config["generation"][name], value)


def quantised(kind: str, layer: str, needs: str, **further: Any) -> Case:
    return Case(
        {"quantization": kind, **further}, lambda held, config: config["quantization"]["layers"].get(layer), 14, needs
    )


def bnb(**options: Any) -> dict[str, Any]:
    return {"quantization": "bitsandbytes_4bit", **options}


LIVE: dict[str, Case] = {
    "device": Case({"device": "cpu"}, lambda held, config: str(held.model.device), "cpu"),
    "dtype": Case({"dtype": "bfloat16"}, lambda held, config: held.model.dtype, torch.bfloat16),
    "attn_implementation": Case(
        {"attn_implementation": "eager"}, lambda held, config: held.model.config._attn_implementation, "eager"
    ),
    "torch_compile": Case({"torch_compile": True}, lambda held, config: config["compiled_graphs"] > 0, True),
    "cache_implementation": Case(
        {"cache_implementation": "static"}, lambda held, config: config["cache"]["class"], "StaticCache"
    ),
    "quantization": quantised("bitsandbytes_8bit", "Linear8bitLt", "bitsandbytes"),
    "bnb_4bit_quant_type": Case(
        bnb(bnb_4bit_quant_type="nf4"),
        lambda held, config: held.model.model.layers[0].self_attn.q_proj.weight.quant_type,
        "nf4",
        "bitsandbytes",
    ),
    "bnb_4bit_compute_dtype": Case(
        bnb(bnb_4bit_compute_dtype="bfloat16"),
        lambda held, config: held.model.model.layers[0].self_attn.q_proj.compute_dtype,
        torch.bfloat16,
        "bitsandbytes",
    ),
    "bnb_4bit_use_double_quant": Case(
        bnb(bnb_4bit_use_double_quant=True),
        lambda held, config: held.model.model.layers[0].self_attn.q_proj.weight.compress_statistics,
        True,
        "bitsandbytes",
    ),
    "do_sample": generation("do_sample", True),
    "temperature": generation("temperature", 0.7, do_sample=True),
    "top_k": generation("top_k", 9, do_sample=True),
    "top_p": generation("top_p", 0.8, do_sample=True),
    "min_p": generation("min_p", 0.1, do_sample=True),
    "typical_p": generation("typical_p", 0.9, do_sample=True),
    "num_beams": generation("num_beams", 2),
    "length_penalty": generation("length_penalty", 1.5, num_beams=2),
    "repetition_penalty": generation("repetition_penalty", 1.3),
    "no_repeat_ngram_size": generation("no_repeat_ngram_size", 3),
    "assistant_model": Case(
        {"assistant_model": "draft"}, lambda held, config: held.assistant.config.num_hidden_layers, 1
    ),
    "num_assistant_tokens": Case(
        {"assistant_model": "draft", "num_assistant_tokens": 3},
        lambda held, config: held.assistant.generation_config.num_assistant_tokens,
        3,
    ),
    "prompt_lookup_num_tokens": generation("prompt_lookup_num_tokens", 3),
    "adapter": Case({"adapter": "lora"}, lambda held, config: held.model.active_adapters(), ["default"], "peft"),
    "adapter_merged": Case(
        {"adapter": "lora", "adapter_merged": True},
        lambda held, config: any("lora_" in name for name, _ in held.model.named_parameters()),
        False,
        "peft",
    ),
    "num_threads": Case({"num_threads": 1}, lambda held, config: torch.get_num_threads(), 1),
    "generation_args": Case(
        {"generation_args": {"guidance_scale": 1.5, "use_cache": False}},
        lambda held, config: (config["generation"]["guidance_scale"], config["cache"]),
        (1.5, None),
    ),
}
FURTHER: dict[str, Case] = {
    "bitsandbytes 4 bit": quantised("bitsandbytes_4bit", "Linear4bit", "bitsandbytes"),
    "torchao int8": quantised("torchao_int8_weight_only", "Int8Tensor", "torchao"),
    "torchao int8, activations too": quantised("torchao_int8_dynamic", "Int8Tensor", "torchao"),
    "torchao float8": quantised("torchao_float8_weight_only", "Float8Tensor", "torchao", dtype="bfloat16"),
    "a static cache, compiled": Case(
        {"cache_implementation": "static", "torch_compile": True},
        lambda held, config: (config["compiled_graphs"] > 0, config["generation"].get("disable_compile")),
        (True, None),
    ),
}
AS_CALLED: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Any], Any]] = {
    "device_map": ({"device_map": "balanced"}, lambda called: called["device_map"], "balanced"),
    "tensor_parallel_size": (
        {"tensor_parallel_size": 2},
        lambda called: called["distributed_config"].tp_size,
        2,
    ),
}
"""Arguments of ``from_pretrained``. tensor_parallel_size runs for real in test_runner_pytorch_processes.py."""
COMPILED: dict[str, Any] = {
    "torch_compile_mode": "max-autotune-no-cudagraphs",
    "torch_compile_fullgraph": True,
    "torch_compile_dynamic": True,
}
"""Arguments of ``model.compile``."""
ELSEWHERE = {
    "batch_size": "the batch that generate is handed: tests/integration/test_runner_pytorch.py",
    "data_parallel_size": "two real processes: tests/integration/test_runner_pytorch_processes.py",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {
        "model": tiny_model(folder / "model"),
        "assistant_model": tiny_model(folder / "draft", hidden=32, layers=1, seed=1),
    }


@pytest.fixture
def make(models: dict[str, Path], tmp_path: Path) -> Callable[[dict[str, Any]], RunRequest]:
    def request_of(options: dict[str, Any]) -> RunRequest:
        paths = {"assistant_model": str(models["assistant_model"])}
        if "adapter" in options:
            paths["adapter"] = str(tiny_adapter(tmp_path / "adapter", models["model"]))
        return RunRequest.model_validate(
            {
                "campaign": "runtime",
                "experiment_id": "e-1",
                "cycle": 1,
                "cycles": 1,
                "attempt": 1,
                "order_index": 0,
                "experiment": {
                    "model": "tiny",
                    "workload": {"prompts": 1, "output_tokens": 4},
                    "options": {"backend": "pytorch", "dtype": "float32", **options},
                },
                "model_path": str(models["model"]),
                "option_paths": paths,
            }
        )

    return request_of


def test_there_is_a_case_for_every_parameter() -> None:
    covered = LIVE.keys() | AS_CALLED.keys() | COMPILED.keys() | ELSEWHERE.keys()
    assert covered == PytorchOptions.model_fields.keys() - {"backend"}


@pytest.mark.parametrize("name", [*LIVE, *FURTHER])
def test_it_reaches_the_engine(make: Callable[[dict[str, Any]], RunRequest], name: str) -> None:
    case = {**LIVE, **FURTHER}[name]
    pytest.importorskip(case.needs)
    threads = torch.get_num_threads()
    request = make(case.options)
    backend = PytorchBackend(request, request.experiment.options, lambda: None)
    backend.prepare()
    backend.load()
    try:
        backend.open_window()
        batch = backend.generate([PROMPT])
        assert len(batch.outputs[0]) == 4
        if request.experiment.options.num_beams == 1:
            assert len(batch.token_times_s) == 4, "each token's moment is known, also where several came at once"
        assert case.seen(backend._replica._held, backend.effective_config()) == case.expected
        assert backend.overridden() == []
    finally:
        backend.close()
        torch.set_num_threads(threads)
        torch._dynamo.reset()


@pytest.mark.parametrize("name", AS_CALLED)
def test_it_reaches_the_call_that_loads(make: Callable[[dict[str, Any]], RunRequest], name: str) -> None:
    options, seen, expected = AS_CALLED[name]
    request = make(options)
    located: Located = locate_all(request)
    with mock.patch.object(transformers.AutoModelForCausalLM, "from_pretrained") as loads:
        _load_model(located.model.folder, request.experiment.options, Place(0, (torch.device("cpu"),)))
    assert seen(loads.call_args.kwargs) == expected


@pytest.mark.parametrize("static", [False, True])
def test_how_to_compile_reaches_the_compiler(make: Callable[[dict[str, Any]], RunRequest], static: bool) -> None:
    options = {"torch_compile": True, **COMPILED, **({"cache_implementation": "static"} if static else {})}
    request = make(options)
    backend = PytorchBackend(request, request.experiment.options, lambda: None)
    backend.prepare()
    compiler = "torch.compile" if static else "torch.nn.Module.compile"
    with mock.patch(compiler, side_effect=lambda *call, **_: call[0] if call else None) as compiles:
        backend.load()
        backend.generate([PROMPT])
    asked = {name.removeprefix("torch_compile_"): value for name, value in COMPILED.items()}
    assert {name: compiles.call_args.kwargs[name] for name in asked} == asked


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_a_checkpoint_that_is_not_so_quantised_is_refused(
    make: Callable[[dict[str, Any]], RunRequest], method: str
) -> None:
    from runners.errors import BadRequestError

    request = make({"quantization": method, "dtype": "float16"})
    backend = PytorchBackend(request, request.experiment.options, lambda: None)
    backend.prepare()
    with (
        mock.patch("runners.backends.pytorch_quantization._require_installed"),
        pytest.raises(BadRequestError, match=f"quantization is {method}, and the checkpoint is not quantised"),
    ):
        backend.load()
