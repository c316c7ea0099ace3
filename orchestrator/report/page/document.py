"""The whole page: its head, its sections, its data and its scripts."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from orchestrator.report.answers import Answers
from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.power import power_spec
from orchestrator.report.charts.script import chart_script
from orchestrator.report.charts.theme import css_variables
from orchestrator.report.counting import counted
from orchestrator.report.in_words import banner
from orchestrator.report.page.answering import charts_of, short_section
from orchestrator.report.page.background import environment_section, repeat_section
from orchestrator.report.page.exploring import effects_section, front_section, power_section
from orchestrator.report.page.faults import checks_section, left_out_section, messages_section
from orchestrator.report.page.html import Html, element, inline_script, json_island, name
from orchestrator.report.page.ranking import ranking_section
from orchestrator.report.page.runs import runs_section
from orchestrator.report.page.series import OpenedRun, deflated, opened_runs

_LICENCES: Final = (
    "/* Vega, Vega-Lite, Vega-Embed, Vega-Tooltip: (c) University of Washington Interactive Data Lab and contributors,"
    " BSD-3-Clause; D3: (c) Mike Bostock, ISC. */\n"
)


def as_html(answers: Answers) -> str:
    """The report as one file that needs nothing else and asks nobody for anything."""
    charts = {chart.id: chart for chart in charts_of(answers)}
    runs = opened_runs(answers)
    sections = _sections(answers, charts, runs)
    drawing = charts or runs
    drawer = _LICENCES + chart_script() if drawing else None
    code = _asset("page.js")
    style = _style()
    body = element(
        "body",
        element("a", "To the answers", class_="skip", href="#main"),
        _header(answers),
        _navigation([(identity, title) for identity, title, _ in sections]),
        element("main", *(content for _, _, content in sections), id="main"),
        _footer(answers),
        json_island("charts", {chart.id: chart.spec for chart in charts.values() if chart.marks}),
        json_island("series", {run.run_id: run.data for run in runs}) if runs else None,
        json_island("power-spec", power_spec()) if runs else None,
        json_island("chart-script", deflated(drawer)) if drawer else None,
        inline_script(code),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta", http_equiv="Content-Security-Policy", content=_policy([code, *([drawer] if drawer else [])], style)
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"orchestrate {answers.version}"),
        element("link", rel="icon", href="data:,"),
        element("title", f"{answers.campaign}: answers"),
        element("style", Html(style)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _sections(answers: Answers, charts: dict[str, Chart], runs: list[OpenedRun]) -> list[tuple[str, str, Html]]:
    """Each section with its id and its short title; those that have nothing to say are left out."""
    found = [("in-short", "In short", short_section(answers))]
    if answers.standings:
        found.append(("ranking", "Ranking", ranking_section(answers, charts.get("ranking"))))
    if "front" in charts and charts["front"].marks:
        found.append(("latency", "Against latency", front_section(answers, charts["front"])))
    if "effects" in charts:
        found.append(("effects", "Effects", effects_section(answers, charts["effects"])))
    if runs:
        found.append(("power-over-time", "Power", power_section(answers, runs)))
    found.append(("checks", "Checks", checks_section(answers)))
    if answers.messages:
        found.append(("messages", "Messages", messages_section(answers)))
    found += [
        ("left-out", "Left out", left_out_section(answers)),
        ("runs", "Runs", runs_section(answers, {run.run_id for run in runs})),
        ("environment", "Environment", environment_section(answers)),
        ("repeat", "Repeat", repeat_section(answers)),
    ]
    return found


def _header(answers: Answers) -> Html:
    frame = answers.frame
    facts = [counted(len(frame), "run"), counted(int(frame["cycle"].nunique()), "cycle")]
    facts += [counted(len(answers.standings), "configuration")]
    named = [name(", ".join(map(str, frame[column].unique()[:5]))) for column in ("backend", "model") if len(frame)]
    caveat = answers.metric.caveat if answers.metric else None
    return element(
        "header",
        element("h1", name(answers.campaign)),
        element("p", " · ".join(facts), *(part for one in named for part in (" · ", one)), class_="about"),
        element("p", banner(caveat), class_="banner", role="note") if caveat else None,
    )


def _navigation(sections: list[tuple[str, str]]) -> Html:
    links = (element("li", element("a", title, href=f"#{identity}")) for identity, title in sections)
    return element("nav", element("ul", *links), aria_label="Sections")


def _footer(answers: Answers) -> Html:
    made = f"{answers.made_at:%Y-%m-%d %H:%M} UTC"
    return element("footer", f"Made {made} by orchestrate {answers.version}. This file holds all it shows.")


def _style() -> str:
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {css_variables('dark')} }} }}"
    return f":root {{ {css_variables('light')} }}\n{dark}\n{_asset('page.css')}"


def _policy(scripts: list[str], style: str) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; base-uri 'none';"
        " form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _asset(file_name: str) -> str:
    return files("orchestrator.report.page").joinpath(file_name).read_text(encoding="utf-8")
