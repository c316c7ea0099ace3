"""The sections that answer: in short, the ranking, energy against latency, effects, power over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.analysis.effects import Effect, Level
from orchestrator.analysis.interval import Interval, Method
from orchestrator.report.answers import BESIDE, LATENCY, Answers, Standing, typical
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.effects import effects_chart
from orchestrator.report.charts.front import Spot, front_chart
from orchestrator.report.charts.ranking import ranking_chart, standing
from orchestrator.report.charts.wording import caveats
from orchestrator.report.counting import counted, percent
from orchestrator.report.in_words import Name, Sentence, effect_name, in_short, trust
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.page.series import OpenedRun
from orchestrator.report.page.tables import Cell, Head, Row, figure_cell, headline, table
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES

MOST_ROWS: Final = 1000
"""Of a table: a browser sorts as many at once."""
METHODS: Final[dict[Method, str]] = {
    "log-t": "Student's t on the logarithms of the cycles' values",
    "sequential log-t": "Student's t on the logarithms, wider since cycles were added until it was narrow enough",
    "t": "Student's t on the cycles' values",
    "bca": "bootstrap over cycles, bias-corrected and accelerated (BCa)",
}


def section(identity: str, title: str, *children: object) -> Html:
    """A section of the page, which its navigation leads to."""
    heading = f"{identity}-title"
    return element("section", element("h2", title, id=heading), *children, id=identity, aria_labelledby=heading)


def sentence(parts: Sentence) -> Html:
    """A sentence with its names kept apart."""
    return joined(*(name(part.text) if isinstance(part, Name) else _prose(part) for part in parts))


def _prose(part: str) -> Html:
    """What stands between backticks is code."""
    pieces = part.split("`")
    return joined(*(element("code", piece) if place % 2 else piece for place, piece in enumerate(pieces)))


def figure(chart: Chart) -> Html:
    """A chart, drawn by the page's script; in words for whoever does not see it."""
    if not chart.marks:
        return element("p", chart.description, class_="soft")
    return element(
        "figure",
        element("figcaption", chart.title),
        element("div", class_="chart", data_chart=chart.id),
        element("details", element("summary", "The chart in words"), element("p", chart.description)),
    )


def short_section(answers: Answers) -> Html:
    """The answer in sentences, and what to know before relying on it."""
    known = trust(answers)
    return section(
        "in-short",
        "In short",
        element("ul", *(element("li", sentence(one)) for one in in_short(answers)), class_="short"),
        element("h3", "Before relying on it") if known else None,
        element("ul", *(element("li", sentence(one)) for one in known), class_="plain") if known else None,
    )


def charts_of(answers: Answers) -> list[Chart]:
    """The charts of the page that can be drawn, the main one first."""
    if answers.metric is None or answers.best is None:
        return []
    charts = [ranking_chart(answers.best)]
    if answers.metric.name != LATENCY:
        charts.append(front_chart([
            Spot(one.summaries[LATENCY], one.summaries[answers.metric.name], bool(one.on_front), one.place)
            for one in answers.standings
            if one.ranked is not None
        ]))  # fmt: skip
    if answers.effects:
        charts.append(effects_chart(answers.effects, answers.metric.name, answers.metric.caveat or ""))
    return charts


def ranking_section(answers: Answers, chart: Chart | None) -> Html:
    """Every configuration with its figures and its place."""
    shown_rows = answers.standings[:MOST_ROWS]
    metrics = list(dict.fromkeys((*([answers.metric.name] if answers.metric else []), *BESIDE)))
    heads = [Head("Place", numeric=True), Head("Configuration")]
    notes: list[list[str]] = []
    for metric in metrics:
        quantity = QUANTITIES[metric]
        of_all, of_each = caveats([one.group for one in shown_rows], [quantity])
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
        figure(chart) if chart else None,
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
            cells.append(
                Cell(_interval(interval, metric), interval.relative_half_width if interval else None, numeric=True)
            )
            cells.append(Cell(_standing(one, answers), class_="words"))
    ranked_by = answers.metric.name if answers.metric else metrics[0]
    cycles = one.summaries[ranked_by].cycles
    left_out = "; ".join(f"{left.runs} {left.reason}" for left in one.group.left_out)
    cells += [Cell(cycles, cycles, numeric=True), Cell(left_out or "—")]
    return Row(cells, "best" if one.place == 1 else None)


def _interval(interval: Interval | None, metric: str) -> Html:
    if interval is None:
        return joined("—")
    quantity = QUANTITIES[metric]
    return joined(
        f"{quantity.show(interval.low)} to {quantity.show(interval.high)}",
        element("small", f"± {percent(interval.relative_half_width)}, {interval.method}"),
    )


def _standing(one: Standing, answers: Answers) -> str:
    if one.ranked is None or answers.best is None:
        return "not ranked"
    if one.ranked.fails:
        return "fails " + "; ".join(one.ranked.fails)
    if one.ranked.interval is None:
        return "not ranked: fewer than two cycles"
    return standing(one.ranked, answers.best)


