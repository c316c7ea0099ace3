"""The sections to look around in: energy against latency, effects, power over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.analysis.effects import Effect, Level
from orchestrator.report.answers import Answers
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.wording import caveats
from orchestrator.report.counting import counted, some_of
from orchestrator.report.figures import ratio_range, ratio_text
from orchestrator.report.in_words import effect_name
from orchestrator.report.page.html import Html, dotted, element, name
from orchestrator.report.page.parts import MOST_ROWS, figure, section
from orchestrator.report.page.series import OpenedRun
from orchestrator.report.page.tables import Cell, Head, Row, figure_cell, headline, table
from orchestrator.report.standings import LATENCY, typical
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES


def front_section(answers: Answers, chart: Chart) -> Html:
    """What each configuration costs in the one to gain in the other."""
    assert answers.metric is not None
    both = (answers.metric.name, LATENCY)
    front = sorted(
        (one for one in answers.standings if one.on_front), key=lambda one: typical(one.summaries[LATENCY]) or 0.0
    )
    told = [caveats([one.summaries[metric].group for one in front], [QUANTITIES[metric]]) for metric in both]
    heads = [Head("Place", numeric=True), Head("Configuration")]
    heads += [
        Head(headline(QUANTITIES[metric]), ", ".join(filter(None, (QUANTITIES[metric].unit, of_all))), True)
        for metric, (of_all, _) in zip(both, told, strict=True)
    ]
    rows = [
        Row([
            Cell(one.place or "—", one.place, numeric=True),
            Cell(name(one.group.label), class_="named"),
            *(
                figure_cell(QUANTITIES[metric], typical(one.summaries[metric]), of_each[row] or None)
                for metric, (_, of_each) in zip(both, told, strict=True)
            ),
        ])
        for row, one in enumerate(front[:MOST_ROWS])
    ]  # fmt: skip
    return section(
        "latency",
        "What latency it comes at",
        figure(chart, "Typical values over cycles, each with its own 95\u00a0% intervals; a number is the place in the"
               " ranking, and the dashed line is the Pareto front."),
        table("front-table", "The Pareto front of typical values: of these, none is beaten in both by another",
              heads, rows, heading_column=1) if rows else None,
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
        figure(chart, "Each value beside the first of its parameter, with its 95\u00a0% interval."),
        table("effects-table", f"Ratio of the {answers.metric.quantity.title}{caveat}, the other parameters held even",
              heads, rows[:MOST_ROWS]),
    )  # fmt: skip


def _effect_row(effect: Effect, level: Level) -> Row:
    ratio = level.ratio
    return Row([
        Cell(dotted(effect_name(effect)), class_="parameter"),
        Cell(name(shown(level.value))),
        Cell(name(shown(effect.levels[0].value))),
        Cell(ratio_text(ratio.estimate) if ratio else "—", ratio.estimate if ratio else None, numeric=True),
        Cell(ratio_range(ratio), ratio.relative_half_width if ratio else None, numeric=True),
        Cell(level.runs, level.runs, numeric=True),
    ])  # fmt: skip


def power_section(answers: Answers, runs: Sequence[OpenedRun]) -> Html:
    """A run's power over time, for the run that is chosen."""
    chosen = f" The power of {some_of(len(runs), len(answers.frame), 'run')} is in this file." if len(runs) < len(
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
        element(
            "details",
            element("summary", "The phases as a table"),
            element("div", id="power-table", tabindex="0", role="region", aria_label="Power in each phase"),
            id="power-phases",
            hidden=True,
        ),
    )


def _options(runs: Sequence[OpenedRun]) -> Iterable[Html]:
    groups: dict[str, list[OpenedRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    for label, of_group in groups.items():
        options = (element("option", f"{label} · {run.title}", value=run.run_id) for run in of_group)
        yield element("optgroup", *options, label=f"{label} ({counted(len(of_group), 'run')})")
