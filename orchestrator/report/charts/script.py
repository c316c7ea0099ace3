"""The JavaScript that draws charts in a page: Vega, Vega-Lite and Vega-Embed, with nothing to fetch."""

from __future__ import annotations

from typing import Final

from orchestrator.report.charts.drawing import VEGA_LITE

# Expressions are interpreted (`ast`), so that a page may forbid `unsafe-eval`; it brings the tooltip's style itself.
_SNIPPET: Final = """
window.drawChart = (element, spec) => vegaEmbed(element, spec, {
  mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
  tooltip: {disableDefaultStyle: true},
});
"""


def chart_script() -> str:
    """JavaScript (0.9 MB) for a script element: ``drawChart(element, spec)`` is a promise of the chart drawn.

    The promise is of Vega-Embed's result, whose ``finalize()`` takes the chart away again.
    """
    import vl_convert

    return str(vl_convert.javascript_bundle(_SNIPPET, VEGA_LITE)).replace("</script", "<\\/script")
