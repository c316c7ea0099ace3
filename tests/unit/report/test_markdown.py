from __future__ import annotations

from pathlib import Path

from orchestrator.report.answers import answers_of
from orchestrator.report.markdown import as_markdown, block, code, text
from tests.browser.reported import written
from tests.builders import experiment
from tests.made import Point, made_results, points


def test_it_answers_ranks_and_says_how_to_repeat(tmp_path: Path) -> None:
    told = as_markdown(answers_of(written(tmp_path, "c", made_results("c", points([0.6, 0.3]), 4))), "chart.svg")
    assert told.startswith(
        "# c\n\n8 runs, 4 cycles, 2 configurations.\n\n**Figures are not all measured: simulated.**\n"
    )
    assert "- **batch\\_size 2** has the lowest energy per output token (simulated): 0.3" in told
    assert "![Ranking](chart.svg)" in told
    assert "| 1 | batch\\_size 2 | 0.3" in told
    assert "```sh\norchestrate campaign c.yaml --dispatch local\n```" in told


def test_names_are_text(tmp_path: Path) -> None:
    hostile = "a|b\n# c <img src=x> `d` [e](f)"
    made = made_results("c", [Point(experiment(model=hostile), 0.3), Point(experiment(model="org/x"), 0.4)], 3)
    told = as_markdown(answers_of(written(tmp_path, "c", made)))
    assert "<img" not in told.replace("\\<img", "")
    assert "\n# c \\<" not in told
    rows = [line for line in told.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows if "org/x" in line or "img" in line}) <= 2


def test_text_stays_on_its_line_and_holds_no_markup() -> None:
    assert text("a *b*\n_c_ | <d> `e`") == "a \\*b\\* \\_c\\_ \\| \\<d\\> \\`e\\`"


def test_code_holds_any_backticks() -> None:
    assert code("a") == "`a`"
    assert code("a`b") == "`` a`b ``"
    assert block("```\n", "yaml") == ["````yaml", "```", "````"]


def test_without_results_it_says_so(tmp_path: Path) -> None:
    told = as_markdown(answers_of(written(tmp_path, "c", [])))
    assert "No run of this campaign is complete, so nothing can be answered." in told
    assert "## Ranking" not in told
