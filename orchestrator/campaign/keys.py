"""Keys that a file of ours does not have, each with the nearest one that it has. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.campaign.findings import Finding
from runners.contract.messages import nearest
from runners.contract.model import ContractModel

_SECRET = re.compile(r"secret|token$|passw|api_?key|credential", re.IGNORECASE)

Places = Mapping[tuple[str, ...], type[ContractModel]]
"""Each place of a file where keys are fixed, with the model that has them."""


def unknown_keys(data: dict[str, Any], places: Places) -> Iterator[Finding]:
    """Keys that stand where they are not known.

    Args:
        data: the file's.
        places: where keys are fixed.
    """
    for place, model in places.items():
        for key in _at(data, place):
            path = (*place, key)
            if key not in model.model_fields:
                yield Finding(path, "unknown key", _secret_hint(path) or nearest(key, model.model_fields))


def _secret_hint(path: tuple[str, ...]) -> str | None:
    """What to do in place of writing a secret into a file, which others may read and which ends in a repository."""
    if not _SECRET.search(path[-1]):
        return None
    name = "HF_TOKEN" if "token" in path[-1].lower() and "notify" not in path else "ORCHESTRATE_WEBHOOK_SECRET"
    return f"secrets are not kept in files: set {name} in the environment or in .env"


def known_part(data: dict[str, Any], places: Places) -> dict[str, Any]:
    """What a file holds, without the keys that are not known where they stand."""

    def kept(value: Any, place: tuple[str, ...]) -> Any:
        if place not in places or not isinstance(value, dict):
            return value
        return {key: kept(inner, (*place, key)) for key, inner in value.items() if key in places[place].model_fields}

    part: dict[str, Any] = kept(data, ())
    return part


def _at(data: Any, place: tuple[str, ...]) -> dict[str, Any]:
    for part in place:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
