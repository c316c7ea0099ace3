"""In which parameters runs differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.results.columns import may_have
from orchestrator.results.parameters import is_default, shown
from runners.contract.options import OPTIONS

if TYPE_CHECKING:
    import pandas as pd

_HIDDEN = frozenset({"workload.dataset_sha256"})
_Found = dict[str, dict[str, list[Any]]]
"""Each parameter's values, by backend."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A parameter in which runs differ."""

    name: str
    """Its dotted name, without the backend: backends share a column where they share the name."""
    title: str
    """What is unique of it."""
    values: Mapping[str, Sequence[Any]]
    """What it is, each value once, by backend; None: left open. A backend that has no such parameter is not there."""


def varied_parameters(frame: pd.DataFrame, parameters: Sequence[str]) -> list[Varied]:
    """The parameters in which the runs of a frame differ, in the order they are declared; ``backend`` is one.

    A parameter that only some backends have counts among these; one that is passed on, among all that pass on. Where
    nothing but the defaults of the backends differs, nothing was varied.

    Args:
        frame: of the runs.
        parameters: which of its columns are parameters.
    """
    names = dict.fromkeys(("backend", *map(_own_name, parameters)))
    found: _Found = {name: {} for name in names}
    for backend, rows in frame.groupby("backend", sort=False):
        for name in names:
            if may_have(str(backend), name):
                found[name][str(backend)] = _distinct(rows, name, str(backend))
    return _varied(found)


def _own_name(column: str) -> str:
    first, _, rest = column.partition(".")
    return rest if first in OPTIONS else column


def _distinct(rows: pd.DataFrame, name: str, backend: str) -> list[Any]:
    column = next((column for column in (f"{backend}.{name}", name) if column in rows), None)
    values = [None] if column is None else rows[column].unique().tolist()
    return [None if value != value else value for value in values]


def _varied(found: _Found) -> list[Varied]:
    varied = {name: values for name, values in found.items() if name not in _HIDDEN and _varies(name, values)}
    short = [name.rpartition(".")[2] for name in varied]
    return [
        Varied(name, last if short.count(last) == 1 else name, values)
        for (name, values), last in zip(varied.items(), short, strict=True)
    ]


def _varies(name: str, values: Mapping[str, Sequence[Any]]) -> bool:
    if len({shown(value) for of_one in values.values() for value in of_one}) < 2:
        return False
    return not all(is_default(backend, name, value) for backend, of_one in values.items() for value in of_one)
