"""Results as rows of text: pure, so that the same table serves a terminal, a file and a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from orchestrator.report.notes import circumstances, columns_of_frame, notes_on
from orchestrator.report.outputs import output_of
from orchestrator.results.columns import texts_of
from orchestrator.results.parameters import parameters, shown
from orchestrator.results.table import RunTable
from orchestrator.results.varied import varied_parameters
from runners.contract.host import HostReport
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

if TYPE_CHECKING:
    import pandas as pd

HEADLINES = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50", "memory_peak_bytes")
QUEUE = "queue_s.p50"
"""Shown beside the TTFT, which it is part of, where an engine tells it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; whether it holds figures, or prose that may be folded."""

    title: str
    numeric: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns, with remarks below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())


def shortened(table: Table, most: int, rest: str) -> Table:
    """A table of at most so many rows; a note says how many more there are, and where."""
    more = len(table.rows) - most
    if more <= 0:
        return table
    return replace(table, rows=table.rows[:most], notes=[f"{more:,} more {rest}", *table.notes])


def value_of(result: RunResult, name: str) -> float | None:
    """A quantity of a result by its name, such as ``ttft_s.p50``; None where it was not measured."""
    return QUANTITIES[name].of(result)


def summary(table: RunTable, notes: Sequence[str] = ()) -> Table:
    """A campaign at a glance: a row an experiment, each figure the median over its cycles.

    Suspect runs are counted and left out of the medians, unless an experiment has no others. Runs of unlike
    environments are not pooled: each has a row of its own. Retired runs are no part of it.

    Args:
        table: of the campaign.
        notes: further remarks.
    """
    frame = table.frame[~table.frame["retired"].astype(bool)]
    varied = varied_parameters(frame, table.parameters)
    figures = headlines(queued=bool(frame[QUEUE].notna().any()))
    groups = [runs for _, runs in frame.groupby(["experiment_id", "environment_id"], sort=False)]
    firsts = frame.drop_duplicates(["experiment_id", "environment_id"])
    declared = [texts_of(firsts, parameter.name) for parameter in varied]
    rows = []
    for place, runs in enumerate(groups):
        good = runs[runs["verdict"] == "good"]
        counted = good if len(good) else runs
        cells = [texts[place] for texts in declared]
        cells.append(str(len(counted)) if len(counted) == len(runs) else f"{len(counted)} of {len(runs)}")
        cells += [_median(counted, quantity) for quantity in figures]
        cells.append(", ".join(sorted({method or "—" for method in counted["energy_method"]})))
        rows.append(cells)
    seen = columns_of_frame(frame)
    columns = [*(Column(parameter.title) for parameter in varied), Column("runs", True)]
    columns += [Column(heading(quantity), True) for quantity in figures]
    return Table(
        f"{table.campaign}: medians over cycles; energy per output token",
        [*columns, Column("method")],
        rows,
        [*notes_on(seen), *circumstances(seen), *notes],
    )


def run_details(result: RunResult, host: HostReport | None = None) -> list[Table]:
    """One run in full: who it is, what it measured, how it judges itself.

    Args:
        result: of the run.
        host: what the host saw of it; None where it did not look.
    """
    declared = [[key, shown(value)] for key, value in parameters(result).items() if value is not None]
    label = f" ({result.energy_method})" if result.energy_method in ("estimated", "simulated") else ""
    figures = [
        [quantity.title + label * quantity.of_energy, quantity.show(value), quantity.unit, quantity.name]
        for quantity in QUANTITIES.values()
        if (value := value_of(result, quantity.name)) is not None
    ]
    checks = [[check.name, _passed(check.passed, check.severity), check.observed] for check in result.checks]
    who = [
        ["run", result.run_id],
        ["campaign", f"{result.campaign}, cycle {result.cycle}, attempt {result.attempt}"],
        ["backend", f"{result.backend} {result.backend_version or ''}".strip()],
        ["device", result.device],
        ["started", f"{result.started_at:%Y-%m-%d %H:%M:%S} UTC"],
        *_how_it_was_run(result, host),
        ["method", f"{result.energy_method or 'not measured'} ({result.energy_scope or 'no scope'})"],
        ["output", output_of(result)],
        ["verdict", result.verdict],
    ]
    title = (
        "Simulated: no engine ran" if _without_engine(result) else f"Measured, energy{label}" if label else "Measured"
    )
    pair = [Column("parameter"), Column("value", prose=True)]
    named = [Column("quantity"), Column("value", True), Column("unit"), Column("name")]
    return [
        Table("Run", [Column(""), Column("", prose=True)], who),
        Table("Declared", pair, declared),
        Table(title, named, figures, [f"warning: {text}" for text in result.warnings]),
        Table(
            "Checks",
            [Column("check"), Column("verdict"), Column("seen", prose=True)],
            checks,
            [f"{check.name}: {check.hint}" for check in result.checks if check.hint and not check.passed],
        ),
    ]


def _how_it_was_run(result: RunResult, host: HostReport | None) -> list[list[str]]:
    """Order, pause, caches and neighbours of a run, as far as they are known."""
    found = []
    if result.order:
        found.append(["order", f"{result.order}, number {result.order_index + 1}"])
    if gap := result.gap:
        ended = "until the GPUs were cool" if gap.ended_by == "cool" else "to the end"
        found.append(["pause before it", f"{gap.duration_s:.1f} s between {gap.between}, {ended}"])
    if steps := result.cold_start_steps:
        caches = f"fresh process, {len(steps.private_caches)} private and empty caches"
        pages = "the model's files dropped from the page cache" if steps.page_cache_dropped else steps.why_not
        found.append(["cold start", f"{'yes' if result.cold_start else 'not wholly'}: {caches}; {pages}"])
    elif result.cold_start is not None:
        found.append(["cold start", "not asked for"])
    if result.concurrency_on_host and result.concurrency_on_host > 1:
        found.append(["at once", f"up to {result.concurrency_on_host} runs of the campaign on this host"])
    if host and host.neighbours:
        beside = (f"{one.run_id} on {', '.join(one.gpus) or 'the CPU'}" for one in host.neighbours)
        found.append(["neighbours", "; ".join(beside)])
    return found


def headlines(*, queued: bool) -> list[str]:
    """The headline figures.

    Args:
        queued: whether an engine tells of its queue.
    """
    figures = list(HEADLINES)
    if queued:
        figures.insert(figures.index("ttft_s.p50") + 1, QUEUE)
    return figures


def heading(name: str) -> str:
    """A quantity's title in few words, and below it its unit."""
    quantity = QUANTITIES[name]
    return f"{_TITLES.get(name, quantity.title)}\n{quantity.unit}"


_TITLES = {
    "energy_per_output_token_j": "energy",
    "output_tokens_per_s": "rate",
    "ttft_s.p50": "TTFT",
    QUEUE: "queue",
    "memory_peak_bytes": "memory",
}


def _median(runs: pd.DataFrame, name: str) -> str:
    values = runs[name].dropna().tolist()
    return QUANTITIES[name].show(median(values) if values else None)


def _without_engine(run: RunResult) -> bool:
    return run.backend == "simulated"


def _passed(passed: bool, severity: str) -> str:
    return "passed" if passed else f"FAILED ({severity})"
