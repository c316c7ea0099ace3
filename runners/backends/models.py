"""Where a model lies: the demo model, a local folder, or the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from runners.backends.demo import DEMO_PREFIX, demo_folder
from runners.contract.request import RunRequest
from runners.errors import ModelNotFoundError

_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


class LocatedModel(NamedTuple):
    """A model on this machine."""

    folder: Path
    revision: str | None
    """Commit on the hub; None where it does not come from there."""


def use_hub_only_if_needed(request: RunRequest) -> None:
    """Keeps the engine off the network where neither model nor prompts come from the hub."""
    options = request.experiment.options
    named = [(request.experiment.model, request.model_path)]
    named += [(getattr(options, field), request.option_paths.get(field)) for field in options.MODEL_FIELDS]
    from_hub = any(model and path is None and not model.startswith(DEMO_PREFIX) for model, path in named)
    if not from_hub and not request.experiment.workload.dataset.startswith("hf:"):
        os.environ["HF_HUB_OFFLINE"] = "1"


def locate(request: RunRequest) -> LocatedModel:
    """Finds the model, and converts or downloads it if it is not here yet.

    Raises:
        ModelNotFoundError: it is not there, or may not be had.
    """
    return _locate(request.experiment.model, request.model_path, "config.json")


def locate_option(request: RunRequest, field: str, holds: str) -> LocatedModel | None:
    """Finds the model that an option names (see ``Options.MODEL_FIELDS``); None where it names none.

    Args:
        request: what to run.
        field: the option.
        holds: a file that such a model has.

    Raises:
        ModelNotFoundError: it is not there, or may not be had.
    """
    model: str | None = getattr(request.experiment.options, field)
    return None if model is None else _locate(model, request.option_paths.get(field), holds)


def _locate(model: str, path: str | None, holds: str) -> LocatedModel:
    if model.startswith(DEMO_PREFIX):
        return LocatedModel(demo_folder(model.removeprefix(DEMO_PREFIX)), None)
    if path is None:
        return _from_hub(model)
    folder = Path(path)
    if not (folder / holds).is_file():
        raise ModelNotFoundError(
            f"{folder} holds no model: there is no {holds} in it",
            "name a folder that save_pretrained wrote, or that was downloaded from the hub",
        )
    return LocatedModel(folder, None)


def _from_hub(model: str) -> LocatedModel:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = model.partition("@")
    try:
        path = huggingface_hub.snapshot_download(name, revision=revision or None, allow_patterns=list(_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelNotFoundError(
            f"{model} cannot be had from the Hugging Face hub: {' '.join(str(error).split())}",
            "see the name and revision and that the hub can be reached; a private or gated model needs HF_TOKEN"
            " and its licence accepted on the model's page; for a local folder, give its path",
        ) from error
    return LocatedModel(Path(path), Path(path).name)
