"""In which parameters the runs of a table differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.results.columns import may_have
from orchestrator.results.parameters import is_default, shown

if TYPE_CHECKING:
    import pandas as pd

_HIDDEN = frozenset({"workload.dataset_sha256"})


@dataclass(frozen=True, slots=True)
class Varied:
    """A parameter in which runs differ."""

    name: str
    """Its dotted name, without the backend: backends share a column where they share the name."""
    title: str
    """What is unique of it."""
    values: Mapping[str, Sequence[Any]]
    """What it is, each value once, by backend; None: left open."""

    @property
    def texts(self) -> set[str]:
        """The values as text."""
        return {shown(value) for values in self.values.values() for value in values}


def varied_parameters(frame: pd.DataFrame, parameters: Sequence[str]) -> list[Varied]:
    """The parameters in which runs differ, in the order they are declared; ``backend`` is one.

    A parameter that only some backends have counts among these; one that is passed on, among all that pass on. Where
    nothing but the defaults of the backends differs, nothing was varied.

    Args:
        frame: of the runs.
        parameters: which of its columns are parameters.
    """
    found: dict[str, dict[str, list[Any]]] = {"backend": {}}
    for name in parameters:
        if name not in _HIDDEN:
            found.setdefault(_without_backend(name), {})
    for backend, rows in frame.groupby("backend", sort=False):
        found["backend"][str(backend)] = [backend]
        for name, values in found.items():
            if name != "backend" and may_have(str(backend), name):
                values[str(backend)] = _distinct(rows, name, str(backend))
    varied = {name: values for name, values in found.items() if _varies(name, values)}
    short = [name.rpartition(".")[2] for name in varied]
    return [
        Varied(name, last if short.count(last) == 1 else name, values)
        for (name, values), last in zip(varied.items(), short, strict=True)
    ]


def _without_backend(column: str) -> str:
    from runners.contract.options import OPTIONS

    first, _, rest = column.partition(".")
    return rest if first in OPTIONS else column


def _distinct(rows: pd.DataFrame, name: str, backend: str) -> list[Any]:
    column = next((column for column in (name, f"{backend}.{name}") if column in rows), None)
    values = [None] if column is None else rows[column].astype(object).unique().tolist()
    return [None if value != value else value for value in values]


def _varies(name: str, values: Mapping[str, Sequence[Any]]) -> bool:
    if len({shown(value) for of_one in values.values() for value in of_one}) < 2:
        return False
    return name == "backend" or not all(
        is_default(backend, name, value) for backend, of_one in values.items() for value in of_one
    )
