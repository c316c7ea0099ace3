"""The section that ranks: every configuration with its figures and its place."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.interval import Interval
from orchestrator.report.answers import Answers
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.wording import caveats
from orchestrator.report.counting import percent
from orchestrator.report.figures import range_of
from orchestrator.report.in_words import place_of
from orchestrator.report.methods import methods
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.page.parts import MOST_ROWS, figure, section
from orchestrator.report.page.tables import Cell, Head, Row, figure_cell, headline, table
from orchestrator.report.standings import BESIDE, Standing, typical
from runners.contract.quantities import QUANTITIES


def ranking_section(answers: Answers, chart: Chart | None) -> Html:
    """Every configuration with its figures and its place."""
    shown_rows = answers.standings[:MOST_ROWS]
    metrics = list(dict.fromkeys((*([answers.metric.name] if answers.metric else []), *BESIDE)))
    heads = [Head("Place", numeric=True), Head("Configuration")]
    notes: list[list[str]] = []
    for metric in metrics:
        quantity = QUANTITIES[metric]
        of_all, of_each = caveats([one.summaries[metric].group for one in shown_rows], [quantity])
        notes.append(of_each)
        heads.append(Head(headline(quantity), _small(quantity.unit, of_all), True))
        if answers.metric and metric == answers.metric.name:
            heads += [Head("Interval", "95 %, of this one alone", True), Head("Standing")]
    heads += [Head("Cycles", numeric=True), Head("Left out")]
    rows = [_ranking_row(one, place, answers, metrics, notes) for place, one in enumerate(shown_rows)]
    more = len(answers.standings) - len(shown_rows)
    return section(
        "ranking",
        "Ranking",
        figure(chart, "Typical value over cycles, and its 95\u00a0% interval; the intervals hold all at once.")
        if chart
        else None,
        _how_ranked(answers),
        table("ranking-table", "Typical values over cycles" + _more(more, "configurations"), heads, rows,
              heading_column=1),
    )  # fmt: skip


def _small(unit: str, caveat: str) -> str:
    return ", ".join(filter(None, (unit, caveat)))


def _more(more: int, what: str) -> str:
    return f"; {more:,} more {what} are not shown: `orchestrate results export` has them" if more > 0 else ""


def _ranking_row(
    one: Standing, place: int, answers: Answers, metrics: Sequence[str], notes: Sequence[Sequence[str]]
) -> Row:
    cells = [
        Cell(one.place if one.place is not None else "—", one.place, numeric=True),
        Cell(name(one.group.label), class_="named"),
    ]
    for metric, caveat in zip(metrics, notes, strict=True):
        summary = one.summaries[metric]
        cells.append(figure_cell(QUANTITIES[metric], typical(summary), caveat[place] or None))
        if answers.metric and metric == answers.metric.name:
            interval = summary.interval
            cells.append(Cell(_interval(interval, metric), _relative(interval) if interval else None, numeric=True))
            cells.append(Cell(place_of(one, answers), class_="words"))
    ranked_by = answers.metric.name if answers.metric else metrics[0]
    cycles = one.summaries[ranked_by].cycles
    left_out = "; ".join(f"{left.runs} {left.reason}" for left in one.group.left_out)
    cells += [Cell(cycles, cycles, numeric=True), Cell(left_out or "—")]
    return Row(cells, "best" if one.place == 1 else None)


def _relative(interval: Interval) -> float | None:
    """Its relative half-width; None where it reaches 0, to which nothing is relative."""
    return interval.relative_half_width if interval.low > 0 else None


def _interval(interval: Interval | None, metric: str) -> Html:
    if interval is None:
        return joined("—")
    quantity = QUANTITIES[metric]
    width = _relative(interval)
    how = interval.method if width is None else f"± {percent(width)}, {interval.method}"
    return joined(range_of(quantity, interval), element("small", how))


def _how_ranked(answers: Answers) -> Html:
    said = methods(answers)
    if not said:
        return joined()
    items = (element("li", one) for one in said)
    return element(
        "details",
        element("summary", "How sure, and by which methods"),
        element("ul", *items, class_="plain"),
        class_="methods",
    )
