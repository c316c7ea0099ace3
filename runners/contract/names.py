"""How models and datasets are named: ``demo:NAME``, a folder, ``builtin``, a file, or something on the hub. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

DEMO_MODELS = ("smollm2-135m",)


class NamedDataset(NamedTuple):
    """A dataset of the hub that has a name of its own here, since it is a standard."""

    hub_id: str
    split: str
    column: str


NAMED_DATASETS: Final = {"aienergyscore": NamedDataset("AIEnergyScore/text_generation", "train", "text")}
"""``aienergyscore``: the 1,000 prompts of the AI Energy Score's text generation task."""
HUB_PREFIX: Final = "hf:"
BUILTIN: Final = "builtin"
HUB_FILES: Final = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
"""What of a model's repository is downloaded, unless a backend wants other files."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[A-Za-z0-9][\w./-]*)?", re.ASCII)


def is_local(model: str) -> bool:
    """Whether a model is named by a folder: it begins with ``./``, ``../``, ``/`` or ``~``."""
    return model.startswith(("./", "../", "/", "~"))


PART_FILES = ("config.json", "adapter_config.json")
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


def is_from_hub(dataset: str) -> bool:
    """Whether a dataset comes from the hub, by its name there or by one of its own here."""
    return dataset.startswith(HUB_PREFIX) or dataset in NAMED_DATASETS


def is_prompt_file(dataset: str) -> bool:
    """Whether a dataset is a file of prompts, not built in and not from the hub."""
    return dataset != BUILTIN and not is_from_hub(dataset)


def check_dataset(dataset: str) -> tuple[str, str] | None:
    """What is wrong with a dataset's name and what to do, or None."""
    if is_prompt_file(dataset) and not dataset.endswith(".jsonl"):
        known = ", ".join((BUILTIN, *NAMED_DATASETS))
        return f"unknown dataset {dataset!r}", f"write {known}, a file that ends in .jsonl, or hf:NAME"
    return None
