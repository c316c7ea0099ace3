"""The three ways to name a model: ``demo:NAME``, a Hugging Face id, a local folder. Pure."""

from __future__ import annotations

import re

DEMO_MODELS = ("smollm2-135m",)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[A-Za-z0-9][\w./-]*)?", re.ASCII)


def is_local(model: str) -> bool:
    """Whether a model is named by a folder: it begins with ``./``, ``../``, ``/`` or ``~``."""
    return model.startswith(("./", "../", "/", "~"))


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
