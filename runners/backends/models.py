"""Where a model lies: the demo model, a local folder, or the Hugging Face hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from runners.backends.demo import DEMO_PREFIX, demo_folder
from runners.contract.names import HUB_FILES, is_from_hub
from runners.contract.request import RunRequest
from runners.errors import OUT_OF_SPACE, DiskFullError, ModelGatedError, ModelNotFoundError

_REFUSED = (401, 403)
_MAKE_ROOM = "make room there, or set HF_HOME to a folder on a larger disk"


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
    if not from_hub and not is_from_hub(request.experiment.workload.dataset):
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
        ModelNotFoundError: it is not there.
        ModelGatedError: the hub refuses it.
        DiskFullError: it does not fit onto the disk.
    """
    holds = request.experiment.options.MODEL_FILE
    return _locate(request.experiment.model, request.model_path, holds, demo, hub_files)


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
    return None if model is None else _locate(model, request.option_paths.get(field), holds, demo_folder, HUB_FILES)


def _locate(
    model: str, path: str | None, holds: str | None, demo: Callable[[str], Path], hub_files: Sequence[str]
) -> LocatedModel:
    if model.startswith(DEMO_PREFIX):
        return LocatedModel(demo(model.removeprefix(DEMO_PREFIX)), None)
    if path is None:
        return _from_hub(model, hub_files)
    folder = Path(path)
    if holds and not any(folder.glob(holds)):
        raise ModelNotFoundError(
            f"{folder} holds no model: there is no {holds} in it",
            "name a folder that save_pretrained wrote, or that was downloaded from the hub",
        )
    return LocatedModel(folder, None)


def _from_hub(model: str, files: Sequence[str]) -> LocatedModel:
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    name, _, revision = model.partition("@")
    try:
        _require_room(name, revision or None, files)
        path = huggingface_hub.snapshot_download(name, revision=revision or None, allow_patterns=list(files))
    except (OSError, HFValidationError) as error:  # the hub's own errors, and those of a download cut short
        if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
            raise DiskFullError(f"the disk is full: {model} does not fit into {_cache()}", _MAKE_ROOM) from error
        words = " ".join(str(error).split())
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code in _REFUSED
        hidden = isinstance(error, RepositoryNotFoundError)
        if isinstance(error, GatedRepoError) or (refused and not hidden):
            raise ModelGatedError(
                f"the Hugging Face hub refuses {model}: {words}",
                f"accept the licence on the page of {name}, and set HF_TOKEN to a token of that account",
            ) from error
        raise ModelNotFoundError(
            f"{model} cannot be had from the Hugging Face hub: {words}",
            "see the name and revision and that the hub can be reached; a private model needs HF_TOKEN;"
            " for a local folder, give its path",
        ) from error
    return LocatedModel(Path(path), Path(path).name)


def _require_room(name: str, revision: str | None, files: Sequence[str]) -> None:
    """Sees that what is still to be downloaded fits onto the disk, as far as the hub tells its size.

    Raises:
        DiskFullError: it does not.
    """
    import huggingface_hub

    try:
        found = huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(files), dry_run=True)
    except (OSError, ValueError):  # no network, or refused: the download itself says so, or has it here already
        return
    except TypeError:  # huggingface_hub before 1.0, such as TensorRT-LLM's, does not tell a size in advance
        return
    needed = sum(file.file_size or 0 for file in found if file.will_download)
    free = shutil.disk_usage(_existing(_cache())).free
    if needed > free:
        raise DiskFullError(
            f"{name} needs {needed / 2**20:,.0f} MiB more in {_cache()}, where {free / 2**20:,.0f} are free",
            _MAKE_ROOM,
        )


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
