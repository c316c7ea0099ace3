"""The grammar of a campaign file as a JSON Schema, for editors: made from the models, as the loader is. Pure.

It says what each part may be. What only the whole file tells (rules between parameters, a shared value against the
backends that the file uses, files that must be there) is left to the loader, which refuses more.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from orchestrator.campaign.schema import CampaignFile
from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS
from runners.contract.request import Experiment, Workload

Schema = dict[str, Any]

_FILLED_IN = frozenset({"backend", "dataset_sha256"})


def campaign_schema() -> Schema:
    """The schema of a campaign file, in JSON Schema's draft 2020-12."""
    schema = _plain(CampaignFile.model_json_schema())
    properties = schema["properties"]
    model = {"type": "string", "minLength": 1, "description": Experiment.model_fields["model"].description}
    workload = _parameters(Workload)
    properties["model"] = _or_list(model) | {"description": model["description"]}
    properties["workload"] = _mapping(workload, "what is asked of the engines; a scalar is fixed, a list is an axis")
    properties["shared"] = _mapping(_shared(), "parameters for every backend that has them")
    properties["backends"] = _mapping(
        {
            name: {"anyOf": [_mapping(_parameters(options), options.SUMMARY), {"type": "null"}]}
            for name, options in OPTIONS.items()
        },
        "the engines to run, each with parameters of its own",
    )
    properties["experiments"] = {
        "type": "array",
        "description": "single points, written out",
        "items": {"anyOf": [_point(name, model) for name in OPTIONS]},
    }
    schema["anyOf"] = [
        {"required": ["backends"], "properties": {"backends": {"minProperties": 1}}},
        {"required": ["experiments"], "properties": {"experiments": {"minItems": 1}}},
    ]
    about = {"title": "A campaign of Orchestrate", "description": "What to vary, over which backends, how often."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **about}


def _point(backend: str, model: Schema) -> Schema:
    """One experiment: no axes, so a list may hold one value only."""
    options = _parameters(OPTIONS[backend], most=1)
    workload = _mapping(_parameters(Workload, most=1), "in place of the campaign's")
    point = _mapping({"backend": {"const": backend}, "model": model, "workload": workload, **options}, backend)
    return {**point, "required": ["backend"]}


def _shared() -> Schema:
    """Each parameter of any backend, as each of those takes it that have it."""
    having: dict[str, list[Schema]] = {}
    for options in OPTIONS.values():
        for name, schema in _parameters(options).items():
            variants = having.setdefault(name, [])
            if schema not in variants:
                variants.append(schema)
    return {name: variants[0] if len(variants) == 1 else {"anyOf": variants} for name, variants in having.items()}


def _parameters(model: type[ContractModel], most: int | None = None) -> Schema:
    """Each field of a model, as a value or as a list of values."""
    return {
        name: _axis(_value(info), info, most) for name, info in model.model_fields.items() if name not in _FILLED_IN
    }


def _value(info: FieldInfo) -> Schema:
    annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    schema = TypeAdapter[Any](annotation).json_schema()
    inlined: Schema = _inlined(_plain(schema), schema.get("$defs", {}))
    return inlined


def _inlined(schema: Any, definitions: Schema) -> Any:
    """A schema that refers to nothing outside itself."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(_plain(definitions[schema["$ref"].rpartition("/")[2]]), definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}
    return [_inlined(value, definitions) for value in schema] if isinstance(schema, list) else schema


def _axis(value: Schema, info: FieldInfo, most: int | None) -> Schema:
    schema = _or_list(value, most)
    if info.description:
        schema["description"] = info.description
    schema["default"] = info.get_default(call_default_factory=True)
    return schema


def _or_list(value: Schema, most: int | None = None) -> Schema:
    values: Schema = {"type": "array", "items": value, "minItems": 1}
    return {"anyOf": [value, values | ({"maxItems": most} if most else {})]}


def _mapping(properties: Schema, description: str) -> Schema:
    return {"type": "object", "description": description, "properties": properties, "additionalProperties": False}


def _plain(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return [_plain(value) for value in schema] if isinstance(schema, list) else schema
