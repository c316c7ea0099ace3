"""Puts the stand-ins where Python looks for TensorRT-LLM, for one test; and a GPU where torch looks for one.

Replaced are the outermost boundaries only: the library's package and torch.cuda. So tests with it show that what was
asked for arrives in the library's own objects; they show nothing of the library.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runners.contract.request import RunRequest

STANDINS = Path(__file__).parent
REPOSITORY = STANDINS.parents[1]
UUID = "GPU-01234567-89ab-cdef-0123-456789abcdef"
_REPLACED = ("tensorrt_llm", "tensorrt", "runners.backends.tensorrt")


@contextmanager
def tensorrt_llm_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """TensorRT-LLM as the stand-in, in this process and in those that it starts."""
    _forget()
    monkeypatch.syspath_prepend(str(STANDINS))
    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}:{STANDINS}")
    try:
        yield
    finally:
        _forget()


def gpus(monkeypatch: pytest.MonkeyPatch, *capabilities: tuple[int, int]) -> list[dict[str, Any]]:
    """GPUs as torch.cuda shows them, by their compute capabilities; returns them as a request names them."""
    uuids = [f"{UUID[:-1]}{index}" for index in range(len(capabilities))]
    properties = [
        SimpleNamespace(uuid=uuid.removeprefix("GPU-"), major=major, minor=minor)
        for uuid, (major, minor) in zip(uuids, capabilities, strict=True)
    ]
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(properties))
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: properties[index])
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda index: capabilities[index])
    return [{"index": index, "uuid": uuid, "name": "NVIDIA Test"} for index, uuid in enumerate(uuids)]


def save_tiny_model(folder: Path) -> Path:
    """A model's folder without weights: a Llama configuration, and a tokenizer that knows a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    words = ["<unk>", "<s>", "a", "few", "words"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>").save_pretrained(folder)
    LlamaConfig(
        hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, vocab_size=len(words)
    ).save_pretrained(folder)
    return folder


def tensorrt_request(model: Path, named: list[dict[str, Any]], **options: Any) -> RunRequest:
    """A request for answers of four tokens each by a local model."""
    return RunRequest.model_validate(
        {
            "campaign": "c",
            "experiment_id": "e-1",
            "cycle": 1,
            "cycles": 1,
            "attempt": 1,
            "order_index": 0,
            "experiment": {
                "model": str(model),
                "workload": {"prompts": 2, "output_tokens": 4},
                "options": {"backend": "tensorrt", **options},
            },
            "model_path": str(model),
            "gpus": named,
            "seed": 11,
        }
    )


def _forget() -> None:
    for name in [name for name in sys.modules if name.startswith(_REPLACED)]:
        del sys.modules[name]
