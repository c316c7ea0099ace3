"""Parts that charts of intervals share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.report.charts.chart import POINTS, Spec
from orchestrator.report.charts.theme import colour

_ROW_PX: Final = 40
_LINE_PX: Final = 7
"""How far below the middle of its row an interval lies; its label stands above."""
_FAR: Final = 8.0
"""Figures further apart than this factor crowd at one end of an even axis."""
_FIGURES_PX: Final = 200
"""Kept free of labels for figures at the end of their line."""
_WIDE_PX: Final = 520
"""From this width on, a legend's entries stand side by side."""

Kinds = Mapping[str, tuple[str, str]]
"""What a mark may be, in words, with its colour's name and its shape."""


def kind_of_mark(kinds: Kinds, seen: Sequence[str]) -> dict[str, Any]:
    """Encodings of the field ``kind``, by colour and by shape, with one legend of those that occur."""
    named = [name for name in kinds if name in seen]
    legend = {
        "columns": {"expr": f"width < {_WIDE_PX} ? 1 : {max(len(named), 1)}"},
        "labelLimit": 0,
        "symbolOpacity": 1,
    }
    field = {"field": "kind", "type": "nominal", "legend": legend}
    return {
        "color": {**field, "scale": {"domain": named, "range": [colour(kinds[name][0]) for name in named]}},
        "shape": {**field, "scale": {"domain": named, "range": [kinds[name][1] for name in named]}},
    }


def interval_rows(
    rows: Sequence[Mapping[str, Any]],
    kinds: Kinds,
    across: Mapping[str, Any],
    tooltip: Sequence[Mapping[str, str]],
    behind: Sequence[Spec] = (),
) -> Spec:
    """A row each with its label above and its interval below, so that labels have the whole width on a phone, too.

    Args:
        rows: each has ``row``, ``label``, ``estimate``, ``low``, ``high`` and ``kind``; where there is room, its
            ``figures`` stand at the end of its line.
        kinds: of marks.
        across: scale, title and axis of the x-axis.
        tooltip: fields of the rows.
        behind: layers below these.
    """
    marked = kind_of_mark(kinds, [row["kind"] for row in rows])
    with_figures = any("figures" in row for row in rows)
    limit = {"expr": f"width < {_WIDE_PX} ? width - 6 : width - {_FIGURES_PX if with_figures else 6}"}
    shown = {"expr": f"width < {_WIDE_PX} ? 0 : 1"}
    figures = {
        "name": "figures",
        "mark": {"type": "text", "align": "right", "yOffset": -10, "opacity": shown, "aria": False},
        "encoding": {"text": {"field": "figures"}, "x": {"value": "width"}, "color": {"value": colour("soft")}},
    }
    return {
        "height": max(len(rows), 1) * _ROW_PX,
        "data": {"values": list(rows)},
        "encoding": {"y": {"field": "row", "type": "ordinal", "axis": None, "sort": "ascending"}},
        "layer": [
            *behind,
            {
                "name": "intervals",
                "mark": {"type": "rule", "strokeWidth": 2.5, "yOffset": _LINE_PX, "aria": False},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative", **across},
                    "x2": {"field": "high"},
                    "color": marked["color"],
                },
            },
            {
                "name": POINTS,
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1, "yOffset": _LINE_PX},
                "encoding": {
                    "x": {"field": "estimate", "type": "quantitative"},
                    **marked,
                    "tooltip": list(tooltip),
                },
            },
            {
                "name": "labels",
                "mark": {"type": "text", "align": "left", "yOffset": -10, "dx": 4, "limit": limit, "aria": False},
                "encoding": {"text": {"field": "label"}, "x": {"value": 0}},
            },
            *([figures] if with_figures else []),
        ],
    }


def figure_axis(title: str, figures: Sequence[float]) -> dict[str, Any]:
    """An axis for these figures, from about the least to about the most; logarithmic where they lie far apart."""
    ticks = {"tickCount": {"expr": "max(3, floor(width / 110))"}}
    if figures and min(figures) > 0 and max(figures) / min(figures) > _FAR:
        scale = {"type": "log", "nice": False, "padding": 20}
        return {"title": f"{title}, logarithmic", "scale": scale, "axis": {**ticks, "format": "~r"}}
    return {"title": title, "scale": {"zero": False}, "axis": ticks}
