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
_FEWER = "the other complete runs do not count: suspect, without the figure, unlike in environment or metering, or gone"


class Progress(NamedTuple):
    """Where one experiment stands."""

    experiment_id: str
    known: Known
    state: Literal["known", "goes on", "not known"]
    """``not known``: and not run further."""
    spared: int
    """Runs that are not needed."""
    complete: int
    """Runs that are complete, those that do not count among them."""


def progress_of(precision: Precision, runs: Iterable[RunRow]) -> list[Progress]:
    """Where each experiment of a campaign stands, in the order of its first run.

    Args:
        precision: what its complete runs tell.
        runs: all that are planned.
    """
    left: dict[str, int] = {}
    spared: dict[str, int] = {}
    complete: dict[str, int] = {}
    for run in runs:
        complete[run.experiment_id] = complete.get(run.experiment_id, 0) + (run.status is Status.COMPLETED)
        over = run.status in (Status.COMPLETED, Status.FAILED, Status.UNNEEDED)
        left[run.experiment_id] = left.get(run.experiment_id, 0) + (not over)
        spared[run.experiment_id] = spared.get(run.experiment_id, 0) + (run.status is Status.UNNEEDED)
    found = []
    for experiment_id, count in left.items():
        known = precision.of(experiment_id)
        state: Literal["known", "goes on", "not known"] = "goes on" if count else "not known"
        over_with: Literal["known", "goes on", "not known"] = "known" if known.enough else state
        found.append(Progress(experiment_id, known, over_with, spared[experiment_id], complete[experiment_id]))
    return found


def precision_table(until: Until, progress: Sequence[Progress]) -> Table:
    """A row an experiment."""
    rows = [
        [each.experiment_id, _counting(each), give_or_take(each.known), each.state, str(each.spared or "")]
        for each in progress
    ]
    columns = [
        Column("experiment"),
        Column("runs", True),
        Column("known to", True),
        Column("state"),
        Column("spared", True),
    ]
    fewer = any(each.known.runs < each.complete for each in progress)
    return Table(f"Repeated until {until}", columns, rows, [_FEWER] if fewer else [])


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
            f"  {each.experiment_id}: {give_or_take(each.known)} from {_counting(each)}"
            f" {'run' if max(each.known.runs, each.complete) == 1 else 'runs'}"
            for each in unsure[:_MOST_NAMED]
        ]
        if len(unsure) > _MOST_NAMED:
            lines.append(f"  … and {len(unsure) - _MOST_NAMED:,} more: orchestrate status {name}")
        if any(each.known.runs < each.complete for each in unsure):
            lines.append(f"  {_FEWER}")
    return lines


def _counting(each: Progress) -> str:
    """``3``, or ``3 of 6`` where complete runs do not count."""
    return str(each.known.runs) if each.known.runs >= each.complete else f"{each.known.runs} of {each.complete}"


def give_or_take(known: Known) -> str:
    """``± 1.9 %``, with how the energy was come by where it was not measured."""
    if known.relative_half_width is None:
        return "no interval" if known.runs else "no figure"
    made_up = f" ({known.method})" if known.method in ("estimated", "simulated") else ""
    percent = 100 * known.relative_half_width
    return f"± {percent:.2g} %{made_up}" if percent < 99.5 else f"± {percent:,.0f} %{made_up}"
