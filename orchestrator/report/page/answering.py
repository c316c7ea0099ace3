"""The section that answers in short, and the charts of the page."""

from __future__ import annotations

from orchestrator.report.answers import Answers
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.effects import effects_chart
from orchestrator.report.charts.front import Spot, front_chart
from orchestrator.report.charts.ranking import ranking_chart
from orchestrator.report.in_words import in_short
from orchestrator.report.page.headline import headline_figures
from orchestrator.report.page.html import Html, element
from orchestrator.report.page.parts import section, sentence
from orchestrator.report.standings import LATENCY
from orchestrator.report.trust import trust


def short_section(answers: Answers) -> Html:
    """The answer in figures and in sentences, and what to know before relying on it."""
    known = trust(answers)
    figures = headline_figures(answers)
    said = element("ul", *(element("li", sentence(one)) for one in in_short(answers)), class_="short")
    caution = element(
        "div",
        element("h3", "Before relying on it"),
        element("ul", *(element("li", sentence(one)) for one in known), class_="plain"),
        class_="caution",
    )
    return section(
        "in-short",
        "In short",
        figures,
        element("div", said, caution if known else None, class_="said" if figures else "said alone"),
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
            if one.candidate
        ]))  # fmt: skip
    if answers.effects:
        charts.append(effects_chart(answers.effects, answers.metric.name, answers.metric.caveat or ""))
    return charts
