"""Results as rows of text: pure, so that the same table serves a terminal, a file and a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from orchestrator.report.outputs import output_notes, output_of
from orchestrator.results.parameters import parameters, shown, varied_parameters
from runners.contract.host import HostReport
from runners.contract.paths import short_run_id
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult

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


def summary(name: str, results: Sequence[RunResult], notes: Sequence[str] = ()) -> Table:
    """A campaign at a glance: a row an experiment, each figure the median over its cycles.

    Suspect runs are counted and left out of the medians, unless an experiment has no others. Runs of unlike
    environments are not pooled: each has a row of its own.

    Args:
        name: the campaign's.
        results: of its complete runs.
        notes: further remarks.
    """
    groups: dict[tuple[str, str], list[RunResult]] = {}
    for result in sorted(results, key=lambda result: (result.order_index, result.cycle)):
        groups.setdefault((result.experiment_id, result.environment.environment_id), []).append(result)
    varied, figures = varied_parameters(results), _figures(results)
    rows = []
    for runs in groups.values():
        good = [run for run in runs if run.verdict == "good"]
        counted = good or runs
        cells = [parameter.shown(runs[0]) for parameter in varied]
        cells.append(str(len(counted)) if len(counted) == len(runs) else f"{len(counted)} of {len(runs)}")
        cells += [_median(counted, quantity) for quantity in figures]
        cells.append(_methods(counted))
        rows.append(cells)
    columns = [*(Column(parameter.title) for parameter in varied), Column("runs", True)]
    columns += [Column(_heading(quantity), True) for quantity in figures]
    return Table(
        f"{name}: medians over cycles; energy per output token",
        [*columns, Column("method")],
        rows,
        [*_notes(results), *_circumstances(results), *notes],
    )


def run_list(name: str, results: Sequence[RunResult], retired: Collection[tuple[str, int]] = ()) -> Table:
    """Every complete run of a campaign with its headline figures: a row a run, in the order they ran.

    Args:
        name: the campaign's.
        results: of its complete runs.
        retired: the experiment_id and the cycle of those that are no longer in its file.
    """
    varied, figures = varied_parameters(results), _figures(results)
    rows = [
        [
            short_run_id(result.experiment_id, result.cycle),
            *(parameter.shown(result) for parameter in varied),
            *(QUANTITIES[quantity].show(value_of(result, quantity)) for quantity in figures),
            result.energy_method or "—",
            f"{result.verdict}, retired" if (result.experiment_id, result.cycle) in retired else result.verdict,
        ]
        for result in sorted(results, key=lambda result: (result.order_index, result.cycle))
    ]
    columns = [Column("run"), *(Column(parameter.title) for parameter in varied)]
    columns += [Column(_heading(quantity), True) for quantity in figures]
    notes = _notes(results)
    if retired:
        notes.append(f"{len(retired)} of {len(results)} runs retired: no longer in the campaign's file")
    return Table(name, [*columns, Column("method"), Column("verdict")], rows, notes)


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


def _circumstances(results: Sequence[RunResult]) -> list[str]:
    """How runs were carried out, where that is not as usual."""
    total = f"{len(results)} runs"
    cold = sum(result.cold_start is True for result in results)
    asked = sum(result.cold_start_steps is not None for result in results)
    beside = sum((result.concurrency_on_host or 1) > 1 for result in results)
    notes = []
    if cold:
        notes.append(f"{cold} of {total} were started cold")
    if asked > cold:
        notes.append(f"{asked - cold} of {total} could not be started wholly cold: the check cold_start says why")
    if beside:
        notes.append(f"{beside} of {total} ran while others of the campaign could: they share power and heat")
    return notes


def _figures(results: Sequence[RunResult]) -> list[str]:
    """The headline figures of these runs."""
    figures = list(HEADLINES)
    if any(value_of(result, QUEUE) is not None for result in results):
        figures.insert(figures.index("ttft_s.p50") + 1, QUEUE)
    return figures


def _heading(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{_TITLES.get(name, quantity.title)}\n{quantity.unit}"


_TITLES = {
    "energy_per_output_token_j": "energy",
    "output_tokens_per_s": "rate",
    "ttft_s.p50": "TTFT",
    QUEUE: "queue",
    "memory_peak_bytes": "memory",
}


def _median(runs: Sequence[RunResult], name: str) -> str:
    values = [value for run in runs if (value := value_of(run, name)) is not None]
    return QUANTITIES[name].show(median(values) if values else None)


def _methods(runs: Sequence[RunResult]) -> str:
    return ", ".join(sorted({run.energy_method or "—" for run in runs}))


def _without_engine(run: RunResult) -> bool:
    return run.backend == "simulated"


def _passed(passed: bool, severity: str) -> str:
    return "passed" if passed else f"FAILED ({severity})"


def _notes(results: Sequence[RunResult]) -> list[str]:
    """What a reader must know of these figures: how far they can be trusted."""
    rules: tuple[tuple[Callable[[RunResult], bool], str], ...] = (
        (
            lambda run: run.energy_method == "estimated",
            "energy is estimated, not measured, in {} of {}: good for a rough idea, not for a publication",
        ),
        (_without_engine, "energy and tokens are simulated in {} of {}: no engine ran"),
        (
            lambda run: run.energy_method == "simulated" and not _without_engine(run),
            "energy is simulated in {} of {}: a made-up GPU, beside a real engine",
        ),
        (lambda run: run.energy_method is None, "energy was not measured in {} of {}"),
        (lambda run: run.verdict == "suspect", "{} of {} are suspect: `orchestrate results show RUN` says why"),
    )
    notes = []
    for applies, text in rules:
        count = sum(map(applies, results))
        if count:
            notes.append(text.format(count, f"{len(results)} runs"))
    for backend in dict.fromkeys(run.backend for run in results):
        environments = {run.environment.environment_id for run in results if run.backend == backend}
        if len(environments) > 1:
            notes.append(f"the runs of {backend} come from {len(environments)} unlike environments, not pooled")
    return notes + output_notes(results)
