"""Files that a campaign names: local models and prompt files, found and checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.campaign.schema import Campaign
from orchestrator.errors import InputError
from runners.contract import fingerprint
from runners.contract.names import check_dataset, is_local


def resolve_inside(name: str, folder: Path) -> Path:
    """A file that a campaign names. A relative path stays inside the campaign file's folder.

    Raises:
        InputError: it leads out of that folder, or nowhere.
    """
    try:
        path = Path(name).expanduser()
        if path.is_absolute():
            return path
        resolved = (folder / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a symlink loop, a NUL
        raise InputError(f"{name!r} leads nowhere: {error}") from None
    if not resolved.is_relative_to(folder.resolve()):
        raise InputError(
            f"{name!r} leads out of the campaign's folder {folder}",
            hint="name it by its absolute path, or move it beside the campaign file",
        )
    return resolved


def prompt_file(dataset: str, folder: Path) -> Path:
    """The path of a JSONL file of prompts.

    Raises:
        InputError: it is no JSONL file, or there is none that can be read.
    """
    if wrong := check_dataset(dataset):
        message, hint = wrong
        raise InputError(message, hint=hint)
    path = resolve_inside(dataset, folder)
    try:
        found = path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not found:
        raise InputError(f"there is no prompt file {path}", hint="paths are relative to the campaign file")
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return fingerprint.of_file(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def count_prompts(path: Path) -> int:
    """How many lines of a prompt file are not blank.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return sum(bool(line.strip()) for line in file)
    except OSError as error:
        raise _unreadable(path, error) from None


def model_folder(model: str, folder: Path, holds: Sequence[str] = ()) -> Path | None:
    """The path of a local model; None where the model is no folder.

    Args:
        model: as the campaign names it.
        folder: the campaign file's.
        holds: patterns, one of which a file of the model has to match; empty: not looked at.

    Raises:
        InputError: the folder is missing, unreadable, or holds no model.
    """
    if not is_local(model):
        return None
    path = resolve_inside(model, folder)
    try:
        if not path.is_dir():
            raise InputError(f"there is no model folder {path}", hint="paths are relative to the campaign file")
        if holds and not any(any(path.glob(pattern)) for pattern in holds):
            raise InputError(
                f"{path} holds no {' or '.join(holds)}, so it is no model for what is to load it",
                hint="point at the folder that save_pretrained() or a download made",
            )
        return path
    except OSError as error:
        raise _unreadable(path, error) from None


def model_fingerprint(folder: Path) -> str:
    """What tells a local model from another under the same name.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return fingerprint.of_model(folder)
    except OSError as error:
        raise _unreadable(folder, error) from None


def local_inputs(campaign: Campaign) -> list[Path]:
    """The prompt files and folders of local models that a campaign names.

    Raises:
        InputError: one of them is gone.
    """
    prompts = [prompt_file(name, campaign.folder) for name in campaign.dataset_sha256]
    models = [model_folder(name, campaign.folder) for name in campaign.model_sha256]
    return [*prompts, *(folder for folder in models if folder)]


def fingerprints(campaign: Campaign) -> tuple[dict[str, str], dict[str, str]]:
    """What the prompt files and local models of a campaign hold now, by their names in it.

    Raises:
        InputError: one of them is gone or cannot be read.
    """
    datasets = {name: file_sha256(prompt_file(name, campaign.folder)) for name in campaign.dataset_sha256}
    models = {}
    for name in campaign.model_sha256:
        folder = model_folder(name, campaign.folder)
        if folder:
            models[name] = model_fingerprint(folder)
    return datasets, models


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read: {error.strerror}", hint="check its name and its permissions")
