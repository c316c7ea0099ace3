"""What sections of the page are made of. Pure."""

from __future__ import annotations

from typing import Final

from orchestrator.report.charts.chart import Chart
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.sentences import Name, Sentence

MOST_ROWS: Final = 1000
"""Of a table: a browser sorts as many at once."""


def section(identity: str, title: str, *children: object) -> Html:
    """A section of the page, which its navigation leads to."""
    heading = f"{identity}-title"
    return element("section", element("h2", title, id=heading), *children, id=identity, aria_labelledby=heading)


def sentence(parts: Sentence) -> Html:
    """A sentence with its names kept apart."""
    return joined(*(name(part.text) if isinstance(part, Name) else _prose(part) for part in parts))


def _prose(part: str) -> Html:
    """What stands between backticks is code; a per cent sign stays with its number."""
    pieces = part.replace(" %", "\u00a0%").split("`")
    return joined(*(element("code", piece) if place % 2 else piece for place, piece in enumerate(pieces)))


def figure(chart: Chart, note: str | None = None) -> Html:
    """A chart, drawn by the page's script; in words for whoever does not see it.

    Args:
        chart: what is drawn.
        note: what its marks stand for.
    """
    if not chart.marks:
        return element("p", chart.description, class_="soft")
    return element(
        "figure",
        element("figcaption", chart.title),
        element("p", note, class_="soft") if note else None,
        element("div", class_="chart", data_chart=chart.id),
        element("details", element("summary", "The chart in words"), element("p", chart.description)),
    )
