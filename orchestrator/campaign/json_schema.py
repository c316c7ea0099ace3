"""The grammar of a campaign file as a JSON Schema, for editors: made from the models, as the loader is. Pure.

It says what each part may be. What only the whole file tells (rules between parameters, a shared value against the
backends that the file uses, files that must be there) is left to the loader, which refuses more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from orchestrator.campaign.extends import EXTENDS
from orchestrator.campaign.groups import TOGETHER
from orchestrator.campaign.parameters import parameters_of, workload_parameters
from orchestrator.campaign.schema import CampaignFile
from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS
from runners.contract.request import Experiment, Workload

Schema = dict[str, Any]

_FILLED_IN = frozenset({"backend", "dataset_sha256"})
_WORKLOAD = "workload"


def campaign_schema() -> Schema:
    """The schema of a campaign file, in JSON Schema's draft 2020-12.

    Each parameter's value stands once, under ``$defs``, for its backend's axes, groups and single points to refer to.
    """
    schema = _plain(CampaignFile.model_json_schema())
    properties, definitions = schema["properties"], schema["$defs"]
    model = {"type": "string", "minLength": 1, "description": Experiment.model_fields["model"].description}
    definitions |= {"integers": _INTEGERS, "numbers": _NUMBERS, "log2": _LOG2}
    definitions |= {name: _values(name) for name in (_WORKLOAD, *OPTIONS)}
    definitions |= {_axes_of(name): _section(name) for name in (_WORKLOAD, *OPTIONS)}
    definitions["asked"] = _mapping(_fixed(_WORKLOAD), "in place of the campaign's")
    properties["model"] = _or_list(model) | {"description": model["description"]}
    properties["workload"] = _ref(_axes_of(_WORKLOAD)) | {"description": "what is asked of the engines"}
    properties["shared"] = _shared()
    properties["backends"] = _mapping(
        {name: {"anyOf": [_ref(_axes_of(name)), {"type": "null"}]} for name in OPTIONS},
        "the engines to run, each with parameters of its own; a scalar is fixed, a list or a range is an axis",
    )
    properties["experiments"] = {
        "type": "array",
        "description": "single points, written out",
        "items": {"anyOf": [_point(name, model) for name in OPTIONS]},
    }
    name: Schema = {"type": "string", "minLength": 1}
    properties[EXTENDS] = {
        "anyOf": [name, {"type": "array", "items": name, "minItems": 1}],
        "description": "campaign files that this one is laid over, by their paths from its folder; later ones count"
        " over earlier ones, and this one over all",
    }
    whole = {
        "required": schema.pop("required"),
        "anyOf": [
            {"required": ["backends"], "properties": {"backends": {"minProperties": 1}}},
            {"required": ["experiments"], "properties": {"experiments": {"minItems": 1}}},
        ],
    }
    # What a file lacks that extends others, those may say.
    schema |= {"if": {"required": [EXTENDS]}, "then": True, "else": whole}
    schema["not"] = {"required": ["cycles", "until"], "properties": {"until": {"type": "object"}}}
    about = {"title": "A campaign of Orchestrate", "description": "What to vary, over which backends, how often."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **about}


_WHOLE: Schema = {"type": "integer"}
_STEP: Schema = {"exclusiveMinimum": 0, "description": "from one value to the next"}
_ENDS = {"min": "the first value", "max": "the last value, where a step meets it"}
_INTEGERS: Schema = {
    "type": "object",
    "description": "a range of integers",
    "properties": {**{key: {**_WHOLE, "description": text} for key, text in _ENDS.items()}, "step": _WHOLE | _STEP},
    "required": ["min", "max"],
    "additionalProperties": False,
}
_NUMBERS: Schema = {
    "type": "object",
    "description": "a range of numbers",
    "properties": {
        **{key: {"type": "number", "description": text} for key, text in _ENDS.items()},
        "step": {"type": "number", **_STEP},
    },
    "required": ["min", "max", "step"],
    "additionalProperties": False,
}
_LOG2: Schema = {
    "type": "object",
    "description": "the powers of two from one to another",
    "properties": {
        "log2": {
            "type": "array",
            "description": "the first and the last of them",
            "items": {"type": "number", "exclusiveMinimum": 0},
            "minItems": 2,
            "maxItems": 2,
        }
    },
    "required": ["log2"],
    "additionalProperties": False,
}


def _values(owner: str) -> Schema:
    """A point of a group: each parameter as one value. The other parts refer to these values."""
    model = _model(owner)
    values = {name: _value(info) for name, info in model.model_fields.items() if name not in _FILLED_IN}
    return {"type": "object", "properties": values, "additionalProperties": False, "minProperties": 1}


def _section(owner: str) -> Schema:
    """Parameters of the workload or of a backend, as axes and in groups."""
    about = "" if owner == _WORKLOAD else OPTIONS[owner].SUMMARY
    return _mapping({**{name: _axis(owner, name) for name in _names(owner)}, TOGETHER: _groups(_ref(owner))}, about)


def _shared() -> Schema:
    """Each parameter of any backend, as each of those takes it that have it."""
    having: dict[str, dict[str, str]] = {}
    for backend in OPTIONS:
        for name in _names(backend):
            alike = repr(_value(_model(backend).model_fields[name]))
            having.setdefault(name, {}).setdefault(alike, backend)
    points = {name: _any_of(_ref(owner, name) for owner in owners.values()) for name, owners in having.items()}
    axes = {name: _any_of(_ref(_axes_of(owner), name) for owner in owners.values()) for name, owners in having.items()}
    point = {"type": "object", "properties": points, "additionalProperties": False, "minProperties": 1}
    return _mapping({**axes, TOGETHER: _groups(point)}, "parameters for every backend that has them")


def _point(backend: str, model: Schema) -> Schema:
    """One experiment."""
    own = {"backend": {"const": backend}, "model": model, "workload": _ref("asked"), **_fixed(backend)}
    return {**_mapping(own, backend), "required": ["backend"]}


def _fixed(owner: str) -> Schema:
    """Parameters where no axis may stand, so that a list may hold one value only."""
    return {name: _or_list(_ref(owner, name), most=1) for name in _names(owner)}


def _groups(point: Schema) -> Schema:
    return {
        "type": "object",
        "description": "groups of parameters that vary together: by name, a list of points",
        "additionalProperties": {"anyOf": [{"type": "array", "items": point, "minItems": 1}, {"type": "null"}]},
    }


def _any_of(schemas: Iterable[Schema]) -> Schema:
    several = list(schemas)
    return several[0] if len(several) == 1 else {"anyOf": several}


def _model(owner: str) -> type[ContractModel]:
    return Workload if owner == _WORKLOAD else OPTIONS[owner]


def _names(owner: str) -> list[str]:
    return [name for name in _model(owner).model_fields if name not in _FILLED_IN]


def _axes_of(owner: str) -> str:
    return f"{owner}-axes"


def _ref(*place: str) -> Schema:
    """A reference to a definition, or to a parameter in it."""
    return {"$ref": "#/$defs/" + "/properties/".join(place)}


def _axis(owner: str, name: str) -> Schema:
    """A parameter as a value, a list of values, or a range of numbers."""
    schema = _or_list(_ref(owner, name))
    parameter = (workload_parameters() if owner == _WORKLOAD else parameters_of(owner))[name]
    if parameter.takes_range:
        kinds = ("integers", "numbers", "log2") if parameter.takes_float else ("integers", "log2")
        schema["anyOf"] += [_ref(kind) for kind in kinds]
    return schema


def _value(info: FieldInfo) -> Schema:
    annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    schema = TypeAdapter[Any](annotation).json_schema()
    inlined: Schema = _inlined(_plain(schema), schema.get("$defs", {}))
    if info.description:
        inlined["description"] = info.description
    return {**inlined, "default": info.get_default(call_default_factory=True)}


def _inlined(schema: Any, definitions: Schema) -> Any:
    """A schema that refers to nothing outside itself."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(_plain(definitions[schema["$ref"].rpartition("/")[2]]), definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}
    return [_inlined(value, definitions) for value in schema] if isinstance(schema, list) else schema


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
