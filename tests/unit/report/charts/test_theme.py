from __future__ import annotations

from itertools import combinations

import pytest

from orchestrator.report.charts.theme import PALETTES, SERIES, Theme, colour, css_variables, resolved
from tests.unit.report.charts.colours import VISION, contrast, difference

KINDS = ["best", "tied", "rest", "fails"]
HUES = [f"series-{number}" for number in range(1, len(SERIES) + 1)]
THEMES: list[Theme] = ["light", "dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_marks_and_text_stand_out(theme: Theme) -> None:
    palette = PALETTES[theme]
    for name in KINDS + HUES:
        assert contrast(palette[name], palette["surface"]) >= 3, name
    for text in ("ink", "soft"):
        assert contrast(palette[text], palette["surface"]) >= 4.5
        assert contrast(palette[text], palette["band"]) >= 4.5


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", THEMES)
def test_colours_that_meet_are_told_apart_by_everybody(theme: Theme, vision: str) -> None:
    palette = PALETTES[theme]
    for together in (KINDS, HUES):
        for one, other in combinations(together, 2):
            assert difference(palette[one], palette[other], vision) > 25, (one, other)


def test_a_difference_that_people_do_not_see_is_small() -> None:
    red, green = "#b22222", "#6b6b00"
    assert difference(red, green, "usual") > 60
    assert difference(red, green, "deuteranopia") < 30


def test_both_themes_have_the_same_names() -> None:
    assert set(PALETTES["light"]) == set(PALETTES["dark"])
    assert css_variables("dark").startswith("--chart-surface:#14181d;")


def test_colours_are_put_in_by_name_and_nothing_else_is_touched() -> None:
    spec = {"a": [colour("best"), 1, "var(--chart-best) in a text"], "b": {"c": colour("grid")}}
    palette = PALETTES["light"]
    assert resolved(spec, "light") == {"a": [palette["best"], 1, spec["a"][2]], "b": {"c": palette["grid"]}}
