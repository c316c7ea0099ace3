"""A hash over what one backend's parameters are, by which host and image know that they mean the same. Pure.

It is made of words of our own, so that the versions of pydantic and Python do not show in it. Descriptions and code do
not count, and neither do the parameters of any other backend.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runners.contract.options.base import AnyRules, Options

_LIMITS: Final = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")


def options_sha256(options: type[Options], rules: AnyRules) -> str:
    """SHA-256 over a backend's parameters: names, types, limits, choices, defaults; and the names of its rules.

    Args:
        options: the model of its parameters.
        rules: the combinations of them that it refuses.

    Raises:
        TypeError: a parameter is of a type that has no words here yet.
    """
    meaning = {
        "fields": _fields(options),
        "rules": sorted(rule.name for rule in rules),
        "passed_on": sorted(options.PASSED_ON),
        "models": sorted(options.MODEL_FIELDS),
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _field(info) for name, info in model.model_fields.items()}


def _field(info: FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _type(info.annotation), **_limits(info.metadata)}
    if not info.is_required():
        found["default"] = _plain(info.get_default(call_default_factory=True))
    return found


def _type(annotation: Any) -> Any:
    """A type in words: its name, or a list of the words and the types that it is made of."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is types.NoneType:
        return "null"
    if origin is Annotated:
        return ["limited", _type(arguments[0]), _limits(arguments[1:])]
    if origin is Literal:
        return ["choice", *arguments]
    if origin in (Union, types.UnionType):
        return ["any of", *sorted(map(_type, arguments), key=json.dumps)]
    if origin in (list, tuple, dict):
        return [origin.__name__, *("..." if argument is Ellipsis else _type(argument) for argument in arguments)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ["model", _fields(annotation)]
    if annotation in (bool, int, float, str, list, dict) or getattr(annotation, "__name__", "") == "JsonValue":
        return annotation.__name__
    raise TypeError(f"no words for a parameter of type {annotation}: teach them to {__name__}")


def _limits(metadata: Iterable[Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        for limit in _flat(metadata)
        for name in _LIMITS
        if (value := getattr(limit, name, None)) is not None
    }


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for limit in metadata:
        yield from limit.metadata if isinstance(limit, FieldInfo) else (limit,)


def _plain(value: Any) -> Any:
    """As JSON writes it."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
