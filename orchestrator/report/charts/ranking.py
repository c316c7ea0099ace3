"""Which configuration is best, and how surely: an interval a row, the best at the top."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.analysis.best import Best, Ranked
from orchestrator.analysis.interval import Interval
from orchestrator.report.charts.chart import Chart, spec_of
from orchestrator.report.charts.parts import Kinds, figure_axis, interval_rows
from orchestrator.report.charts.theme import config
from orchestrator.report.charts.wording import axis_title, caveats, labelled, sentence, told
from runners.contract.quantities import QUANTITIES, Quantity

MOST: Final = 40
"""Rows that are drawn: more of them nobody reads; the table has all."""
_FARTHEST: Final = 100.0
"""How far bars are drawn, as a factor beyond all estimates."""
_STANDINGS: Final[Kinds] = {
    "best": ("best", "diamond"),
    "best seen": ("best", "diamond"),
    "not told apart from the best": ("tied", "circle"),
    "told apart from the best": ("rest", "square"),
    "fails a condition": ("fails", "cross"),
    "not compared": ("rest", "triangle-up"),
}


def ranking_chart(best: Best, most: int = MOST) -> Chart:
    """The candidates from the best down, each with its simultaneous interval, numbered by their places.

    Args:
        best: of a metric.
        most: rows that are drawn; the description says how many are not.
    """
    quantity = QUANTITIES[best.metric]
    known = [(one, one.interval) for one in best.ranking if one.interval is not None]
    of_all, of_each = caveats([one.group for one, _ in known], [quantity])
    rows = [
        _row(place, one, interval, standing(one, best), caveat, quantity)
        for place, ((one, interval), caveat) in enumerate(zip(known[:most], of_each, strict=False), 1)
    ]
    cut = _cut(rows)
    title = labelled(f"{sentence(quantity.title)}, {best.better} is better", of_all)
    description = _in_words(best, known, len(rows), labelled(quantity.title, of_all), quantity, cut)
    tooltip = [
        {"field": "label", "title": "configuration"},
        {"field": "told", "title": quantity.title},
        {"field": "between", "title": "interval"},
        {"field": "cycles", "title": "cycles"},
        {"field": "kind", "title": "standing"},
    ]
    across = figure_axis(axis_title(quantity, of_all), [row[end] for row in rows for end in ("low", "high")])
    drawn = interval_rows(rows, _STANDINGS, across, tooltip)
    return Chart("ranking", title, description, spec_of(description, **drawn, config=config()), len(rows))


def standing(one: Ranked, best: Best) -> str:
    """Where a candidate stands, in words."""
    if one.fails:
        return "fails a condition"
    if one is best.winner:
        return "best" if len(best.may_be_best) == 1 else "best seen"
    if one.separable is None:
        return "not compared"
    return "told apart from the best" if one.separable else "not told apart from the best"


def _row(place: int, one: Ranked, interval: Interval, kind: str, caveat: str, quantity: Quantity) -> dict[str, Any]:
    low = quantity.show(interval.low)
    return {
        "row": place,
        "label": labelled(f"{place} · {one.group.label}", caveat),
        "estimate": interval.estimate * quantity.scale,
        "low": interval.low * quantity.scale,
        "high": interval.high * quantity.scale,
        "kind": kind,
        "told": told(quantity, interval.estimate),
        "figures": f"{quantity.show(interval.estimate)} ({low} to {quantity.show(interval.high)})",
        "between": f"{low} to {told(quantity, interval.high)} ({100 * interval.level:g} %)",
        "cycles": interval.count,
    }


def _cut(rows: list[dict[str, Any]]) -> int:
    """Cut bars that reach so far that nothing else could be seen; how many they are."""
    estimates = [row["estimate"] for row in rows]
    if not rows or min(estimates) <= 0:
        return 0
    least, most = min(estimates) / _FARTHEST, max(estimates) * _FARTHEST
    far = [row for row in rows if row["low"] < least or row["high"] > most]
    for row in far:
        row |= {"low": max(row["low"], least), "high": min(row["high"], most)}
    return len(far)


def _in_words(
    best: Best, known: list[tuple[Ranked, Interval]], drawn: int, what: str, quantity: Quantity, cut: int
) -> str:
    if not known:
        return f"No configuration has an interval of {quantity.title}."
    said = [f"{sentence(what)} of {len(known)} configurations, each with its {100 * known[0][1].level:g} % interval"]
    if drawn < len(known):
        said.append(f"the first {drawn} are drawn")
    if best.winner and best.winner.interval:
        estimate = told(quantity, best.winner.interval.estimate)
        said.append(f"{standing(best.winner, best)}: {best.winner.group.label}, {estimate}")
        if tied := len(best.may_be_best) - 1:
            said.append(f"{tied} cannot be told apart from it")
        elif len(best.candidates) > 1:
            said.append("all others are told apart from it")
    if cut:
        said.append(f"{cut} of the intervals reach beyond the picture")
    return "; ".join(said) + "."
