"""Columns of a table by their dotted names, or by what is unique of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from orchestrator.errors import InputError
from orchestrator.results.parameters import shown
from runners.contract.options import OPTIONS
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

_NEAREST = 3
_ALL_QUANTITIES = "all of them: docs/reference/quantities.md"
_NAMED = 8
"""Columns that an error names at most."""


def columns_of(columns: Iterable[str], name: str) -> tuple[str, ...]:
    """The columns that a name means: one, or one a backend where backends share a parameter's name.

    Args:
        columns: of the table.
        name: a column's (``vllm.max_num_seqs``), or what is unique of its end (``max_num_seqs``). ``batch_size`` means
            that of every backend which has one.

    Raises:
        InputError: no column is called so, or several that have nothing to do with each other.
    """
    known = list(columns)
    if name in known:
        return (name,)
    fitting = [column for column in known if column.endswith(f".{name}")]
    shared = [column for column in fitting if column.removesuffix(f".{name}") in OPTIONS]
    if shared:
        return tuple(shared)
    if len(fitting) == 1:
        return (fitting[0],)
    if fitting:
        raise InputError(f"{name!r} could be {_listed(fitting)}", hint="name it in full")
    ends = {column.rpartition(".")[2]: column for column in known}
    close = get_close_matches(name, [*known, *ends], n=3, cutoff=0.5)
    near = list(dict.fromkeys(ends.get(one, one) for one in close))
    hint = f"did you mean {_listed(near)}?" if near else "`orchestrate results export NAME` shows every column"
    raise InputError(f"there is no column {name!r}", hint=hint)


def full_name(columns: Iterable[str], name: str) -> str:
    """The column's own name; where backends share it, the name as they share it.

    Raises:
        InputError: no column is called so, or several.
    """
    found = columns_of(columns, name)
    return found[0] if len(found) == 1 else name


def metric_named(name: str, option: str = "--metric") -> str:
    """The full name of a quantity, given by what is unique of it.

    Args:
        name: as it was typed.
        option: where.

    Raises:
        InputError: there is no such quantity, or several.
    """
    if name in QUANTITIES:
        return name
    fitting = [known for known in QUANTITIES if known.endswith(f".{name}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(f"{option} {name!r} could be {_listed(fitting)}", hint=f"name it in full; {_ALL_QUANTITIES}")
    titled = {quantity.title.lower(): known for known, quantity in QUANTITIES.items()}
    begun = [known for known in QUANTITIES if name and known.startswith(name.lower())]
    holding = [known for known in QUANTITIES if name and name.lower() in known]
    close = get_close_matches(name.lower(), [*QUANTITIES, *titled], n=_NEAREST, cutoff=0.5)
    near = list(dict.fromkeys([*begun, *(titled.get(one, one) for one in close), *holding]))[:_NEAREST]
    hint = f"did you mean {' or '.join(near)}? {_ALL_QUANTITIES}" if near else _ALL_QUANTITIES
    raise InputError(f"{option} {name!r} is no quantity", hint=hint)


def values_of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column's values; where backends share the name, each run's own.

    Raises:
        InputError: no column is called so, or several.
    """
    first, *others = columns_of(frame.columns, name)
    values = frame[first]
    for other in others:
        values = values.astype(object).where(values.notna(), frame[other])
    return values.rename(full_name(frame.columns, name))


def texts_of(frame: pd.DataFrame, name: str) -> list[str]:
    """A column as text: nothing where a run's backend has no such parameter, a dash where it was left open."""
    known: dict[tuple[str, Any], str] = {}
    texts = []
    values = values_of(frame, name).tolist()
    alike = len(set(map(type, values))) == 1
    for backend, value in zip(frame["backend"].tolist(), values, strict=True):
        key = backend, value if alike else (type(value), value)
        if key not in known:
            missing = value is None or value != value
            known[key] = ("—" if may_have(backend, name) else "") if missing else shown(value)
        texts.append(known[key])
    return texts


def may_have(backend: str, name: str) -> bool:
    """Whether runs of a backend may have a value in a column: it is no parameter of other backends only."""
    first, dot, _rest = name.partition(".")
    if first in OPTIONS and dot:
        return first == backend
    options = {option for model in OPTIONS.values() for option in model.model_fields}
    return first in OPTIONS[backend].model_fields or first not in options


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
