"""Results as rows of a fixed schema, which an index can keep, and such rows as a frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from orchestrator.results.parameters import parameters
from runners.contract.quantities import QUANTITIES
from runners.contract.result import EngineMessage, RunResult

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

WHO: Final = (
    "run_id", "campaign", "experiment_id", "cycle", "attempt", "order_index", "backend", "backend_version", "device",
    "started_at", "ended_at", "verdict",
)  # fmt: skip
"""Columns that say which run a row is; ``started_at`` and ``ended_at`` are timestamps with a zone (UTC)."""

HOW: Final = (
    "environment_id", "energy_method", "energy_scope", "gpus", "order", "cold_start", "cold_start_asked",
    "concurrency_on_host", "failed_checks", "engine_messages", "asked", "output_sha256", "retired", "until",
)  # fmt: skip
"""Columns that say how a run came about.

``gpus``: the UUIDs, joined by a blank, empty on a CPU. ``failed_checks``: their names, joined by a blank.
``engine_messages``: what engines warned of, each once, as a JSON list of [source, level, text]; empty where they said
nothing. ``asked``: equal where runs asked the same prompts of the same weights, so that equal ``output_sha256`` means
equal answers.
``retired``: no longer planned, since the campaign's file changed. ``until``: the quantity for whose sake experiments
were repeated until it was known; missing where the number of cycles was fixed beforehand.
"""

DECLARED: Final = "declared"
"""Column of a row: the parameters, as JSON, in the order they are declared."""
_INTEGERS = ("cycle", "attempt", "order_index", "concurrency_on_host")
_MOMENTS = ("started_at", "ended_at")
_FLAGS = ("cold_start", "cold_start_asked")
_OF_CAMPAIGN: Final[dict[str, tuple[Any, str]]] = {"retired": (False, "bool"), "until": (None, "object")}
"""Columns that no result tells, with what holds where the campaign tells nothing, and their type."""
_STORED = tuple(name for name in (*WHO, *HOW) if name not in _OF_CAMPAIGN)
_AT_ONCE = 500


def schema(*others: tuple[str, str]) -> pa.Schema:
    """The columns of a row and their types.

    Args:
        others: columns before these: name and type.
    """
    import pyarrow as pa

    types = (
        {name: pa.string() for name in (*_STORED, DECLARED)}
        | {name: pa.int64() for name in _INTEGERS}
        | {name: pa.timestamp("us", tz="UTC") for name in _MOMENTS}
        | {name: pa.bool_() for name in _FLAGS}
        | dict.fromkeys(QUANTITIES, pa.float64())
    )
    return pa.schema([*others, *types.items()])


def row_of(result: RunResult) -> dict[str, Any]:
    """A result as a row.

    Raises:
        OverflowError: it holds a number that no column can.
    """
    experiment = result.experiment
    asked = f"{experiment.model} {experiment.model_sha256} {experiment.workload.model_dump_json()} {result.requests}"
    own = {name: getattr(result, name) for name in _STORED if name in RunResult.model_fields}
    if any(own[name] is not None and abs(own[name]) >= 2**63 for name in _INTEGERS):
        raise OverflowError
    return (
        own
        | {"environment_id": result.environment.environment_id, "gpus": " ".join(gpu.uuid for gpu in result.gpus)}
        | {"failed_checks": " ".join(check.name for check in result.checks if not check.passed)}
        | {"engine_messages": _messages(result.engine_messages)}
        | {"cold_start_asked": result.cold_start_steps is not None}
        | {"asked": hashlib.sha256(asked.encode()).hexdigest()}
        | {DECLARED: json.dumps(parameters(result), ensure_ascii=False)}
        | {name: quantity.of(result) for name, quantity in QUANTITIES.items()}
    )


def _messages(said: Iterable[EngineMessage]) -> str:
    """Sorted, so that runs whose engines said the same have the same text."""
    distinct = sorted({(one.source, one.level, one.text) for one in said})
    return json.dumps(distinct, ensure_ascii=False) if distinct else ""


def as_rows(found: Iterable[Mapping[str, Any]], of: pa.Schema) -> pa.Table:
    """Rows as one table of a schema; few of them are held as Python objects at once."""
    import pyarrow as pa

    waiting = iter(found)
    batches = []
    while some := list(islice(waiting, _AT_ONCE)):
        batches.append(pa.RecordBatch.from_pylist(some, schema=of))
    return pa.Table.from_batches(batches, schema=of)


def frame_of(rows: pa.Table) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows as a frame, in the order they ran, and which of its columns are parameters.

    Quantities are floats. Of the other columns those whose values are all of one type keep it, the others hold what
    was declared as it is, 8 as 8 beside a run that has none. None of them is retired, nor repeated until it was known.
    """
    import pandas as pd

    rows = rows.sort_by([("order_index", "ascending"), ("cycle", "ascending")])
    columns: dict[str, Any] = {}
    for name in (*WHO, *HOW):
        if name in _OF_CAMPAIGN:
            value, kind = _OF_CAMPAIGN[name]
            columns[name] = pd.Series([value] * len(rows), dtype=kind)
        elif name == "engine_messages":
            columns[name] = _shared(rows[name])
        else:
            columns[name] = _series(rows[name])
    declared = _declared(rows[DECLARED])
    columns |= declared
    columns |= {name: pd.Series(rows[name].to_numpy()) for name in QUANTITIES}
    frame = pd.DataFrame(columns)
    frame.columns = pd.Index(frame.columns, dtype="object")  # names in Arrow's memory make each look-up slow
    return frame, tuple(declared)


def _series(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return pd.Series(column.to_pandas())
    if pa.types.is_string(column.type) or column.null_count:
        return pd.Series(column.to_pylist(), dtype="object")
    return pd.Series(column.to_numpy())


def _shared(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Long texts of which many are the same, each held once."""
    import pandas as pd

    encoded = column.combine_chunks().dictionary_encode()
    texts = pd.Series(encoded.dictionary.to_pylist(), dtype="object")
    return texts.take(encoded.indices.to_numpy(zero_copy_only=False)).reset_index(drop=True)


def _declared(column: pa.ChunkedArray) -> dict[str, pd.Series[Any]]:
    """The columns of the parameters; runs of one experiment share what they were declared as."""
    import pandas as pd

    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    points = [json.loads(text) for text in encoded.dictionary.to_pylist()]
    names = dict.fromkeys(name for point in points for name in point)
    found = {}
    for name in names:
        values = [point.get(name) for point in points]
        types = {type(value) for value in values}
        kept = None if len(types) == 1 and types <= {int, float, bool} and _fits(values) else "object"
        found[name] = pd.Series(values, dtype=kept).take(codes).reset_index(drop=True)
    return found


def _fits(values: list[Any]) -> bool:
    return all(not isinstance(value, int) or abs(value) < 2**63 for value in values)
