"""Flags of a command line, made from the models: the same for ``orchestrate run`` and for the runner. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from runners.contract.json_value import parse_json, takes_json
from runners.contract.messages import nearest, validation_messages
from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, RunRequest, Warmup, Workload

Section = Literal["workload", "measurement", "warmup", "request", "options"]

_FILLED_IN_ELSEWHERE = {"backend", "dataset_sha256", "warmup"}


class FlagError(ValueError):
    """Flags that say what they must not.

    Args:
        message: what is wrong, a line a flag.
        hint: what to do next.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Flag(NamedTuple):
    """A flag, and the field of a model that it sets."""

    name: str
    section: Section
    field: str
    info: FieldInfo
    backends: tuple[str, ...]
    """Those that have it."""

    @property
    def key(self) -> str:
        """The flag as a Python name: ``batch_size`` of ``--batch-size``."""
        return self.name[2:].replace("-", "_")

    @property
    def help(self) -> str:
        """What it means, the values it takes where they are few, and its default."""
        return f"{self.info.description}" + (f" [{self.values}]" if self.values else "")

    @property
    def values(self) -> str:
        """The values it takes where they are few, and its default; empty where there is nothing to tell."""
        choices = list(_choices(self.info.annotation))
        default = self.info.default
        parts = [f"{', '.join(choices[:-1])} or {choices[-1]}"] if choices else []
        parts += ["JSON"] if takes_json(self.info.annotation) else []
        if default is not None and not self.info.is_required() and self.info.default_factory is None:
            parts.append(f"default: {str(default).lower() if isinstance(default, bool) else default}")
        return "; ".join(parts)

    def parse(self, text: str) -> Any:
        """The value that a text stands for; mappings and lists are written as JSON.

        Raises:
            ValueError: the field does not take it; a ValidationError where pydantic says so.
        """
        annotation: Any = self.info.annotation
        choices = _choices(annotation)
        if text in choices:
            return choices[text]  # pydantic takes no text for a choice of numbers
        adapter = TypeAdapter[Any](Annotated[annotation, self.info], config=ContractModel.model_config)
        if takes_json(annotation) and (text.lstrip().startswith(("{", "[")) or not _takes_text(annotation)):
            return adapter.validate_python(parse_json(text))
        return adapter.validate_strings(text)


class SharedFlag(NamedTuple):
    """A flag of a command line that serves all backends."""

    name: str
    variants: tuple[Flag, ...]
    """As each backend that has it has it."""

    @property
    def backends(self) -> tuple[str, ...]:
        """Those that have it."""
        return self.variants[0].backends

    @property
    def help(self) -> str:
        """What it means; where backends differ in values or default, what holds for each."""
        said = {
            backend: (variant.info.description or "", variant.values)
            for backend, variant in zip(self.backends, self.variants, strict=True)
        }
        meanings = _by_backends({backend: meaning for backend, (meaning, _) in said.items()})
        values = _by_backends({backend: value for backend, (_, value) in said.items() if value})
        return meanings + (f" [{values}]" if values else "")


class Declared(NamedTuple):
    """What flags declare, as far as they were given; the names are those of a campaign file."""

    workload: dict[str, Any]
    measurement: dict[str, Any]
    options: dict[str, Any]
    seed: int


def flags_of(backend: str) -> dict[str, Flag]:
    """The flags that a backend takes, by key."""
    return {flag.key: flag for flag in _flags_of(backend)}


def all_flags() -> dict[str, SharedFlag]:
    """The flags of all backends, by key."""
    found: dict[str, list[Flag]] = {}
    for backend in OPTIONS:
        for key, flag in flags_of(backend).items():
            found.setdefault(key, []).append(flag)
    return {key: SharedFlag(variants[0].name, tuple(variants)) for key, variants in found.items()}


