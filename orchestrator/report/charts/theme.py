"""The look of charts: two palettes under the same names, and how the parts of a chart use them.

A specification names its colours (``var(--chart-best)``), so that a page switches between light and dark, and prints,
by CSS alone. The hues are those of Okabe and Ito (2008), "Color universal design", which people tell apart whatever
their kind of colour vision; they are darkened or lightened until each stands out from the surface by 3 to 1 (WCAG 2.2,
1.4.11), and text by 4.5 to 1. No meaning rests on colour alone: shapes and words repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

Theme = Literal["light", "dark"]

FONT: Final = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif"
PALETTES: Final[Mapping[Theme, Mapping[str, str]]] = {
    "light": {
        "surface": "#ffffff",
        "ink": "#1b1f24",
        "soft": "#57606a",
        "grid": "#e4e7eb",
        "best": "#00704f",
        "tied": "#0072b2",
        "rest": "#6b7480",
        "fails": "#b54a00",
        "band": "#dfe6ee",
        "series-1": "#0072b2",
        "series-2": "#b54a00",
        "series-3": "#00805b",
        "series-4": "#a3457f",
        "series-5": "#8a6100",
        "series-6": "#1b1f24",
    },
    "dark": {
        "surface": "#14181d",
        "ink": "#e8ebef",
        "soft": "#a8b1bc",
        "grid": "#2d343c",
        "best": "#35c99a",
        "tied": "#5cb8ee",
        "rest": "#8d97a3",
        "fails": "#f2813a",
        "band": "#26303b",
        "series-1": "#5cb8ee",
        "series-2": "#f2813a",
        "series-3": "#35c99a",
        "series-4": "#dd8dbe",
        "series-5": "#e0b03f",
        "series-6": "#e8ebef",
    },
}
"""The same names in both: ``surface`` lies behind a chart, ``ink`` and ``soft`` are text, ``band`` marks a stretch."""
SERIES: Final = tuple(f"var(--chart-series-{number})" for number in range(1, 7))

_NAMED = re.compile(r"var\(--chart-([a-z0-9-]+)\)")


def colour(name: str) -> str:
    """A colour by its name, as CSS."""
    return f"var(--chart-{name})"


def css_variables(theme: Theme) -> str:
    """The palette as CSS declarations, for a rule of the page."""
    return "".join(f"--chart-{name}:{value};" for name, value in PALETTES[theme].items())


def resolved(spec: Any, theme: Theme) -> Any:
    """A specification with the colours themselves, for what knows no CSS."""
    if isinstance(spec, dict):
        return {key: resolved(value, theme) for key, value in spec.items()}
    if isinstance(spec, list):
        return [resolved(value, theme) for value in spec]
    if isinstance(spec, str) and (named := _NAMED.fullmatch(spec)):
        return PALETTES[theme][named[1]]
    return spec


def config() -> dict[str, Any]:
    """Vega-Lite's configuration that all charts share."""
    text = {"labelColor": colour("soft"), "titleColor": colour("ink"), "labelFontSize": 12, "titleFontSize": 13}
    return {
        "font": FONT,
        "background": None,
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": colour("grid"),
            "domainColor": colour("soft"),
            "tickColor": colour("soft"),
            "labelOverlap": True,
            "labelFlush": True,
        },
        "legend": {**text, "title": None, "orient": "top", "direction": "horizontal", "symbolSize": 90, "offset": 18},
        "text": {"color": colour("ink"), "fontSize": 12},
        "rule": {"color": colour("soft")},
    }
