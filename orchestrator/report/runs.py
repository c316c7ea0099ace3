"""Every complete run of a campaign as a table: a row a run."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.counting import some_of
from orchestrator.report.notes import columns_of_frame, notes_on
from orchestrator.report.tables import QUEUE, Column, Table, heading, headlines
from orchestrator.results.columns import texts_of
from orchestrator.results.table import RunTable
from orchestrator.results.varied import varied_parameters
from runners.contract.paths import short_run_id
from runners.contract.quantities import QUANTITIES


def run_list(table: RunTable, metrics: Sequence[str] = ()) -> Table:
    """Every complete run of a campaign: a row a run, in the order they ran.

    Args:
        table: of the campaign.
        metrics: the quantities to show; empty: the headline figures.
    """
    frame = table.frame
    varied = varied_parameters(frame, table.parameters) if len(frame) else []
    figures = list(metrics) or headlines(queued=bool(frame[QUEUE].notna().any()))
    runs = [short_run_id(*run) for run in zip(frame["experiment_id"], frame["cycle"].tolist(), strict=True)]
    cells = [runs, *(texts_of(frame, parameter.name) for parameter in varied)]
    cells += [_figures(name, frame[name].tolist()) for name in figures]
    cells.append([method or "—" for method in frame["energy_method"]])
    cells.append(
        [
            f"{verdict}, retired" if gone else verdict
            for verdict, gone in zip(frame["verdict"], frame["retired"], strict=True)
        ]
    )
    notes = notes_on(columns_of_frame(frame))
    if retired := int(frame["retired"].sum()):
        notes.append(f"{some_of(retired, len(frame), 'run')} retired: no longer in the campaign's file")
    columns = [Column("run"), *(Column(parameter.title) for parameter in varied)]
    columns += [Column(heading(name), True) for name in figures]
    columns += [Column("method"), Column("verdict")]
    return Table(table.campaign, columns, list(zip(*cells, strict=True)), notes)


def _figures(name: str, values: Sequence[float]) -> list[str]:
    show = QUANTITIES[name].show
    texts = {value: show(value) for value in set(values) if value == value}
    missing = show(None)
    return [texts.get(value, missing) for value in values]
