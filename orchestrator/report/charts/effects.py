"""What each parameter does: the ratio of a metric at one of its values to that at its first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from orchestrator.analysis.effects import Effect, Level
from orchestrator.analysis.interval import Interval
from orchestrator.printable import on_one_line
from orchestrator.report.charts.chart import Chart, spec_of
from orchestrator.report.charts.parts import Kinds, interval_rows
from orchestrator.report.charts.theme import colour, config
from orchestrator.report.charts.wording import labelled
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES

MOST: Final = 40
"""Rows that are drawn."""
_TICKS: Final = 8
_WIDE: Final = 4.0
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_FAR_UP: Final = tuple(digit * 10**power for power in range(1, 9) for digit in (1, 2, 5))
_FAR_DOWN: Final = (-10, -20, -50, -75, -80, -90, -95, -98, -99, -99.9, -99.99)
_PERCENT: Final = "datum.value == 1 ? '0 %' : format(100 * (datum.value - 1), '+.3~r') + ' %'"
_KINDS: Final[Kinds] = {
    "better": ("best", "diamond"),
    "worse": ("fails", "cross"),
    "lower": ("series-1", "triangle-down"),
    "higher": ("series-2", "triangle-up"),
    "cannot tell": ("rest", "circle"),
}


def effects_chart(effects: Sequence[Effect], metric: str, caveat: str = "", most: int = MOST) -> Chart:
    """The change that each value of each parameter brings beside that parameter's first value.

    Args:
        effects: of parameters on the metric.
        metric: its name.
        caveat: what must be known of its figures, such as ``simulated``.
        most: rows that are drawn; the description says how many are not.
    """
    quantity = QUANTITIES[metric]
    told = [(one, level, level.ratio) for one in effects for level in one.levels if level.ratio is not None]
    unknown = sum(level.ratio is None for one in effects for level in one.levels[1:])
    rows = [_row(row, one, level, ratio, quantity.better) for row, (one, level, ratio) in enumerate(told[:most], 1)]
    what = labelled(quantity.title, caveat)
    said = [f"Change of {what} that values of parameters bring, each beside the parameter's first value"]
    if len(told) > most:
        said.append(f"the first {most} of {len(told)} are drawn")
    if unknown:
        said.append(f"of {unknown} nothing can be said")
    said += [f"{row['label']}: {row['told']}" for row in rows[:5]]
    description = "; ".join(said) + "." if rows else f"No effect of a parameter on {quantity.title} is known."
    percent = {
        "values": ratio_ticks([row["low"] for row in rows], [row["high"] for row in rows]),
        "labelExpr": _PERCENT,
    }
    across = {"title": f"change of {what}", "scale": {"type": "log", "nice": False, "padding": 12}, "axis": percent}
    tooltip = [
        {"field": "label", "title": "parameter"},
        {"field": "told", "title": f"change of {quantity.title}"},
        {"field": "kind", "title": "so it is"},
        {"field": "runs", "title": "runs"},
    ]
    none = {
        "name": "no_change",
        "data": {"values": [{"at": 1}]},
        "mark": {"type": "rule", "color": colour("ink"), "strokeDash": [3, 3], "aria": False},
        "encoding": {
            "x": {"field": "at", "type": "quantitative", **across},
            "y": {"value": 0},
            "y2": {"value": "height"},
        },
    }
    drawn = interval_rows(rows, _KINDS, across, tooltip, [none])
    title = f"What parameters change in {what}"
    return Chart("effects", title, description, spec_of(description, **drawn, config=config()), len(rows))


def ratio_ticks(lows: Sequence[float], highs: Sequence[float]) -> list[float]:
    """Ratios that are round as a change in per cent, and not too many of them; 1 is among them."""
    low, high = min([1.0, *lows]), max([1.0, *highs])
    if high / low > _WIDE:
        return _far_ticks(low, high)
    for step in _STEPS:
        first, last = math.ceil(100 * (low - 1) / step), math.floor(100 * (high - 1) / step)
        if last - first < _TICKS:
            break
    return [1 + step * number / 100 for number in range(first, last + 1)]


def _far_ticks(low: float, high: float) -> list[float]:
    """Ticks over a range in which even steps would crowd at one end: from 1 on, each a stretch from the one before."""
    apart = math.log(high / low) / _TICKS
    ticks = [1.0]
    for percents in (_FAR_UP, _FAR_DOWN):
        last = 1.0
        for percent in percents:
            ratio = 1 + percent / 100
            if low <= ratio <= high and abs(math.log(ratio / last)) >= apart:
                ticks.append(ratio)
                last = ratio
    return sorted(ticks)


def _row(row: int, effect: Effect, level: Level, ratio: Interval, better: str | None) -> dict[str, Any]:
    told = effect.within is None or effect.parameter.startswith(f"{effect.within}.")
    within = "" if told else f"{effect.within}: "
    first = on_one_line(shown(effect.levels[0].value))
    changes = f"{_percent(ratio.estimate)} ({_percent(ratio.low)} to {_percent(ratio.high)})"
    return {
        "row": row,
        "label": f"{within}{on_one_line(effect.parameter)} {first} → {on_one_line(shown(level.value))}",
        "estimate": ratio.estimate,
        "low": ratio.low,
        "high": ratio.high,
        "kind": _kind(ratio, better),
        "told": changes,
        "runs": level.runs,
    }


def _percent(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    rounded = f"{percent:+.1f}"
    return f"{rounded if float(rounded) or not percent else f'{percent:+.1g}'} %".replace("-", "−")


def _kind(ratio: Interval, better: str | None) -> str:
    if ratio.low <= 1 <= ratio.high:
        return "cannot tell"
    change = "lower" if ratio.high < 1 else "higher"
    if better is None:
        return change
    return "better" if change == better else "worse"
