"""Power over time in a run, with its phases marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from orchestrator.report.charts.chart import POINTS, Chart, spec_of
from orchestrator.report.charts.theme import SERIES, colour, config

POWER: Final = "power"
PHASES: Final = "phases"
"""The data sets of the specification: a page fills those of a run that is opened, the rest stays as it is."""
_HEIGHT_PX: Final = 260
_STRIP_PX: Final = 8
_NAMED_PX: Final = 34
"""Stretches narrower than this have no name over them; the tooltip has it."""
_TITLES: Final = {"loaded_idle": "idle, loaded", "warmup": "warm-up", "window": "measured window"}
_STRIP: Final = ("prefill", "decode")


class Sample(NamedTuple):
    """A power that a meter told."""

    source: str
    t_s: float
    """Since the window began."""
    power_w: float


class Stretch(NamedTuple):
    """A phase of a run, in seconds since the window began."""

    phase: str
    start_s: float
    end_s: float


def power_chart(run: str, samples: Sequence[Sample], stretches: Sequence[Stretch], caveat: str = "") -> Chart:
    """A line for each metered thing; phases lie behind them, prefill and decode in a strip below.

    Args:
        run: its name.
        samples: in the order of time.
        stretches: the phases, the window at least; of one kind there may be many.
        caveat: what must be known of the power, such as ``simulated``.
    """
    sources = list(dict.fromkeys(sample.source for sample in samples))
    behind = f", {caveat}" if caveat else ""
    title = f"Power over time: {run}{behind}"
    description = f"{title}; {_in_words(samples, sources)}"
    return Chart("power", title, description, power_spec(description, samples, stretches, caveat), len(sources))


def power_spec(
    description: str = "", samples: Sequence[Sample] = (), stretches: Sequence[Stretch] = (), caveat: str = ""
) -> dict[str, Any]:
    """The specification; without samples, one to be filled."""
    across = {
        "type": "quantitative",
        "title": "seconds since the measured window began",
        "scale": {"nice": False},
        "axis": {"tickCount": {"expr": "max(3, floor(width / 90))"}, "grid": False},
    }
    unit = f"W, {caveat}" if caveat else "W"
    return spec_of(
        description,
        height=_HEIGHT_PX,
        datasets={POWER: [sample._asdict() for sample in samples], PHASES: phase_rows(stretches)},
        layer=[_stretches(across), _lines(across, unit), _names(across)],
        config=config() | {"legend": config()["legend"] | {"offset": 24}},
    )


def phase_rows(stretches: Sequence[Stretch]) -> list[dict[str, Any]]:
    """The data set ``phases``, what lies in the strip last, so that it is drawn over the rest."""
    return [
        {"phase": _TITLES.get(phase, phase), "start_s": start_s, "end_s": end_s, "strip": phase in _STRIP}
        for phase, start_s, end_s in sorted(stretches, key=lambda stretch: stretch.phase in _STRIP)
    ]


def _in_words(samples: Sequence[Sample], sources: Sequence[str]) -> str:
    if not samples:
        return "no power was sampled."
    said = []
    for source in sources:
        powers = [sample.power_w for sample in samples if sample.source == source]
        said.append(f"{source} between {min(powers):.3g} and {max(powers):.3g} W")
    return "; ".join(said) + "."


def _stretches(across: dict[str, Any]) -> dict[str, Any]:
    tooltip = [{"field": "phase"}, {"field": "start_s", "format": ".3f"}, {"field": "end_s", "format": ".3f"}]
    window = {"test": f"datum.strip || datum.phase === '{_TITLES['window']}'", "value": 1}
    hues = {"domain": list(_STRIP), "range": [colour("ink"), colour("rest")]}
    of_strip = {"test": "datum.strip", "field": "phase", "type": "nominal", "scale": hues}
    top = {"expr": f"datum.strip ? height - {_STRIP_PX} : 0"}
    return {
        "name": "stretches",
        "data": {"name": PHASES},
        "mark": {"type": "rect", "stroke": colour("surface"), "aria": False, "y": top, "y2": {"expr": "height"}},
        "encoding": {
            "x": {**across, "field": "start_s"},
            "x2": {"field": "end_s"},
            "fill": {"condition": of_strip, "value": colour("band")},
            "opacity": {"condition": window, "value": 0.5},
            "tooltip": tooltip,
        },
    }


def _lines(across: dict[str, Any], unit: str) -> dict[str, Any]:
    return {
        "name": POINTS,
        "data": {"name": POWER},
        "mark": {"type": "line", "strokeWidth": 1.3, "interpolate": "linear"},
        "encoding": {
            "x": {**across, "field": "t_s"},
            "y": {"field": "power_w", "type": "quantitative", "title": f"power ({unit})"},
            "stroke": {"field": "source", "type": "nominal", "scale": {"range": list(SERIES)}},
        },
    }


def _names(across: dict[str, Any]) -> dict[str, Any]:
    wide = "scale('x', datum.end_s) - scale('x', datum.start_s)"
    mark = {
        "type": "text",
        "y": -4,
        "baseline": "bottom",
        "align": "left",
        "dx": 1,
        "fontSize": 11,
        "limit": {"expr": f"max(1, {wide} - 2)"},
        "opacity": {"expr": f"{wide} < {_NAMED_PX} ? 0 : 1"},
        "color": colour("soft"),
        "aria": False,
    }
    return {
        "name": "names",
        "data": {"name": PHASES},
        "transform": [{"filter": "!datum.strip"}],
        "mark": mark,
        "encoding": {"x": {**across, "field": "start_s"}, "text": {"field": "phase"}},
    }
