"""How well a run's mean latencies are known from its own requests, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestrator.analysis.interval import Interval, interval_within
from orchestrator.errors import InputError
from orchestrator.report.tables import Column, Table
from orchestrator.results.requests import read_latencies
from runners.contract.paths import REQUESTS
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

_LIMIT: Final = (
    "so far another window of this run might have come out otherwise; how the run repeats, only cycles tell, and the"
    " intervals of `orchestrate results list` are over these"
)


def latency_tables(folder: Path, result: RunResult) -> list[Table]:
    """A table of mean latencies with intervals; none where requests were not recorded, or in one batch only.

    Args:
        folder: of the run.
        result: of the run.
    """
    if not (folder / REQUESTS).exists():
        return []
    simulated = ", simulated" if result.backend == "simulated" else ""
    title = f"Mean latency over this run's requests{simulated}"
    columns = [Column("quantity"), Column("mean", True), Column("95 % interval", True), Column("unit")]
    columns += [Column("by"), Column("batches", True)]
    try:
        latencies = read_latencies(folder)
    except InputError as error:
        return [Table(title, columns, [], [str(error)])]
    found = {name: interval_within(seconds, latencies.batches) for name, seconds in latencies.seconds.items()}
    rows = [_row(name, interval) for name, interval in found.items() if interval]
    return [Table(title, columns, rows, [_LIMIT])] if rows else []


def _row(name: str, interval: Interval) -> list[str]:
    quantity = QUANTITIES[f"{name}.mean"]
    ends = f"{quantity.show(interval.low)} – {quantity.show(interval.high)}"
    shown = [quantity.title, quantity.show(interval.estimate), ends, quantity.unit]
    return [*shown, interval.method, f"{interval.count:,}"]
