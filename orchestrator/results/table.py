"""A campaign's complete runs as one table: a row a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
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
    "failed_checks", "asked", "output_sha256",
)  # fmt: skip
"""Columns that say how a run came about.

``gpus``: the UUIDs, joined by a blank, empty on a CPU. ``failed_checks``: their names, joined by a blank. ``asked``:
equal where runs asked the same prompts of the same weights, so that equal ``output_sha256`` means equal answers.
"""


@dataclass(frozen=True, slots=True)
class RunTable:
    """The runs of one campaign."""

    campaign: str
    folder: Path
    frame: pd.DataFrame
    """The columns of ``WHO`` and ``HOW``, each parameter under its dotted name, each quantity in its SI unit.

    A parameter that a backend does not have, and whatever was not measured, is missing (``isna``), never 0.
    """
    parameters: tuple[str, ...]
    """Which columns are parameters, such as ``model``, ``workload.output_tokens``, ``vllm.max_num_seqs``."""
    faults: tuple[str, ...] = ()
    """What is wrong with results that could not be read, in words."""


def read_table(folder: Path) -> RunTable:
    """The complete runs below a campaign's results folder, in the order they ran."""
    results, faults = readable_results(folder)
    return as_table(folder, results, faults)


def as_table(folder: Path, results: Iterable[RunResult], faults: Iterable[str] = ()) -> RunTable:
    """Results as a table, in the order they ran."""
    import pandas as pd

    found = sorted(results, key=lambda result: (result.order_index, result.cycle))
    names = dict.fromkeys(name for result in found for name in parameters(result))
    frame = pd.DataFrame([_row(result) for result in found], columns=[*WHO, *HOW, *names, *QUANTITIES])
    return RunTable(folder.name, folder, frame, tuple(names), tuple(faults))


def _row(result: RunResult) -> dict[str, Any]:
    experiment = result.experiment
    asked = f"{experiment.model} {experiment.model_sha256} {experiment.workload.model_dump_json()} {result.requests}"
    return (
        {name: getattr(result, name) for name in (*WHO, "energy_method", "energy_scope", "order", "cold_start")}
        | {"concurrency_on_host": result.concurrency_on_host, "output_sha256": result.output_sha256}
        | {"environment_id": result.environment.environment_id, "gpus": " ".join(gpu.uuid for gpu in result.gpus)}
        | {"failed_checks": " ".join(check.name for check in result.checks if not check.passed)}
        | {"asked": hashlib.sha256(asked.encode()).hexdigest()}
        | parameters(result)
        | {name: quantity.of(result) for name, quantity in QUANTITIES.items()}
    )
