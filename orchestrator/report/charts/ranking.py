"""Which configuration is best, and how surely: an interval a row, the best at the top."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.analysis.best import Best, Ranked
from orchestrator.report.charts.chart import POINTS, Chart, spec_of
from orchestrator.report.charts.theme import colour, config
from runners.contract.quantities import QUANTITIES, Quantity

MOST: Final = 40
"""Rows that are drawn: more of them nobody reads; the table has all."""
_ROW_PX: Final = 44
_STANDINGS: Final = {
    "best": ("best", "diamond"),
    "not told apart from the best": ("tied", "circle"),
    "told apart from the best": ("rest", "square"),
    "fails a condition": ("fails", "cross"),
    "not compared": ("rest", "stroke"),
}
"""Each with its colour and its shape."""


def ranking_chart(best: Best, most: int = MOST) -> Chart:
    """The candidates from the best down, each with its simultaneous interval.

    Args:
        best: of a metric.
        most: rows that are drawn; the description says how many are not.
    """
    quantity = QUANTITIES[best.metric]
    known = [one for one in best.ranking if one.interval is not None]
    rows = [_row(place, one, best, quantity) for place, one in enumerate(known[:most], 1)]
    title = f"{quantity.title.capitalize()}, {best.better} is better"
    description = _in_words(best, known, len(rows), quantity)
    return Chart("ranking", title, description, _spec(rows, quantity, description), len(rows))


def _row(place: int, one: Ranked, best: Best, quantity: Quantity) -> dict[str, Any]:
    interval = one.interval
    assert interval is not None
    return {
        "place": place,
        "label": f"{place} · {one.group.label}",
        "estimate": interval.estimate * quantity.scale,
        "low": interval.low * quantity.scale,
        "high": interval.high * quantity.scale,
        "standing": standing(one, best),
        "told": f"{quantity.show(interval.estimate)} {quantity.unit}".strip(),
        "between": f"{quantity.show(interval.low)} to {quantity.show(interval.high)}",
        "cycles": interval.count,
    }


def standing(one: Ranked, best: Best) -> str:
    """Where a candidate stands, in words."""
    if one.fails:
        return "fails a condition"
    if one is best.winner:
        return "best"
    if one.separable is None:
        return "not compared"
    return "told apart from the best" if one.separable else "not told apart from the best"


def _in_words(best: Best, known: list[Ranked], drawn: int, quantity: Quantity) -> str:
    if not known:
        return f"No configuration has an interval of {quantity.title}."
    said = [
        f"{quantity.title.capitalize()} of {len(known)} configurations, with {known[0].interval.level:.0%} intervals"
    ]  # type: ignore[union-attr]
    if drawn < len(known):
        said.append(f"the first {drawn} are drawn")
    if best.winner and best.winner.interval:
        said.append(f"best: {best.winner.group.label}, {quantity.show(best.winner.interval.estimate)} {quantity.unit}")
        tied = sum(one.separable is False for one in best.ranking)
        said.append(f"{tied} cannot be told apart from it" if tied else "all others are told apart from it")
    return "; ".join(said) + "."


def _spec(rows: list[dict[str, Any]], quantity: Quantity, description: str) -> dict[str, Any]:
    named = list(_STANDINGS)
    seen = [name for name in named if any(row["standing"] == name for row in rows)]
    across = {"type": "quantitative", "scale": {"zero": False, "nice": True}}
    unit = f" ({quantity.unit})" if quantity.unit else ""
    down = {"field": "place", "type": "ordinal", "axis": None, "sort": "ascending"}
    hue = {
        "field": "standing",
        "type": "nominal",
        "scale": {"domain": seen, "range": [colour(_STANDINGS[name][0]) for name in seen]},
    }
    shape = {**hue, "scale": {"domain": seen, "range": [_STANDINGS[name][1] for name in seen]}}
    tooltip = [
        {"field": "label", "title": "configuration"},
        {"field": "told", "title": quantity.title},
        {"field": "between", "title": "interval"},
        {"field": "cycles", "title": "cycles"},
        {"field": "standing", "title": "standing"},
    ]
    return spec_of(
        description,
        height={"step": _ROW_PX},
        data={"values": rows},
        encoding={"y": down},
        layer=[
            {
                "name": "intervals",
                "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.65, "yOffset": 8, "aria": False},
                "encoding": {
                    "x": {**across, "field": "low", "title": f"{quantity.title}{unit}"},
                    "x2": {"field": "high"},
                    "color": {**hue, "legend": None},
                },
            },
            {
                "name": POINTS,
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1, "yOffset": 8},
                "encoding": {
                    "x": {**across, "field": "estimate"},
                    "color": hue,
                    "shape": shape,
                    "tooltip": tooltip,
                },
            },
            {
                "name": "labels",
                "mark": {
                    "type": "text",
                    "align": "left",
                    "baseline": "middle",
                    "yOffset": -10,
                    "limit": {"expr": "width"},
                },
                "encoding": {"text": {"field": "label"}, "x": {"value": 0}},
            },
        ],
        config=config(),
    )
