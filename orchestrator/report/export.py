"""Tables as files that others read: CSV, with units in its heading, and parquet, with units in its metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.analysis.conditions import Condition, groups_meeting, runs_meeting
from orchestrator.analysis.groups import Choice
from orchestrator.analysis.summary import summarise
from orchestrator.errors import InputError
from orchestrator.files import disk_errors, replace_durably
from orchestrator.printable import harmless
from orchestrator.report.grouped import FIGURES, group_records
from orchestrator.report.tables import HEADLINES
from orchestrator.results.parameters import shown
from orchestrator.results.table import RunTable
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_WHOLE: Final = {"ms": "s", "MiB": "B", "GFLOP/token": "FLOP/token", "GFLOP/J": "FLOP/J"}
"""The unit that a figure is stored in, by the one that it is shown in."""
_FACTORS: Final = ("runs", "cycles", "method", "spread", "meter_low", "meter_high")


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes the beginning of a formula to be; OWASP, CSV injection."""


def exported_runs(table: RunTable, conditions: Sequence[Condition], metrics: Sequence[str]) -> pd.DataFrame:
    """A row a run; its quantities are those named, or all. What engines said is left out: it is long.

    Raises:
        InputError: a condition is about a column that is not there.
    """
    frame = runs_meeting(table, conditions).frame
    unwanted = [name for name in QUANTITIES if metrics and name not in metrics]
    return frame.drop(columns=[*unwanted, "engine_messages"])


def exported_groups(
    table: RunTable,
    by: Sequence[str],
    choice: Choice,
    conditions: Sequence[Condition],
    metrics: Sequence[str],
) -> pd.DataFrame:
    """A row a group; for each quantity (those named, or the headline figures) its figures: ``ttft_s.p50.mean``.

    Raises:
        InputError: there is no such column.
    """
    import pandas as pd

    groups = groups_meeting(table, by, choice, conditions)
    wanted = metrics or HEADLINES
    found = [[summarise(group, metric) for group in groups] for metric in wanted]
    frame = pd.DataFrame(group_records(groups, found))
    if not groups:
        return pd.DataFrame(columns=["group", *by, "runs", *(f"{name}.{each}" for name in wanted for each in FIGURES)])
    numbers = [f"{name}.{figure}" for name in wanted for figure, kind in FIGURES.items() if kind is float]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def unit_of(column: str) -> str:
    """The unit of a column's figures; empty where they have none."""
    name, _, figure = column.rpartition(".")
    quantity = QUANTITIES.get(column) or (QUANTITIES.get(name) if figure not in _FACTORS else None)
    if quantity is None:
        return ""
    return quantity.unit if quantity.scale == 1.0 else _WHOLE[quantity.unit]


def as_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV; columns carry their unit: ``ttft_s.p50 [s]``.

    Text that a spreadsheet would carry out as a formula has an apostrophe before it, and control characters are
    escapes: CSV is looked at. Parquet has every text as it is.
    """
    import pandas as pd

    columns = {}
    for name, column in frame.items():
        unit = unit_of(str(name))
        texts = column.dtype == object or isinstance(column.dtype, pd.StringDtype)
        columns[_seen(f"{name} [{unit}]" if unit else name)] = (
            pd.Series(list(map(_seen, column)), index=frame.index, dtype=object) if texts else column
        )
    text: str = pd.DataFrame(columns).to_csv(index=False)
    return text


def _seen(value: Any) -> Any:
    """A text as a terminal and a spreadsheet may have it."""
    if not isinstance(value, str):
        return value
    value = harmless(value)
    if not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame to a file, by its ending ``.csv`` or ``.parquet``; one that is there is replaced as a whole.

    Raises:
        InputError: another ending, or its folder is not there.
        MachineError: it cannot be written.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{path} must end in .csv or .parquet")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", hint="make it first, or name another file")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with disk_errors():
        try:
            if path.suffix == ".csv":
                draft.write_text(as_csv(frame), encoding="utf-8")
            else:
                _write_parquet(frame, draft)
            replace_durably(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields, arrays = [], []
    for name in frame.columns:
        array = _array(frame[name])
        quantity = QUANTITIES.get(name)
        about = {"unit": unit_of(name), "title": quantity.title if quantity else ""}
        fields.append(pa.field(name, array.type, metadata={key: text for key, text in about.items() if text}))
        arrays.append(array)
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)


def _array(column: pd.Series[Any]) -> pa.Array:
    """A column of one type; as text, where what was declared is of several."""
    import pyarrow as pa

    try:
        return pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else shown(value) for value in column], pa.string())
