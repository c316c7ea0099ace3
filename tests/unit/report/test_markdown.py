from __future__ import annotations

from pathlib import Path

from orchestrator.report.answers import answers_of
from orchestrator.report.markdown import as_markdown, block, code, text
from tests.browser.reported import written
from tests.builders import experiment
from tests.made import Point, made_results, points
from tests.unit.report.page.test_document import with_messages


def test_it_answers_ranks_and_says_how_to_repeat(tmp_path: Path) -> None:
    told = as_markdown(answers_of(written(tmp_path, "c", made_results("c", points([0.6, 0.3]), 4))), "chart.svg")
    assert told.startswith(
        "# c\n\n8 runs · 4 cycles · 2 configurations · simulated · org/model\n"
        "\n**Figures are not measured: simulated.**\n"
    )
    assert "- **batch_size 2** has the lowest energy per output token (simulated): 0.3" in told
    assert "![Ranking](chart.svg)" in told
    assert "| 1 | batch_size 2 | 0.3" in told
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


def test_an_underscore_within_a_word_needs_no_escape() -> None:
    assert text("max_num_seqs _a_ b__c") == "max_num_seqs \\_a\\_ b\\_\\_c"


def test_controls_of_terminals_and_of_direction_are_replaced() -> None:
    assert text("a\x1b[31m\u202eb\u2028c") == "a\\\\x1b\\[31m\\\\u202eb c"


def test_figures_that_were_not_measured_say_so_in_the_table(tmp_path: Path) -> None:
    estimated = made_results("c", points([0.3, 0.4], "pytorch"), 3, energy_method="estimated")
    told = as_markdown(answers_of(written(tmp_path, "c", estimated)))
    assert "energy per output token (J/token, energy estimated)" in told
    mixed = made_results("d", [*points([0.3], "pytorch"), Point(experiment("vllm"), 0.2)], 3)
    mixed = [one.model_copy(update={"energy_method": "estimated"}) if one.backend == "vllm" else one for one in mixed]
    rows = [line for line in as_markdown(answers_of(written(tmp_path, "d", mixed))).splitlines() if "vllm" in line]
    assert any("(energy estimated)" in row and "not ranked: energy estimated" in row for row in rows)


def test_code_in_sentences_stays_code(tmp_path: Path) -> None:
    told = as_markdown(answers_of(written(tmp_path, "c", made_results("c", points([0.3]), 3, verdict="suspect"))))
    assert "`orchestrate results show RUN` says why" in told


def test_messages_and_failures_are_told_with_what_they_are_known_as(tmp_path: Path) -> None:
    told = as_markdown(answers_of(with_messages(tmp_path)))
    rows = told.partition("## Messages of engines")[2].partition("##")[0].split("\n")
    assert "| message | said by | level | runs of 6 | known as |" in rows
    assert "| the cache is broken | vllm | error | 1 | unknown |" in rows
    issue = "no-triton (wip): a note \\<i\\> (https://example.org/1)"
    assert f"| Triton \\<b\\>not\\</b\\> available | torch | warning | 5 | {issue} |" in rows
    assert f"  - Triton \\<b\\>not\\</b\\> available; known as {issue}" in told
    assert "- 1 run failed, engine_failed: the engine failed, or did something else than what was asked" in told
