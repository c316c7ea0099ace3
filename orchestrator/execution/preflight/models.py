"""What a campaign names on the hub: whether it can be had, what is downloaded, and whether there is room for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.campaign.axes import Grid
from orchestrator.campaign.inputs import model_folder
from orchestrator.campaign.schema import Campaign
from orchestrator.errors import InputError, Issue
from orchestrator.execution.preflight.memory import Weights
from orchestrator.system.hub import Found, Wanted, cache_folder, look_up, room_in
from orchestrator.system.project import Project
from orchestrator.system.project_env import read_env
from orchestrator.system.weights import count_parameters, read_config, weight_files
from runners.contract.names import HUB_FILES, HUB_PREFIX, NAMED_DATASETS, is_from_hub, is_local
from runners.contract.options import OPTIONS
from runners.contract.paths import SECRET_VARIABLES

_GB = 1e9
_DEMO = "demo:"
_GGUF = "*.gguf"


@dataclass(frozen=True, slots=True)
class Downloads:
    """What is known of all that a campaign names on the hub."""

    found: tuple[Found, ...]
    cache: Path | None
    """Where downloads go, if that can be seen from here."""
    room_bytes: int | None
    """What is free there."""

    @property
    def size_bytes(self) -> int | None:
        """Of what is known to be downloaded; None: nothing is known of it."""
        sizes = [found.download_bytes for found in self.found if found.download_bytes is not None]
        return sum(sizes) if sizes else None


def wanted_of(grids: Sequence[Grid]) -> list[Wanted]:
    """What grids name on the hub: models, those that options name, and datasets; each once."""
    found: dict[Wanted, None] = {}
    for grid in grids:
        options = OPTIONS[grid.backend]
        values = dict(grid.options)
        if options.MODEL_FILE:
            named = values.get("gguf_file", (None,)) if "gguf_file" in options.model_fields else ()
            patterns: list[tuple[str, ...]] = [(one or _GGUF,) for one in named] or [HUB_FILES]
            found |= {_wanted(model, files): None for model in grid.models for files in patterns if _on_hub(model)}
        for field in options.MODEL_FIELDS:
            models = [model for model in values.get(field, ()) if model is not None and _on_hub(model)]
            found |= {_wanted(model, HUB_FILES): None for model in models}
        for dataset in dict(grid.workload).get("dataset", ()):
            if is_from_hub(dataset):
                found[_dataset(dataset)] = None
    return list(found)


def _on_hub(model: str) -> bool:
    return not is_local(model) and not model.startswith(_DEMO)


def _wanted(model: str, files: tuple[str, ...]) -> Wanted:
    name, _, revision = model.partition("@")
    return Wanted(name, revision or None, files)


def _dataset(name: str) -> Wanted:
    """One of the hub's is read as a stream; one that has a name of its own here is downloaded."""
    if name in NAMED_DATASETS:
        return Wanted(NAMED_DATASETS[name].hub_id, None, ("*.parquet",), "dataset")
    return Wanted(name.removeprefix(HUB_PREFIX), None, (), "dataset")


def look_for(wanted: Sequence[Wanted], project: Project, *, in_containers: bool) -> Downloads:
    """Ask the hub's cache, and where it must be the hub.

    Args:
        wanted: what a campaign names.
        project: whose ``.env`` containers get.
        in_containers: whether runs are in containers, which have a cache and a token of their own.
    """
    if not wanted:
        return Downloads((), None, None)
    cache = None if in_containers else cache_folder()
    found = tuple(look_up(wanted, token=_token(project) if in_containers else None, cache=cache))
    try:
        room_bytes = room_in(cache) if cache else None
    except OSError:
        room_bytes = None
    return Downloads(found, cache, room_bytes)


def _token(project: Project) -> str | bool:
    """What containers get; none where neither the environment nor ``.env`` has one."""
    try:
        variables = {**read_env(project.folder), **os.environ}
    except (OSError, InputError):
        variables = {**os.environ}
    return next((variables[name] for name in SECRET_VARIABLES if variables.get(name)), False)


def download_issues(downloads: Downloads) -> Iterator[Issue]:
    """What stands in the way of having it all here."""
    for found in downloads.found:
        yield from _issue(found)
    needed, room = downloads.size_bytes or 0, downloads.room_bytes
    if room is not None and needed > room:
        message = f"{gigabytes(needed)} are to be downloaded into {downloads.cache}, where {gigabytes(room)} are free"
        yield Issue(message, "model", hint="make room there, or set HF_HOME to a folder on a larger disk")


def _issue(found: Found) -> Iterator[Issue]:
    title, kind = found.wanted.title, found.wanted.kind
    field = "model" if kind == "model" else "workload.dataset"
    if found.state == "gated":
        hint = (
            f"accept the licence on the hub's page of {found.wanted.name},"
            " and set HF_TOKEN to a token of the account that did"
        )
        yield Issue(f"the hub does not let us have {title}", field, hint=hint)
    elif found.state == "missing":
        hint = f"see its name; a private {kind} needs HF_TOKEN" + ("; a folder begins with ./" * (kind == "model"))
        yield Issue(f"the hub has no {kind} {title} that we may see", field, hint=hint)
    elif found.state == "no revision":
        yield Issue(f"{found.wanted.name} has no revision {found.wanted.revision}", field, hint="see it on the hub")
    elif found.state == "unknown":
        message = f"whether {title} can be had, and how large it is, is unknown: {found.why}"
        yield Issue(message, field, severity="warning")
    elif found.without_weights:
        message = f"{title} holds no weights that would be loaded ({', '.join(found.wanted.files)})"
        yield Issue(message, field, hint="take a repository with safetensors", severity="warning")


def told(downloads: Downloads) -> Iterator[str]:
    """What is downloaded, in words."""
    for found in downloads.found:
        if found.state == "cached":
            yield f"{found.wanted.title} is in the cache"
        elif found.state == "to download" and found.wanted.files:
            size = "of unknown size" if found.download_bytes is None else f"of {gigabytes(found.download_bytes)}"
            yield f"{found.wanted.title}: a download {size}, {_where(downloads)}"


def _where(downloads: Downloads) -> str:
    if downloads.cache is None:
        return "unless the containers' cache holds it, which cannot be seen from here"
    room = "" if downloads.room_bytes is None else f", where {gigabytes(downloads.room_bytes)} are free"
    return f"into {downloads.cache}{room}"


def gigabytes(size_bytes: int) -> str:
    """A size as a person reads it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:.3g} {unit}"
    return f"{size_bytes} bytes"


def weights_of(model: str, campaign: Campaign, found: Iterable[Found]) -> Weights | None:
    """What is known of a model's weights; None where nothing is."""
    if is_local(model):
        return _local(model, campaign)
    name, _, revision = model.partition("@")
    for one in found:
        if (one.wanted.kind, one.wanted.name, one.wanted.revision or "") == ("model", name, revision):
            return Weights(one.weights_bytes, one.parameters, one.config) if one.weights_bytes else None
    return None


def _local(model: str, campaign: Campaign) -> Weights | None:
    try:
        folder = model_folder(model, campaign.folder)
        if folder is None:
            return None
        files = [folder / name for name in weight_files(path.name for path in folder.iterdir())]
        size_bytes = sum(file.stat().st_size for file in files)
    except (InputError, OSError):
        return None
    counted = count_parameters(file for file in files if file.suffix == ".safetensors")
    return Weights(size_bytes, counted, read_config(folder)) if size_bytes else None
