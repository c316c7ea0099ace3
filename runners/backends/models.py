"""Where a model lies: the demo model, a local folder, or the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from runners.backends.demo import DEMO_PREFIX, demo_folder
from runners.contract.request import RunRequest
from runners.errors import ModelNotFoundError

HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


class LocatedModel(NamedTuple):
    """A model on this machine."""

    folder: Path
    revision: str | None
    """Commit on the hub; None where it does not come from there."""


def use_hub_only_if_needed(request: RunRequest) -> None:
    """Keeps the engine off the network where neither model nor prompts come from the hub."""
    from_hub = request.model_path is None and not request.experiment.model.startswith(DEMO_PREFIX)
    if not from_hub and not request.experiment.workload.dataset.startswith("hf:"):
        os.environ["HF_HUB_OFFLINE"] = "1"


def locate(
    request: RunRequest,
    demo: Callable[[str], Path] = demo_folder,
    hub_files: Sequence[str] = HUB_FILES,
) -> LocatedModel:
    """Finds the model, and converts or downloads it if it is not here yet.

    Args:
        request: what to run.
        demo: where a demo model lies in the form that the engine loads.
        hub_files: patterns of what to download of a repository.

    Raises:
        ModelNotFoundError: it is not there, or may not be had.
    """
    model = request.experiment.model
    if model.startswith(DEMO_PREFIX):
        return LocatedModel(demo(model.removeprefix(DEMO_PREFIX)), None)
    if request.model_path is None:
        return _from_hub(model, hub_files)
    folder, wanted = Path(request.model_path), request.experiment.options.MODEL_FILE
    if wanted and not any(folder.glob(wanted)):
        raise ModelNotFoundError(
            f"{folder} holds no model: there is no {wanted} in it",
            "name a folder that save_pretrained wrote, or that was downloaded from the hub",
        )
    return LocatedModel(folder, None)


def _from_hub(model: str, files: Sequence[str]) -> LocatedModel:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = model.partition("@")
    try:
        path = huggingface_hub.snapshot_download(name, revision=revision or None, allow_patterns=list(files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelNotFoundError(
            f"{model} cannot be had from the Hugging Face hub: {' '.join(str(error).split())}",
            "see the name and revision and that the hub can be reached; a private or gated model needs HF_TOKEN"
            " and its licence accepted on the model's page; for a local folder, give its path",
        ) from error
    return LocatedModel(Path(path), Path(path).name)
