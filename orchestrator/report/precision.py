"""How exactly the experiments of a campaign with ``until:`` are known, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from orchestrator.campaign.until import Until
from orchestrator.execution.precision import Known, Precision
from orchestrator.manifest.store import RunRow, Status
from orchestrator.report.counting import counted
from orchestrator.report.tables import Column, Table
from orchestrator.results.varied import varied_among
from runners.contract.request import Experiment

_MOST_NAMED = 10
_FEWER = "the other complete runs do not count: suspect, without the figure, unlike in environment or metering, or gone"


State = Literal["known", "goes on", "given up", "not known"]


class Progress(NamedTuple):
    """Where one experiment stands."""

    experiment_id: str
    known: Known
    state: State
    """``not known``: and not run further, as often as there may be; ``given up``: before that."""
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
        known, of_it = precision.of(experiment_id), spared[experiment_id]
        found.append(Progress(experiment_id, known, _state(known, count, of_it), of_it, complete[experiment_id]))
    return found


def _state(known: Known, left: int, spared: int) -> State:
    if known.enough:
        return "known"
    if (known.hopeless and (left or spared)) or (spared and not left and not known.runs):
        return "given up"
    return "goes on" if left else "not known"


def precision_table(until: Until, progress: Sequence[Progress], experiments: Mapping[str, Experiment]) -> Table:
    """A row an experiment, called by the parameters that were varied; by its id where these do not tell it.

    Args:
        until: what is to be known.
        progress: where each experiment stands.
        experiments: by their ids.
    """
    varied = varied_among(experiments.values())
    named = [[one.text(experiments[each.experiment_id]) for one in varied] for each in progress]
    told = len({tuple(name) for name in named}) == len(progress) and bool(varied)
    rows = [
        [
            *name,
            *([] if told else [each.experiment_id]),
            _counting(each),
            give_or_take(each.known),
            each.state,
            str(each.spared or ""),
        ]
        for name, each in zip(named, progress, strict=True)
    ]
    columns = [
        *(Column(one.title) for one in varied),
        *([] if told else [Column("experiment")]),
        Column("runs", True),
        Column("known to", True),
        Column("state"),
        Column("spared", True),
    ]
    notes = [f"given up: {each.experiment_id}: {_why(each)}" for each in progress if each.state == "given up"]
    fewer = any(each.known.runs < each.complete for each in progress if not each.known.hopeless)
    return Table(f"Repeated until {until}", columns, rows, [*notes[:_MOST_NAMED], *[_FEWER] * fewer])


def precision_lines(name: str, until: Until, progress: Sequence[Progress]) -> list[str]:
    """What came of it, once nothing more is run."""
    known = [each for each in progress if each.state == "known"]
    spared = sum(each.spared for each in progress)
    lines = [
        f"Known to ± {100 * until.relative_half_width:.3g} % in {until.metric}: {len(known):,} of"
        f" {counted(len(progress), 'experiment')}; {counted(spared, 'run')} not needed."
    ]
    given_up = [each for each in progress if each.state == "given up"]
    if given_up:
        lines.append("Given up, and not run further:")
        lines += [f"  {each.experiment_id}: {_why(each)}" for each in given_up[:_MOST_NAMED]]
        lines += _further(name, given_up)
        if any(each.known.hopeless for each in given_up):
            lines.append("  what could not be measured is tried again once its folders are gone from runs/")
    unsure = [each for each in progress if each.state == "not known"]
    if unsure:
        lines.append(f"Not known so exactly, and not run further ({until.max_cycles} cycles at most):")
        lines += [
            f"  {each.experiment_id}: {give_or_take(each.known)} from {_counting(each)}"
            f" {'run' if max(each.known.runs, each.complete) == 1 else 'runs'}"
            for each in unsure[:_MOST_NAMED]
        ]
        lines += _further(name, unsure)
        if any(each.known.runs < each.complete for each in unsure):
            lines.append(f"  {_FEWER}")
    return lines


def _why(each: Progress) -> str:
    return each.known.hopeless or (
        f"no run of {each.complete} complete ones tells it, and others failed" if each.complete else "its runs failed"
    )


def _further(name: str, named: Sequence[Progress]) -> list[str]:
    more = len(named) - _MOST_NAMED
    return [f"  … and {more:,} more: orchestrate status {name}"] if more > 0 else []


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
