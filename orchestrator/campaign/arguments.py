"""Arguments that a campaign passes on to its engines, held against those that the engines say they have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.campaign.axes import Grid
from orchestrator.campaign.document import FieldPath, field_name
from orchestrator.errors import Issue
from runners.contract.description import Description
from runners.contract.messages import nearest
from runners.contract.options import OPTIONS

_SCALARS: Final = {"int", "float", "bool", "str", "None"}
_LISTED: Final = 30


class Argument(NamedTuple):
    """One argument of an engine, by its own name."""

    path: FieldPath
    """Where it was declared."""
    backend: str
    option: str
    """Of the backend's PASSED_ON."""
    name: str
    value: Any


def passed_on(grids: Iterable[Grid]) -> Iterator[Argument]:
    """Each argument that is passed on to an engine, with each of its values."""
    for grid in grids:
        place = grid.path or ("backends", grid.backend)
        for option, values in grid.options:
            if option in OPTIONS[grid.backend].PASSED_ON:
                for mapping in values:
                    for name, value in (mapping or {}).items():
                        yield Argument((*place, option, name), grid.backend, option, name, value)


def backends_passed_on(grids: Iterable[Grid]) -> list[str]:
    """The backends whose engines have to be asked which arguments they have."""
    return sorted({argument.backend for argument in passed_on(grids)})


def unknown_arguments(grids: Iterable[Grid], said: Mapping[str, Description]) -> list[Issue]:
    """Arguments that an engine does not have, or of which it takes no such value.

    Args:
        grids: of the campaign.
        said: what is to carry the runs out, by backend; one that is not there is not judged.
    """
    issues = []
    for argument in passed_on(grids):
        description = said.get(argument.backend)
        if description is None or description.engine is None:
            continue
        engine = description.engine
        fields = engine.fields.get(argument.option, {})
        place = field_name(argument.path)
        if argument.name not in fields:
            hint = _named(argument, fields)
            issues.append(Issue(f"{engine.version} has no such argument", place, hint=hint))
        elif not _may_be(argument.value, fields[argument.name].type):
            issues.append(Issue(f"{engine.version} takes {fields[argument.name].type}, not {argument.value!r}", place))
    return list(dict.fromkeys(issues))


def _named(argument: Argument, known: Collection[str]) -> str:
    close = nearest(argument.name, known)
    if len(known) <= _LISTED or not close.startswith("known:"):
        return close
    backend = argument.backend
    in_image = f"docker compose run --rm {backend} --describe"
    return f"all of them: python -m runners {backend} --describe; of the image: {in_image}"


def _may_be(value: Any, annotated: str) -> bool:
    """Whether an engine that annotates an argument so may take a value; in doubt it may."""
    words = {word.strip() for word in annotated.removeprefix("Optional[").rstrip("]").split("|")}
    if not words <= _SCALARS:
        return True
    if isinstance(value, str):
        return "str" in words
    return not isinstance(value, list | dict)
