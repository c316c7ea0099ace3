"""The section of every run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from orchestrator.report.answers import Answers
from orchestrator.report.page.html import Html, dotted, element, listed, name
from orchestrator.report.page.parts import MOST_ROWS, section
from orchestrator.report.page.tables import Cell, Head, Row, figure_cell, headline, table
from runners.contract.paths import short_run_id
from runners.contract.quantities import QUANTITIES

_FIGURES: Final = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50", "memory_peak_bytes")


def runs_section(answers: Answers, openable: Collection[str]) -> Html:
    """Every run with its headline figures."""
    frame = answers.table.frame
    heads = [Head("Run"), Head("Configuration"), Head("Cycle", numeric=True)]
    heads += [Head(headline(QUANTITIES[figure]), QUANTITIES[figure].unit, True) for figure in _FIGURES]
    heads += [Head("Energy", "how it is known"), Head("Verdict"), Head("Failed checks")]
    heads += [Head("Power", still=True)] if openable else []
    rows = []
    columns = ["run_id", "experiment_id", "cycle", "energy_method", "verdict", "failed_checks", "retired", *_FIGURES]
    for run, identity, cycle, method, verdict, failed, retired, *figures in (
        frame[columns].head(MOST_ROWS).itertuples(index=False, name=None)
    ):
        cells = [Cell(element("code", short_run_id(identity, cycle))), Cell(name(answers.labels[run]), class_="named")]
        cells.append(Cell(cycle, cycle, numeric=True))
        cells += [
            figure_cell(QUANTITIES[figure], None if value != value else value)
            for figure, value in zip(_FIGURES, figures, strict=True)
        ]
        judged = f"{verdict}, retired" if retired else verdict
        cells += [Cell(method if isinstance(method, str) else "not measured")]
        cells += [
            Cell(judged, class_="failed" if verdict != "good" else None),
            Cell(listed([dotted(check) for check in failed.split()], " ") if failed else "—", class_="words"),
        ]
        if openable:
            cells.append(Cell(_opener(run, identity, cycle) if run in openable else ""))
        rows.append(Row(cells))
    more = len(frame) - len(rows)
    shown = f"; the first {len(rows):,} of {len(frame):,}: `orchestrate results export` has all" if more else ""
    return section(
        "runs",
        "Every run",
        table("runs-table", f"In the order they ran{shown}", heads, rows)
        if rows
        else element("p", "No run is complete."),
    )


def _opener(run: str, identity: str, cycle: int) -> Html:
    label = f"Power of {short_run_id(identity, cycle)}"
    return element("button", "Show", type="button", class_="plainly power-button", data_run=run, aria_label=label,
                   hidden=True)  # fmt: skip
