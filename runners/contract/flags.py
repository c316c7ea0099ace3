"""Flags of a command line, made from the models: the same for ``orchestrate run`` and for the runner. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

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
        choices = _choices(self.info.annotation)
        default = str(self.info.default).lower() if isinstance(self.info.default, bool) else self.info.default
        bounds = [f"{', '.join(choices[:-1])} or {choices[-1]}"] if choices else []
        bounds += [f"default: {default}"] if default is not None else []
        return f"{self.info.description}" + (f" [{'; '.join(bounds)}]" if bounds else "")

    def parse(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            ValidationError: the field does not take it.
        """
        field: Any = Annotated[self.info.annotation, self.info]
        return TypeAdapter[Any](field, config=ContractModel.model_config).validate_strings(text)


class Declared(NamedTuple):
    """What flags declare, as far as they were given; the names are those of a campaign file."""

    workload: dict[str, Any]
    measurement: dict[str, Any]
    options: dict[str, Any]
    seed: int


def flags_of(backend: str) -> dict[str, Flag]:
    """The flags that a backend takes, by key."""
    return {flag.key: flag for flag in _flags_of(backend)}


def all_flags() -> dict[str, Flag]:
    """The flags of all backends, by key; what several have is described as the first of them has it."""
    found: dict[str, Flag] = {}
    for backend in OPTIONS:
        for key, flag in flags_of(backend).items():
            found.setdefault(key, flag)
    return found


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
            faults += [f"{flag.name}: {message}" for _, message in validation_messages(error)]
    try:
        Warmup.model_validate(sections["warmup"])
    except ValidationError as error:
        faults += [f"--warmup-...: {message}" for _, message in validation_messages(error)]
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


def _name(key: str) -> str:
    return "--" + key.replace("_", "-")


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values that an annotation lists, if it lists them."""
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return tuple(choice for part in get_args(annotation) for choice in _choices(part))
