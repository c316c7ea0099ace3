"""Faults in words: what pydantic found, the name that was probably meant, and no secret. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from runners.contract.paths import SECRET_VARIABLES

Place = tuple[str | int, ...]

_MAPPING_FAULTS = ("dict_type", "model_type")


def validation_messages(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Each fault that pydantic found, as a path and a sentence; unions tell of one fault, not of each arm."""
    faults: dict[Place, str] = {}
    for fault in error.errors(include_url=False):
        path = tuple(part for part in fault["loc"] if not _names_union_arm(part))
        said = "input should be a mapping of keys" if fault["type"] in _MAPPING_FAULTS else fault["msg"]
        message = said[0].lower() + said[1:]
        shown = "" if isinstance(fault["input"], dict | list) else f", not {_shown(fault['input'])}"
        faults.setdefault(path, message.removeprefix("value error, ") + shown)
    around = {path[:length] for path in faults for length in range(len(path))}
    yield from ((path, message) for path, message in faults.items() if path not in around)


def first_fault(error: ValidationError) -> str:
    """The first fault, with its place, for files that no person writes."""
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _names_union_arm(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or "[" in part)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def redact(text: str, environment: Mapping[str, str]) -> str:
    """The text with the value of every secret variable replaced by the variable's name."""
    for name in SECRET_VARIABLES:
        secret = environment.get(name, "").strip()
        if secret:
            text = text.replace(secret, f"[{name}]")
    return text
