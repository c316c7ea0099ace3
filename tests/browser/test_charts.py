"""Charts as a browser draws them, in a page that forbids evaluation and every network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pytest

from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.script import chart_script
from orchestrator.report.charts.theme import PALETTES, css_variables
from tests.browser.conftest import Opener
from tests.browser.watched import DESKTOP_PX, PHONE_PX
from tests.unit.report.charts.examples import HOSTILE, all_charts, bare_charts

_DRAW = """
for (const place of document.querySelectorAll("[data-chart]")) {
  const spec = JSON.parse(document.getElementById("spec-" + place.dataset.chart).textContent);
  drawChart(place, spec).then(() => { place.dataset.drawn = ""; });
}
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.fixture(scope="session")
def script() -> str:
    return chart_script()


@pytest.fixture
def page(script: str, tmp_path: Path) -> Path:
    return _written(all_charts(), script, tmp_path / "charts.html")


def _written(charts: Sequence[Chart], script: str, file: Path) -> Path:
    figures = "".join(_figure(chart) for chart in charts)
    style = f":root{{{css_variables('light')}}}@media (prefers-color-scheme:dark){{:root{{{css_variables('dark')}}}}}"
    style += "body{background:var(--chart-surface);color:var(--chart-ink);margin:16px}"
    style += "figure{margin:0}[data-chart]{width:100%}"
    policy = f"default-src 'none'; script-src {_hash(script)} {_hash(_DRAW)}; style-src {_hash(style)}"
    file.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Charts</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        f"<body><main><h1>Charts</h1>{figures}</main><script>{script}</script><script>{_DRAW}</script></body></html>",
        encoding="utf-8",
    )
    return file


def _figure(chart: Chart) -> str:
    spec = json.dumps(chart.spec).replace("<", "\\u003c")
    return (
        f'<h2>{escape(chart.title)}</h2><figure><div data-chart="{chart.id}"></div></figure>'
        f'<script type="application/json" id="spec-{chart.id}">{spec}</script>'
    )


@pytest.mark.parametrize("width_px", [PHONE_PX, DESKTOP_PX])
def test_each_chart_is_drawn_with_its_marks_and_stays_within_the_window(
    page: Path, width_px: int, opened: Opener
) -> None:
    with opened(page, width_px=width_px) as seen:
        for chart in all_charts():
            seen.drawn(chart.id)
            assert seen.marks(chart.id) == chart.marks > 0
        assert seen.sideways() == 0
        widths = seen.page.evaluate("[...document.querySelectorAll('[data-chart] svg')].map(one => one.clientWidth)")
        assert all(0.8 * width_px < width <= width_px - 32 for width in widths)


def test_charts_of_little_are_drawn_without_a_word(script: str, tmp_path: Path, opened: Opener) -> None:
    charts = bare_charts()
    with opened(_written(charts, script, tmp_path / "bare.html")) as seen:
        for chart in charts:
            seen.drawn(chart.id)
            assert seen.marks(chart.id) == chart.marks > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing(page: Path, scheme: str, opened: Opener) -> None:
    with opened(page, scheme=scheme) as seen:
        for chart in all_charts():
            seen.drawn(chart.id)
        assert seen.violations() == []


def test_colours_follow_the_theme_without_drawing_anew(page: Path, opened: Opener) -> None:
    fill = "getComputedStyle(document.querySelector('[data-chart=ranking] g.points_marks path')).fill"
    with opened(page) as seen:
        seen.drawn("ranking")
        assert seen.page.evaluate(fill) == _rgb(PALETTES["light"]["best"])
        seen.page.emulate_media(color_scheme="dark")
        assert seen.page.evaluate(fill) == _rgb(PALETTES["dark"]["best"])


def test_every_chart_says_in_words_what_it_shows(page: Path, opened: Opener) -> None:
    with opened(page) as seen:
        for chart in all_charts():
            seen.drawn(chart.id)
            assert seen.page.locator(f"[data-chart={chart.id}]").get_attribute("aria-label") == chart.description


def test_names_are_text_in_the_chart_and_in_its_tooltip(page: Path, opened: Opener) -> None:
    with opened(page) as seen:
        seen.drawn("ranking")
        ranking = seen.page.locator("[data-chart=ranking]")
        assert HOSTILE in (ranking.locator("svg").text_content() or "")
        ranking.locator("g.points_marks path").nth(1).hover()
        tooltip = seen.page.locator("#vg-tooltip-element.visible")
        tooltip.wait_for()
        assert HOSTILE in tooltip.inner_text()
        assert seen.page.locator("img").count() == 0


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"
