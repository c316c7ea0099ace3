from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import pytest

from orchestrator.report.charts.chart import Chart
from orchestrator.report.charts.drawing import as_png, as_svg
from orchestrator.report.charts.power import Sample, Stretch, power_chart
from orchestrator.report.charts.script import chart_script
from orchestrator.report.charts.theme import PALETTES
from tests.unit.report.charts.examples import HOSTILE, all_charts

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("chart", all_charts(), ids=lambda chart: chart.id)
def test_a_chart_stands_alone_as_svg(chart: Chart) -> None:
    drawn = as_svg(chart)
    root = ElementTree.fromstring(drawn)
    layers = [one for one in root.iter(f"{SVG}g") if "points_marks" in one.get("class", "").split()]
    assert sum(map(len, layers)) == chart.marks > 0
    assert chart.title in [text.text for text in root.iter(f"{SVG}text")]
    assert "var(" not in drawn
    assert root.get("width") == "760"


def test_names_are_text_in_an_svg() -> None:
    root = ElementTree.fromstring(as_svg(all_charts()[0]))
    assert any(HOSTILE in (text.text or "") for text in root.iter(f"{SVG}text"))
    assert not list(root.iter(f"{SVG}img"))


def test_a_png_has_two_pixels_for_each_of_the_width_and_the_theme_behind_it() -> None:
    png = as_png(all_charts()[0], "dark", 400)
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">I", png[16:20]) == (800,)
    assert PALETTES["dark"]["surface"] in as_svg(all_charts()[0], "dark")


def test_the_script_can_stand_in_a_script_element() -> None:
    script = chart_script()
    assert "</script" not in script.lower()
    assert "window.drawChart" in script


def test_prefill_and_decode_lie_in_a_strip_below_the_lines_and_the_window_behind_them() -> None:
    stretches = [Stretch("window", 0.0, 9.0), Stretch("prefill", 0.0, 1.0), Stretch("decode", 1.0, 9.0)]
    drawn = as_svg(power_chart("a", [Sample("GPU-1", 0.0, 60.0), Sample("GPU-1", 9.0, 80.0)], stretches))
    root = ElementTree.fromstring(drawn)
    (layer,) = (one for one in root.iter(f"{SVG}g") if "stretches_marks" in one.get("class", "").split())
    heights = [float(re.findall(r"v(-?[\d.]+)", path.get("d", ""))[0]) for path in layer]
    assert heights == [260.0, 8.0, 8.0]
