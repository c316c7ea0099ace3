"""The look of charts: two palettes under the same names, and how the parts of a chart use them.

A specification names its colours (``var(--chart-best)``), so that a page switches between light and dark, and prints,
by CSS alone. Each colour of a mark stands out from the surface by 3 to 1 (WCAG 2.2, 1.4.11), text by 4.5 to 1. Hue and
lightness of those that meet in one chart were searched for so that people tell them apart whatever their kind of colour
vision (simulated after Machado, Oliveira and Fernandes, 2009): a test holds them to it. No meaning rests on colour
alone: shapes and words repeat it.
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
        "best": "#0b5530",
        "tied": "#0a90e2",
        "rest": "#868b92",
        "fails": "#dc6606",
        "band": "#dfe6ee",
        "series-1": "#0548cc",
        "series-2": "#da6d14",
        "series-3": "#179a68",
        "series-4": "#c46eb3",
        "series-5": "#624507",
        "series-6": "#1b1f24",
    },
    "dark": {
        "surface": "#14181d",
        "ink": "#e8ebef",
        "soft": "#a8b1bc",
        "grid": "#2d343c",
        "best": "#3fdf93",
        "tied": "#3482da",
        "rest": "#bdc3ca",
        "fails": "#d35a10",
        "band": "#26303b",
        "series-1": "#4586ed",
        "series-2": "#cc5413",
        "series-3": "#3fdf93",
        "series-4": "#b0609a",
        "series-5": "#efc94a",
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
