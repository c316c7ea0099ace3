"""Models of the contract as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from runners.contract.model import ContractModel

_WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}


def type_of(annotation: Any) -> str:
    """An annotation in the words of YAML."""
    if annotation is type(None):
        return "null"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, ContractModel):
        return "mapping"
    if origin is None:
        return _WORDS.get(getattr(annotation, "__name__", ""), "text")
    if origin is Annotated:
        return type_of(arguments[0])
    if origin is dict:
        return "mapping"
    if origin is list:
        return f"list of {type_of(arguments[0])}"
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    return " or ".join(type_of(argument) for argument in arguments)


def limits_of(info: FieldInfo) -> str:
    """The bounds of a field, as text."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, key):,.15g}"
        for limit in info.metadata
        for key, sign in signs.items()
        if hasattr(limit, key)
    ]
    return ", ".join(found)


def default_of(info: FieldInfo) -> str:
    """The default of a field, as YAML has it."""
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    if isinstance(default, ContractModel):
        return "as below"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def fields(model: type[ContractModel], leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    """A model's fields as a table."""
    yield "| name | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, info in model.model_fields.items():
        if name not in leave_out:
            kind, limits = type_of(info.annotation), limits_of(info)
            kind += f" ({limits})" if limits else ""
            yield f"| `{name}` | {kind} | {default_of(info)} | {info.description or ''} |"
