"""Paths that a campaign file names, told from another folder than its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from orchestrator.campaign.document import FieldPath
from orchestrator.campaign.findings import Finding
from orchestrator.campaign.inputs import resolve_inside
from orchestrator.errors import InputError
from runners.contract.names import is_from_hub, is_local
from runners.contract.options import OPTIONS

_MODELS: Final = frozenset({"model", *(name for options in OPTIONS.values() for name in options.MODEL_FIELDS)})
_MAPPINGS: Final = frozenset({"workload", "shared", "backends", "experiments"})


def rebased(data: dict[str, Any], folder: Path, onto: Path) -> tuple[dict[str, Any], list[Finding]]:
    """What a campaign file declares, with its relative paths counting from a folder above its own.

    Args:
        data: of the file.
        folder: the file's own.
        onto: the same, or one that it lies in.

    Returns:
        The data, and the paths that lead out of the file's own folder.
    """
    prefix = folder.relative_to(onto)
    if prefix == Path():
        return data, []
    faults: list[Finding] = []

    def moved(name: str, path: FieldPath, before: str = "") -> str:
        if Path(name).is_absolute() or name.startswith("~"):
            return name
        try:
            resolve_inside(name, folder)
        except InputError as error:
            faults.append(Finding(path, str(error), error.hint))
            return name
        return f"{before}{prefix / name}"

    def renamed(value: Any, path: FieldPath) -> Any:
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if isinstance(value, str):
            if key in _MODELS and is_local(value):
                return moved(value, path, "./")
            if key == "dataset" and value.endswith(".jsonl") and not is_from_hub(value):
                return moved(value, path)
            return value
        return _inside(value, path, renamed)

    declared = {key: renamed(value, (key,)) for key, value in data.items() if key in _MAPPINGS or key in _MODELS}
    return {**data, **declared}, faults


def _inside(value: Any, path: FieldPath, change: Callable[[Any, FieldPath], Any]) -> Any:
    if isinstance(value, dict):
        # What an engine is passed on is its own business.
        passed_on = {name for options in OPTIONS.values() for name in options.PASSED_ON}
        return {key: inner if key in passed_on else change(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [change(inner, (*path, index)) for index, inner in enumerate(value)]
    return value
