"""Energy against latency: what each configuration costs in the one to gain in the other, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.analysis.summary import Summary
from orchestrator.report.charts.chart import POINTS, Chart, spec_of
from orchestrator.report.charts.parts import Kinds, figure_axis, kind_of_mark
from orchestrator.report.charts.theme import colour, config
from orchestrator.report.charts.wording import axis_title, caveats, labelled, sentence, told
from runners.contract.quantities import QUANTITIES, Quantity

MOST: Final = 600
"""Points that are drawn: those of the front first."""
_HEIGHT_PX: Final = 380
_TICKS_UP: Final = 8
_CROSSED: Final = 100
"""Points that all have their intervals across them; among more of them, only those of the front have."""
_NAMED: Final = 12
"""Points of the front that have their number beside them; with more of them these cover one another."""
_KINDS: Final[Kinds] = {
    "on the front: none is better in both": ("best", "diamond"),
    "another is better in both": ("rest", "circle"),
}
_ON, _OFF = _KINDS
_SIDES: Final = ("before", "after")
"""Of its mark, where a number stands: neighbours on the front have theirs on either side."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A configuration in the plane of two quantities, both of the same group."""

    x: Summary
    y: Summary
    on_front: bool
    """No other is better in one of the two and as good in the other."""
    number: int | None = None
    """Its place in the ranking."""


def front_chart(spots: Sequence[Spot], most: int = MOST) -> Chart:
    """Where configurations lie between two quantities, with the intervals of both and the front as steps.

    Args:
        spots: all of the same two quantities; those that lack one of them are counted, not drawn.
        most: points that are drawn; the description says how many are not.
    """
    known = [spot for spot in spots if estimate_of(spot.x) is not None and estimate_of(spot.y) is not None]
    drawn = sorted(known, key=lambda spot: not spot.on_front)[:most]
    if not drawn:
        description = "No configuration has both quantities."
        return Chart("front", "Energy against latency", description, _spec([], [], "", "", description), 0)
    x, y = QUANTITIES[drawn[0].x.metric], QUANTITIES[drawn[0].y.metric]
    of_all, of_each = caveats([spot.x.group for spot in drawn], [x, y])
    rows = [_row(spot, caveat, x, y) for spot, caveat in zip(drawn, of_each, strict=True)]
    for place, row in enumerate(sorted((row for row in rows if row["kind"] == _ON), key=lambda row: row["x"])):
        row["side"] = _SIDES[place % 2]
    title = labelled(f"{sentence(y.title)} against {x.title}", of_all)
    description = _in_words(rows, len(known), len(spots) - len(known), x, y, title)
    spec = _spec(rows, _steps(rows, x, y), axis_title(x), axis_title(y, of_all), description)
    return Chart("front", title, description, spec, len(rows))


def estimate_of(summary: Summary) -> float | None:
    """The typical value; of too few cycles for an interval, their mean."""
    return summary.interval.estimate if summary.interval else summary.mean


def _row(spot: Spot, caveat: str, x: Quantity, y: Quantity) -> dict[str, Any]:
    number = f"{spot.number} · " if spot.number is not None else ""
    row: dict[str, Any] = {
        "label": labelled(f"{number}{spot.x.group.label}", caveat),
        "number": "" if spot.number is None else str(spot.number),
        "kind": _ON if spot.on_front else _OFF,
    }
    for axis, summary, quantity in (("x", spot.x, x), ("y", spot.y, y)):
        estimate = estimate_of(summary)
        assert estimate is not None
        low, high = (summary.interval.low, summary.interval.high) if summary.interval else (estimate, estimate)
        row |= {axis: estimate * quantity.scale, f"{axis}_low": low * quantity.scale}
        row |= {f"{axis}_high": high * quantity.scale, f"{axis}_told": _with_interval(summary, estimate, quantity)}
    return row


def _with_interval(summary: Summary, estimate: float, quantity: Quantity) -> str:
    if summary.interval is None:
        return f"{told(quantity, estimate)} (no interval: {summary.cycles} cycle{'s' * (summary.cycles != 1)})"
    return (
        f"{told(quantity, estimate)} ({quantity.show(summary.interval.low)} to {quantity.show(summary.interval.high)})"
    )