def _how_ranked(answers: Answers) -> Html:
    said = []
    if answers.best:
        said.append(
            f"What may be best, and what is told apart: {answers.best.method}. Bars of the chart hold all at once, so"
            " also for whichever turns out best; intervals of the table are each of one configuration."
        )
    methods = {
        summary.interval.method
        for one in answers.standings
        if answers.metric and (summary := one.summaries[answers.metric.name]).interval
    }
    said += [f"{method}: {METHODS[method]}." for method in sorted(methods)]
    bounds = [_meter_bound(one, answers) for one in answers.standings]
    if widest := max((bound for bound in bounds if bound is not None), default=None):
        said.append(
            f"Intervals tell of the spread between cycles. By the meters' own bounds, any figure may be off by up to"
            f" {percent(widest)} besides, which no repetition makes less."
        )
    if not said:
        return joined()
    items = (element("li", one) for one in said)
    return element(
        "details", element("summary", "How sure, and by which methods"), element("ul", *items, class_="plain")
    )


def _meter_bound(one: Standing, answers: Answers) -> float | None:
    if answers.metric is None:
        return None
    summary = one.summaries[answers.metric.name]
    if summary.meter_low is None or summary.meter_high is None:
        return None
    return max(1 - summary.meter_low, summary.meter_high - 1)


def front_section(answers: Answers, chart: Chart) -> Html:
    """What each configuration costs in the one to gain in the other."""
    assert answers.metric is not None
    both = (answers.metric.name, LATENCY)
    front = sorted(
        (one for one in answers.standings if one.on_front), key=lambda one: typical(one.summaries[LATENCY]) or 0.0
    )
    heads = [Head("Place", numeric=True), Head("Configuration")]
    heads += [Head(headline(QUANTITIES[metric]), QUANTITIES[metric].unit, True) for metric in both]
    rows = [
        Row([
            Cell(one.place or "—", one.place, numeric=True),
            Cell(name(one.group.label), class_="named"),
            *(figure_cell(QUANTITIES[metric], typical(one.summaries[metric])) for metric in both),
        ])
        for one in front[:MOST_ROWS]
    ]  # fmt: skip
    return section(
        "latency",
        f"{headline(answers.metric.quantity)} against latency",
        figure(chart),
        table("front-table", "The Pareto front: of these, none is beaten in both by another", heads, rows,
              heading_column=1) if rows else None,
    )  # fmt: skip


def effects_section(answers: Answers, chart: Chart) -> Html:
    """What each parameter does."""
    assert answers.metric is not None
    heads = [Head("Parameter"), Head("Value"), Head("Beside"), Head("Ratio", "of the typical values", True)]
    heads += [Head("Interval", "95 %", True), Head("Runs", numeric=True)]
    rows = [_effect_row(effect, level) for effect in answers.effects for level in effect.levels[1:]]
    caveat = f" ({answers.metric.caveat})" if answers.metric.caveat else ""
    return section(
        "effects",
        "What each parameter does",
        figure(chart),
        table("effects-table", f"Ratio of the {answers.metric.quantity.title}{caveat}, the other parameters held even",
              heads, rows[:MOST_ROWS]),
    )  # fmt: skip


def _effect_row(effect: Effect, level: Level) -> Row:
    ratio = level.ratio
    between = f"{ratio.low:.3g} to {ratio.high:.3g}" if ratio else "—"
    return Row([
        Cell(name(effect_name(effect))),
        Cell(name(shown(level.value))),
        Cell(name(shown(effect.levels[0].value))),
        Cell(f"{ratio.estimate:.3g}" if ratio else "—", ratio.estimate if ratio else None, numeric=True),
        Cell(between, ratio.relative_half_width if ratio else None, numeric=True),
        Cell(level.runs, level.runs, numeric=True),
    ])  # fmt: skip


def power_section(answers: Answers, runs: Sequence[OpenedRun]) -> Html:
    """A run's power over time, for the run that is chosen."""
    chosen = f" The power of {len(runs):,} of {len(answers.frame):,} runs is in this file." if len(runs) < len(
        answers.frame) else ""  # fmt: skip
    return section(
        "power-over-time",
        "Power over time",
        element("p", f"As it was recorded, with the phases of the run.{chosen}", class_="soft"),
        element("noscript", element("p", "These charts need JavaScript; the other sections do not.")),
        element(
            "div",
            element("label", "Run", for_="power-run"),
            element("select", *_options(runs), id="power-run"),
            element("button", "Previous", type="button", id="power-before"),
            element("button", "Next", type="button", id="power-after"),
            class_="picker",
            hidden=True,
        ),
        element(
            "figure",
            element("figcaption", "", id="power-title", dir="auto"),
            element("p", "", id="power-facts", class_="soft", aria_live="polite"),
            element("div", class_="chart", data_chart="power"),
        ),
    )


def _options(runs: Sequence[OpenedRun]) -> Iterable[Html]:
    groups: dict[str, list[OpenedRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    for label, of_group in groups.items():
        options = (element("option", f"{label} · {run.title}", value=run.run_id) for run in of_group)
        yield element("optgroup", *options, label=f"{label} ({counted(len(of_group), 'run')})")
