"""The report in a real browser: silent, alone, drawn, sorted, filtered, and open to everybody."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opener
from tests.browser.reported import made, report, trade_off, written
from tests.browser.watched import DESKTOP_PX, PHONE_PX, Watched, watched
from tests.builders import run_result
from tests.made import made_results, points
from tests.unit.report.charts.examples import HOSTILE

CONFIGURATIONS = 12
CYCLES = 4
CHARTS = ("ranking", "front", "effects")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usual")
    made(folder, "usual", trade_off(CONFIGURATIONS), CYCLES)
    return report(folder, "usual")


def _specs(seen: Watched) -> dict[str, Any]:
    return dict(json.loads(seen.page.locator("#charts").text_content() or ""))


@pytest.mark.parametrize("width_px", [PHONE_PX, DESKTOP_PX])
def test_every_chart_is_drawn_with_the_right_number_of_marks(usual: Path, width_px: int, opened: Opener) -> None:
    with opened(usual, width_px=width_px) as seen:
        specs = _specs(seen)
        assert set(specs) == set(CHARTS)
        for chart in CHARTS:
            seen.drawn(chart)
            assert seen.marks(chart) == len(specs[chart]["data"]["values"])
        assert seen.marks("ranking") == CONFIGURATIONS
        assert seen.marks("front") == CONFIGURATIONS
        seen.drawn("power")
        assert seen.marks("power") == 2
        assert seen.sideways() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [PHONE_PX, DESKTOP_PX])
def test_an_accessibility_checker_finds_nothing(usual: Path, width_px: int, scheme: str, opened: Opener) -> None:
    with opened(usual, width_px=width_px, scheme=scheme) as seen:
        for chart in (*CHARTS, "power"):
            seen.drawn(chart)
        assert seen.violations() == []


def _column(seen: Watched, table: str, title: str) -> tuple[Any, list[str]]:
    """A heading, and how to read the cells below it."""
    heads = seen.page.locator(f"#{table} thead th")
    place = next(at for at in range(heads.count()) if (heads.nth(at).text_content() or "").startswith(title))
    cells = seen.page.locator(f"#{table} tbody tr > :nth-child({place + 1})")
    return heads.nth(place), cells.evaluate_all("cells => cells.map(cell => cell.dataset.v ?? cell.textContent)")


def test_tables_sort_by_mouse_and_by_keyboard(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        head, before = _column(seen, "ranking-table", "TTFT")
        figures = [float(value) for value in before]
        assert figures != sorted(figures)
        head.locator("button").click()
        assert [float(value) for value in _column(seen, "ranking-table", "TTFT")[1]] == sorted(figures)
        assert head.get_attribute("aria-sort") == "ascending"
        head.locator("button").press("Enter")
        assert [float(value) for value in _column(seen, "ranking-table", "TTFT")[1]] == sorted(figures, reverse=True)
        assert head.get_attribute("aria-sort") == "descending"
        seen.page.locator("#ranking-table thead th").first.locator("button").click()
        assert head.get_attribute("aria-sort") is None


def test_tables_filter_by_words_and_say_how_many_are_left(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        rows = seen.page.locator("#ranking-table tbody tr:visible")
        assert rows.count() == CONFIGURATIONS
        matching = [text for text in rows.all_text_contents() if "16" in text and "input" in text]
        seen.page.locator("#ranking-table-filter").fill("16 INPUT")
        assert sorted(rows.all_text_contents()) == sorted(matching)
        assert 0 < len(matching) < CONFIGURATIONS
        said = seen.page.locator("[data-filters=ranking-table] output")
        assert said.text_content() == f"{len(matching)} of {CONFIGURATIONS} rows"
        seen.page.locator("#ranking-table-filter").fill("nowhere to be found")
        assert rows.count() == 0
        seen.page.locator("#ranking-table-filter").fill("")
        assert rows.count() == CONFIGURATIONS


def test_the_power_of_another_run_takes_the_place_of_the_first(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        seen.drawn("power")
        first = seen.page.locator("#power-title").text_content()
        seen.page.locator("#power-after").click()
        seen.page.wait_for_function("was => document.getElementById('power-title').textContent !== was", arg=first)
        seen.page.locator("[data-chart='power'] svg").wait_for()
        assert seen.page.locator("[data-chart='power'] svg").count() == 1
        assert seen.marks("power") == 2
        seen.page.locator("#power-before").click()
        seen.page.wait_for_function("was => document.getElementById('power-title').textContent === was", arg=first)


def test_colours_follow_the_theme_and_paper_is_white(usual: Path, opened: Opener) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector(\"[data-chart='ranking'] g.points_marks path\")).fill"
    with opened(usual) as seen:
        seen.drawn("ranking")
        light = seen.page.evaluate(ground), seen.page.evaluate(ink)
        seen.page.emulate_media(color_scheme="dark")
        dark = seen.page.evaluate(ground), seen.page.evaluate(ink)
        assert light[0] != dark[0]
        assert light[1] != dark[1]
        seen.page.emulate_media(color_scheme="dark", media="print")
        assert (seen.page.evaluate(ground), seen.page.evaluate(ink)) == light
        assert not seen.page.locator("nav").is_visible()


def test_the_first_key_leads_past_the_navigation(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.getAttribute('href')") == "#main"


def test_without_scripts_all_figures_are_there(usual: Path, browser: Any) -> None:
    with watched(browser, usual, scripts=False) as seen:
        assert seen.page.locator("#ranking-table tbody tr").count() == CONFIGURATIONS
        assert not seen.page.locator("[data-filters=ranking-table]").is_visible()
        assert seen.said == []
        assert seen.asked == []


def test_the_page_forbids_itself_to_speak_to_anybody(usual: Path, browser: Any) -> None:
    asking = "address => fetch(address).then(() => 'answered', () => 'refused')"
    with watched(browser, usual) as seen:
        assert seen.page.evaluate(asking, "http://127.0.0.1:9/") == "refused"
        assert any("Content Security Policy" in message for message in seen.said)
        assert seen.asked == []


def test_names_are_text_wherever_they_stand(tmp_path: Path, opened: Opener) -> None:
    one, other = trade_off(1, model=HOSTILE), trade_off(2, model="org/‮model")
    made(tmp_path, "names", [*one, *other], 3)
    with opened(report(tmp_path, "names")) as seen:
        seen.drawn("ranking")
        assert HOSTILE in (seen.page.locator("[data-chart='ranking'] svg").text_content() or "")
        assert HOSTILE in (seen.page.locator("#ranking-table").text_content() or "")
        assert seen.page.locator("img, [onerror]").count() == 0
        assert seen.violations() == []


def _one_run(folder: Path) -> None:
    made(folder, "odd", trade_off(1), 1)


def _suspect_only(folder: Path) -> None:
    written(folder, "odd", made_results("odd", points([0.3, 0.4]), 3, verdict="suspect"))


def _no_results(folder: Path) -> None:
    written(folder, "odd", [])


def _nulls(folder: Path) -> None:
    empty = run_result()
    bare = {
        name: None
        for name in type(empty).model_fields
        if isinstance(getattr(empty, name), float) or name in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "energy_method")
    }
    kept = ("duration_s",)
    made_up = made_results("odd", points([0.3, 0.4]), 2)
    nothing = {name: value for name, value in bare.items() if name not in kept}
    written(folder, "odd", [result.model_copy(update=nothing) for result in made_up])


@pytest.mark.parametrize("width_px", [PHONE_PX, DESKTOP_PX])
@pytest.mark.parametrize("write", [_one_run, _suspect_only, _no_results, _nulls])
def test_a_campaign_that_tells_little_has_a_page_all_the_same(
    write: Any, width_px: int, tmp_path: Path, opened: Opener
) -> None:
    write(tmp_path)
    with opened(report(tmp_path, "odd"), width_px=width_px) as seen:
        assert seen.page.locator("h1").text_content() == "odd"
        assert seen.sideways() == 0
        assert seen.violations() == []


def test_every_chart_has_a_table_that_says_the_same(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        for chart in (*CHARTS, "power"):
            seen.drawn(chart)
            section = seen.page.locator("section", has=seen.page.locator(f"[data-chart={chart}]"))
            assert section.locator("table tbody tr").count() > 0
        seen.page.locator("#power-phases summary").click()
        rows = seen.page.locator("#power-table tbody tr").all_inner_texts()
        assert [row.split("\t")[0] for row in rows] == ["baseline", "load", "warm-up", "measured window"]
        assert rows[-1].split("\t")[1:3] == ["0.0", "50.0"]
        low, high = map(float, rows[-1].split("\t")[3].split(" to "))
        assert 60 <= low <= 240
        assert 280 <= high <= 290


def test_headings_follow_one_another_and_every_section_is_named_by_its_own(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        levels = seen.page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(level <= before + 1 for before, level in pairwise(levels))
        named = "all => all.map(one => document.getElementById(one.getAttribute('aria-labelledby')).tagName)"
        assert set(seen.page.locator("main > section").evaluate_all(named)) == {"H2"}
        assert seen.page.locator("main").count() == seen.page.locator("nav[aria-label]").count() == 1


def test_what_has_the_focus_shows_it(usual: Path, opened: Opener) -> None:
    outline = "getComputedStyle(document.activeElement).outline"
    with opened(usual) as seen:
        seen.drawn("ranking")
        bare = seen.page.evaluate("getComputedStyle(document.querySelector('#ranking-table th button')).outline")
        seen.page.locator("#ranking-table-filter").focus()
        for _ in range(2):
            seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.closest('th').textContent").startswith("Place")
        assert seen.page.evaluate(outline) != bare
        assert "2px" in seen.page.evaluate(outline)


def test_tables_fit_a_desktop_and_the_answer_a_phones_first_screen(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        for table in ("#ranking .scroll", "#runs .scroll"):
            assert seen.page.locator(table).evaluate("at => at.scrollWidth - at.clientWidth") == 0
    with opened(usual, width_px=PHONE_PX) as seen:
        ends = seen.page.locator("dl.headline > div").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().bottom)"
        )
        assert len(ends) == 5
        assert max(ends) < 844


def test_paper_has_the_power_of_a_run_and_the_methods_though_nobody_opened_them(usual: Path, opened: Opener) -> None:
    with opened(usual) as seen:
        seen.page.locator("[data-chart='power'][data-drawn] svg").wait_for()
        assert not seen.page.locator("details.methods").evaluate("one => one.open")
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("details.methods").evaluate("one => one.open")
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not seen.page.locator("details.methods").evaluate("one => one.open")
