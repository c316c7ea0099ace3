"""Charts as files: drawn without a browser and without a network."""

from __future__ import annotations

from typing import Final

from orchestrator.report.charts.chart import Chart, Spec
from orchestrator.report.charts.theme import Theme, resolved

VEGA_LITE: Final = "6.4"
"""The version that charts are written for, of those that vl-convert holds."""
_WIDTH_PX: Final = 760
_PADDING_PX: Final = 16
_SCALE: Final = 2.0


def as_svg(chart: Chart, theme: Theme = "light", width_px: int = _WIDTH_PX) -> str:
    """The chart as an SVG image with its title and a background, its text as text."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_standing_alone(chart, theme, width_px), VEGA_LITE, allowed_base_urls=[]))


def as_png(chart: Chart, theme: Theme = "light", width_px: int = _WIDTH_PX) -> bytes:
    """The same as a PNG, with two pixels for each of the width's."""
    import vl_convert

    spec = _standing_alone(chart, theme, width_px)
    return bytes(vl_convert.vegalite_to_png(spec, VEGA_LITE, scale=_SCALE, allowed_base_urls=[]))


def _standing_alone(chart: Chart, theme: Theme, width_px: int) -> Spec:
    """The specification with what the page around it says otherwise: its title, its colours, its width."""
    title = {"text": chart.title, "anchor": "start", "fontSize": 15, "color": "var(--chart-ink)", "offset": 12}
    spec = chart.spec | {"width": width_px, "padding": _PADDING_PX, "title": title}
    spec["config"] = spec["config"] | {"background": "var(--chart-surface)"}
    drawn: Spec = resolved(spec, theme)
    return drawn
