"""Values that are passed on as they are: what JSON can hold, and a file can carry. Pure."""

from __future__ import annotations

import json
import math
import re
import types
import typing
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, JsonValue

MAX_DEPTH: Final = 50

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(text: str) -> Any:
    """A JSON text as plain data.

    Raises:
        ValueError: it is no JSON, a key stands twice in it, or it is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}, at character {error.pos + 1}") from None


def takes_json(annotation: Any) -> bool:
    """Whether a field takes mappings or lists, which a flag has to give as JSON."""
    return takes_mapping(annotation) or _mentions(annotation, list)


def takes_mapping(annotation: Any) -> bool:
    """Whether one value of a field may be a mapping."""
    return _mentions(annotation, dict)


def _mentions(annotation: Any, kind: type) -> bool:
    origin = typing.get_origin(annotation)
    if origin is kind or annotation is kind:
        return True
    inner = origin in (typing.Union, types.UnionType, Annotated)
    return inner and any(_mentions(argument, kind) for argument in typing.get_args(annotation))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found


def _require_json(value: Any) -> Any:
    if isinstance(value, dict):
        _check(value, "", 0)
    return value


def _check(value: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{_at(place)}a key must be text, not {key!r}")
            _check_text(key, place)
            _check(inner, f"{place}.{key}" if place else key, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check(inner, f"{place}[{index}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{_at(place)}must be a finite number, not {value!r}")
    elif not (value is None or isinstance(value, bool | int)):
        raise ValueError(f"{_at(place)}a {type(value).__name__} is none of JSON's values; write it as text")


def _check_text(text: str, place: str) -> None:
    if _UNWRITABLE.search(text):
        raise ValueError(f"{_at(place)}holds a NUL or half a surrogate pair, which no file can carry")


def _at(place: str) -> str:
    return f"{place}: " if place else ""


JsonMapping = Annotated[dict[str, JsonValue], BeforeValidator(_require_json)]
"""A mapping of anything that JSON can hold; what cannot be is named with its place."""