def _steps(rows: Sequence[dict[str, Any]], x: Quantity, y: Quantity) -> list[dict[str, float]]:
    """The corners of the front: between two points of it, nothing is as good as either in the one quantity."""
    points = sorted((row["x"], row["y"]) for row in rows if row["kind"] == _ON)
    steps: list[dict[str, float]] = []
    for at_x, at_y in points:
        if steps:
            before = steps[-1]["y"]
            worse = max(before, at_y) if y.better != "higher" else min(before, at_y)
            corner_x = at_x if worse == before else steps[-1]["x"]
            steps.append({"x": corner_x, "y": worse})
        steps.append({"x": at_x, "y": at_y})
    return [{**step, "step": number} for number, step in enumerate(steps)]


def _in_words(rows: Sequence[dict[str, Any]], known: int, without: int, x: Quantity, y: Quantity, title: str) -> str:
    front = sorted((row for row in rows if row["kind"] == _ON), key=lambda row: row["x"])
    said = [f"{title}, of {known} configurations", f"{len(front)} on the Pareto front"]
    if front:
        ends = [front[0]] if len(front) == 1 else [front[0], front[-1]]
        said += [f"{row['label']} at {row['x_told']} and {row['y_told']}" for row in ends]
    if len(rows) < known:
        said.append(f"{known - len(rows)} of the others are not drawn")
    if without:
        said.append(f"{without} are not drawn, since {x.title} or {y.title} is not known of them")
    return "; ".join(said) + "."


def _spec(
    rows: list[dict[str, Any]], steps: list[dict[str, float]], x_title: str, y_title: str, description: str
) -> dict[str, Any]:
    x, y = (
        figure_axis(title, [row[f"{axis}_{end}"] for row in rows for end in ("low", "high")])
        for axis, title in (("x", x_title), ("y", y_title))
    )
    y["axis"] |= {"tickCount": _TICKS_UP}
    marked = kind_of_mark(_KINDS, [row["kind"] for row in rows])
    bar = {"type": "rule", "opacity": 0.6, "strokeWidth": 1.5, "aria": False}
    across, up = {"field": "x", "type": "quantitative", **x}, {"field": "y", "type": "quantitative", **y}
    of_front = [{"filter": {"field": "kind", "equal": _ON}}]
    crossed = of_front if steps and len(rows) > _CROSSED else []
    named = 0 < sum(row["kind"] == _ON for row in rows) <= _NAMED
    line = {
        "name": "front",
        "data": {"values": steps},
        "mark": {"type": "line", "color": colour("best"), "strokeDash": [5, 4], "aria": False},
        "encoding": {"x": across, "y": up, "order": {"field": "step", "type": "ordinal"}},
    }
    numbers = [
        {
            "name": f"numbers_{side}",
            "transform": [{"filter": {"field": "side", "equal": side}}],
            "mark": {"type": "text", "align": align, "baseline": baseline, "dx": dx, "dy": dy, "aria": False},
            "encoding": {"x": across, "y": up, "text": {"field": "number"}},
        }
        for side, align, baseline, dx, dy in (("after", "left", "bottom", 7, -4), ("before", "right", "top", -7, 4))
        if any(row.get("side") == side for row in rows)
    ]
    return spec_of(
        description,
        height=_HEIGHT_PX,
        data={"values": rows},
        layer=[
            *([line] if steps else []),
            {
                "name": "x_intervals",
                "transform": crossed,
                "mark": bar,
                "encoding": {
                    "x": {**across, "field": "x_low"},
                    "x2": {"field": "x_high"},
                    "y": up,
                    "color": marked["color"],
                },
            },
            {
                "name": "y_intervals",
                "transform": crossed,
                "mark": bar,
                "encoding": {
                    "x": across,
                    "y": {**up, "field": "y_low"},
                    "y2": {"field": "y_high"},
                    "color": marked["color"],
                },
            },
            {
                "name": POINTS,
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "x": across,
                    "y": up,
                    **marked,
                    "tooltip": [
                        {"field": "label", "title": "configuration"},
                        {"field": "x_told", "title": x_title},
                        {"field": "y_told", "title": y_title},
                        {"field": "kind", "title": "Pareto"},
                    ],
                },
            },
            *(numbers if named else []),
        ],
        config=config(),
    )
