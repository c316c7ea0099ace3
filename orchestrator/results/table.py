"""A campaign's complete runs as one table: a row a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.results.frozen import repeated_until
from orchestrator.results.index import indexed_rows
from orchestrator.results.rows import HOW as HOW
from orchestrator.results.rows import WHO as WHO
from orchestrator.results.rows import as_rows, frame_of, row_of, schema
from runners.contract.result import RunResult

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RunTable:
    """The runs of one campaign."""

    campaign: str
    folder: Path
    frame: pd.DataFrame
    """The columns of ``WHO`` and ``HOW``, each parameter under its dotted name, each quantity in its SI unit.

    A parameter that a backend does not have, and whatever was not measured, is missing (``isna``), never 0. Values
    of parameters are as they were declared: 8 stays 8 beside a run that has none.
    """
    parameters: tuple[str, ...]
    """Which columns are parameters, such as ``model``, ``workload.output_tokens``, ``vllm.max_num_seqs``."""
    faults: tuple[str, ...] = ()
    """What is wrong with results that could not be read, in words."""


def read_table(folder: Path, index: Path | None = None, retired: Collection[tuple[str, int]] = ()) -> RunTable:
    """The complete runs below a campaign's results folder, in the order they ran.

    Args:
        folder: the campaign's results.
        index: the file that keeps what results were read; what of it is stale is read anew. None: all are read.
        retired: the experiment_id and the cycle of the runs that are no longer planned.
    """
    rows, faults = indexed_rows(folder, index)
    return _table(folder, rows, faults, retired)


def as_table(
    folder: Path,
    results: Iterable[RunResult],
    faults: Iterable[str] = (),
    retired: Collection[tuple[str, int]] = (),
) -> RunTable:
    """Results as a table, in the order they ran."""
    return _table(folder, as_rows(map(row_of, results), schema()), faults, retired)


def _table(folder: Path, rows: pa.Table, faults: Iterable[str], retired: Collection[tuple[str, int]]) -> RunTable:
    frame, parameters = frame_of(rows)
    if retired:
        frame["retired"] = [run in retired for run in zip(frame["experiment_id"], frame["cycle"], strict=True)]
    if until := repeated_until(folder):
        frame["until"] = until
    return RunTable(folder.name, folder, frame, parameters, tuple(faults))