def declared_by(backend: str, given: Mapping[str, str]) -> Declared:
    """What the flags given for a backend declare.

    Args:
        backend: one that there is.
        given: the text of each flag, by key.

    Raises:
        FlagError: the backend has no such flag, or a value is wrong.
    """
    known = flags_of(backend)
    sections: dict[Section, dict[str, Any]] = {section: {} for section in get_args(Section)}
    faults = []
    for key, text in given.items():
        if key not in known:
            own = [flag.name for flag in known.values() if flag.section == "options"]
            raise FlagError(f"{backend} has no parameter {_name(key)}", nearest(_name(key), own))
        flag = known[key]
        try:
            sections[flag.section][flag.field] = flag.parse(text)
        except ValidationError as error:
            taking = _taken_by_others(flag, key, text, backend)
            faults += [f"{flag.name}: {message}{taking}" for _, message in validation_messages(error)]
        except ValueError as error:
            faults.append(f"{flag.name}: {error}")
    try:
        Warmup.model_validate(sections["warmup"])
    except ValidationError as error:
        faults += [f"--warmup-...: {message}" for _, message in validation_messages(error)]
    try:
        OPTIONS[backend].model_validate(sections["options"])
    except ValidationError as error:
        faults += [f"{_name(str(place[0]))}: {message}" for place, message in validation_messages(error)]
    if faults:
        raise FlagError("\n".join(faults), "--help lists the flags")
    warmup = {"warmup": sections["warmup"]} if sections["warmup"] else {}
    seed = sections["request"].get("seed", RunRequest.model_fields["seed"].default)
    return Declared(sections["workload"], {**sections["measurement"], **warmup}, sections["options"], seed)


def _flags_of(backend: str) -> Iterator[Flag]:
    sections: dict[Section, Mapping[str, FieldInfo]] = {
        "workload": Workload.model_fields,
        "measurement": Measurement.model_fields,
        "warmup": Warmup.model_fields,
        "request": {"seed": RunRequest.model_fields["seed"]},
        "options": OPTIONS[backend].model_fields,
    }
    for section, fields in sections.items():
        for field, info in fields.items():
            if field in _FILLED_IN_ELSEWHERE:
                continue
            key = f"warmup_{field}" if section == "warmup" else field
            having = tuple(
                name for name, model in OPTIONS.items() if section != "options" or field in model.model_fields
            )
            yield Flag(_name(key), section, field, info, having)


def _taken_by_others(flag: Flag, key: str, text: str, backend: str) -> str:
    """Which backends would take a value that the chosen one refuses."""
    taking = []
    for other in flag.backends:
        with contextlib.suppress(ValueError):
            if other != backend:
                flags_of(other)[key].parse(text)
                taking.append(other)
    return f" ({', '.join(taking)} would take it, {backend} does not)" if taking else ""


def _by_backends(said: Mapping[str, str]) -> str:
    """What is said of each backend, in one line; once if it is the same for all."""
    saying: dict[str, list[str]] = {}
    for backend, text in said.items():
        saying.setdefault(text, []).append(backend)
    if len(saying) <= 1:
        return "".join(saying)
    return " | ".join(f"{', '.join(backends)}: {text}" for text, backends in saying.items())


def _name(key: str) -> str:
    return "--" + key.replace("_", "-")


def _choices(annotation: Any) -> dict[str, Any]:
    """The values that an annotation lists, if it lists them, by the text that stands for each."""
    if annotation is bool:
        return {"true": True, "false": False}
    if get_origin(annotation) is Literal:
        return {str(choice): choice for choice in get_args(annotation)}
    if get_origin(annotation) in (dict, list):
        return {}
    return {text: choice for part in get_args(annotation) for text, choice in _choices(part).items()}


def _takes_text(annotation: Any) -> bool:
    """Whether a value may also be a text, which stands for itself."""
    return annotation is str or get_origin(annotation) is Literal or any(map(_takes_text, _arms(annotation)))


def _arms(annotation: Any) -> tuple[Any, ...]:
    return () if get_origin(annotation) in (dict, list, Literal) else get_args(annotation)
