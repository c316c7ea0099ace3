"""How models and datasets are named: ``demo:NAME``, a folder, ``builtin``, a file, or something on the hub. Pure."""

from __future__ import annotations

import re

DEMO_MODELS = ("smollm2-135m",)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[A-Za-z0-9][\w./-]*)?", re.ASCII)


def is_local(model: str) -> bool:
    """Whether a model is named by a folder: it begins with ``./``, ``../``, ``/`` or ``~``."""
    return model.startswith(("./", "../", "/", "~"))


MODEL_FILE = "config.json"
PART_FILES = (MODEL_FILE, "adapter_config.json")
"""One of them is in the folder of every model, and of every part of one that an option names."""


def check_model(model: str) -> tuple[str, str] | None:
    """What is wrong with a model's name and what to do, or None."""
    if model.startswith("demo:"):
        if model.removeprefix("demo:") not in DEMO_MODELS:
            return f"unknown demo model {model!r}", f"known: {', '.join('demo:' + name for name in DEMO_MODELS)}"
        return None
    if is_local(model):
        return None
    if not _HUB_ID.fullmatch(model) or ".." in model:
        return (
            f"{model!r} names no model",
            "write demo:NAME, a Hugging Face id (ORG/NAME[@REVISION]), or a folder that begins with ./ or /",
        )
    return None


def is_prompt_file(dataset: str) -> bool:
    """Whether a dataset is a file of prompts, not built in and not from the hub."""
    return dataset != "builtin" and not dataset.startswith("hf:")


def check_dataset(dataset: str) -> tuple[str, str] | None:
    """What is wrong with a dataset's name and what to do, or None."""
    if is_prompt_file(dataset) and not dataset.endswith(".jsonl"):
        return f"unknown dataset {dataset!r}", "write builtin, a file that ends in .jsonl, or hf:NAME"
    return None
