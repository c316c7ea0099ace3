"""A campaign's complete runs as one table: a row a run."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.results.parameters import parameters
from orchestrator.results.reading import readable_results
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

if TYPE_CHECKING:
    import pandas as pd

WHO: Final = (
    "run_id", "campaign", "experiment_id", "cycle", "attempt", "order_index", "backend", "backend_version", "device",
    "started_at", "ended_at", "verdict",
)  # fmt: skip
"""Columns that say which run a row is; ``started_at`` and ``ended_at`` are timestamps with a zone (UTC)."""

HOW: Final = (
    "environment_id", "energy_method", "energy_scope", "gpus", "order", "cold_start", "concurrency_on_host",
    "failed_checks", "asked", "output_sha256", "retired",
)  # fmt: skip
"""Columns that say how a run came about.

``gpus``: the UUIDs, joined by a blank, empty on a CPU. ``failed_checks``: their names, joined by a blank. ``asked``:
equal where runs asked the same prompts of the same weights, so that equal ``output_sha256`` means equal answers.
``retired``: no longer planned, since the campaign's file changed.
"""


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


def read_table(folder: Path, retired: Collection[tuple[str, int]] = ()) -> RunTable:
    """The complete runs below a campaign's results folder, in the order they ran.

    Args:
        folder: the campaign's results.
        retired: the experiment_id and the cycle of the runs that are no longer planned.
    """
    results, faults = readable_results(folder)
    return as_table(folder, results, faults, retired)


def as_table(
    folder: Path,
    results: Iterable[RunResult],
    faults: Iterable[str] = (),
    retired: Collection[tuple[str, int]] = (),
) -> RunTable:
    """Results as a table, in the order they ran."""
    import pandas as pd

    found = sorted(results, key=lambda result: (result.order_index, result.cycle))
    rows = [_row(result, (result.experiment_id, result.cycle) in retired) for result in found]
    names = tuple(dict.fromkeys(name for result in found for name in parameters(result)))
    columns = {
        name: _column([row.get(name) for row in rows], number=name in QUANTITIES)
        for name in (*WHO, *HOW, *names, *QUANTITIES)
    }
    return RunTable(folder.name, folder, pd.DataFrame(columns), names, tuple(faults))


def _column(values: list[Any], *, number: bool) -> pd.Series[Any]:
    """Quantities are floats; of the others, only those that are all of one type keep it, the rest stay as they are."""
    import pandas as pd

    if number:
        return pd.Series(values, dtype="float64")
    types = {type(value) for value in values}
    if types == {datetime}:
        return pd.Series(pd.to_datetime(values, utc=True))
    return pd.Series(values, dtype=None if len(types) == 1 and types <= {int, float, bool} else "object")


def _row(result: RunResult, retired: bool) -> dict[str, Any]:
    experiment = result.experiment
    asked = f"{experiment.model} {experiment.model_sha256} {experiment.workload.model_dump_json()} {result.requests}"
    return (
        {name: getattr(result, name) for name in (*WHO, "energy_method", "energy_scope", "order", "cold_start")}
        | {"concurrency_on_host": result.concurrency_on_host, "output_sha256": result.output_sha256}
        | {"environment_id": result.environment.environment_id, "gpus": " ".join(gpu.uuid for gpu in result.gpus)}
        | {"failed_checks": " ".join(check.name for check in result.checks if not check.passed)}
        | {"asked": hashlib.sha256(asked.encode()).hexdigest(), "retired": retired}
        | parameters(result)
        | {name: quantity.of(result) for name, quantity in QUANTITIES.items()}
    )
