"""How exactly the experiments of a campaign with ``until:`` are known, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from orchestrator.campaign.until import Until
from orchestrator.execution.precision import Known, Precision
from orchestrator.manifest.store import RunRow, Status
from orchestrator.report.counting import counted
from orchestrator.report.tables import Column, Table

_MOST_NAMED = 10


class Progress(NamedTuple):
    """Where one experiment stands."""

    experiment_id: str
    known: Known
    state: Literal["known", "goes on", "not known"]
    """``not known``: and not run further."""
    spared: int
    """Runs that are not needed."""


def progress_of(precision: Precision, runs: Iterable[RunRow]) -> list[Progress]:
    """Where each experiment of a campaign stands, in the order of its first run.

    Args:
        precision: what its complete runs tell.
        runs: all that are planned.
    """
    left: dict[str, int] = {}
    spared: dict[str, int] = {}
    for run in runs:
        over = run.status in (Status.COMPLETED, Status.FAILED, Status.UNNEEDED)
        left[run.experiment_id] = left.get(run.experiment_id, 0) + (not over)
        spared[run.experiment_id] = spared.get(run.experiment_id, 0) + (run.status is Status.UNNEEDED)
    found = []
    for experiment_id, count in left.items():
        known = precision.of(experiment_id)
        state: Literal["known", "goes on", "not known"] = "goes on" if count else "not known"
        found.append(Progress(experiment_id, known, "known" if known.enough else state, spared[experiment_id]))
    return found


def precision_table(until: Until, progress: Sequence[Progress]) -> Table:
    """A row an experiment."""
    rows = [
        [each.experiment_id, str(each.known.runs), give_or_take(each.known), each.state, str(each.spared or "")]
        for each in progress
    ]
    columns = [Column("experiment"), Column("runs", True), Column("known to", True), Column(""), Column("spared", True)]
    return Table(f"Repeated until {until}", columns, rows)


def precision_lines(name: str, until: Until, progress: Sequence[Progress]) -> list[str]:
    """What came of it, once nothing more is run."""
    known = [each for each in progress if each.state == "known"]
    spared = sum(each.spared for each in progress)
    lines = [
        f"Known to ± {100 * until.relative_half_width:.3g} % in {until.metric}: {len(known):,} of"
        f" {counted(len(progress), 'experiment')}; {counted(spared, 'run')} not needed."
    ]
    unsure = [each for each in progress if each.state == "not known"]
    if unsure:
        lines.append(f"Not known so exactly, and not run further ({until.max_cycles} cycles at most):")
        lines += [
            f"  {each.experiment_id}: {give_or_take(each.known)} from {counted(each.known.runs, 'run')}"
            for each in unsure[:_MOST_NAMED]
        ]
        if len(unsure) > _MOST_NAMED:
            lines.append(f"  … and {len(unsure) - _MOST_NAMED:,} more: orchestrate status {name}")
    return lines


def give_or_take(known: Known) -> str:
    """``± 1.9 %``, with how the energy was come by where it was not measured."""
    if known.relative_half_width is None:
        return "no figure" if not known.runs else "nothing"
    made_up = f" ({known.method})" if known.method in ("estimated", "simulated") else ""
    percent = 100 * known.relative_half_width
    return f"± {percent:.2g} %{made_up}" if percent < 99.5 else f"± {percent:,.0f} %{made_up}"
