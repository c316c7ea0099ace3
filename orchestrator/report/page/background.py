"""The sections on the circumstances: the machine, what engines made of what was declared, how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.report.answers import Answers
from orchestrator.report.circumstances import Facts, told
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.page.parts import section
from orchestrator.report.page.tables import Cell, Head, Row, table

_MOST_CONFIGURATIONS: Final = 100


def environment_section(answers: Answers) -> Html:
    """The machine, and what engines made of what was declared."""
    environments = answers.circumstances.environments
    count = len(environments.of)
    parts: list[Html] = []
    if count > 1:
        parts.append(element("p", f"{count} environments; results of unlike environments are "
                     + ("pooled, as was asked for." if answers.asked.choice.pooled else "not pooled.")))  # fmt: skip
        heads = [Head("Field"), *(Head(identity[:8]) for identity in environments.of)]
        rows = [Row([Cell(field), *_values(field, values)]) for field, values in environments.differing.items()]
        parts.append(table("environments-table", "Where they differ", heads, rows, sortable=False))
    if count:
        alike = "What is alike in all of them" if count > 1 else f"The machine and its software ({environments.of[0]})"
        parts.append(element("details", element("summary", alike), _pairs("environment-alike", alike, environments)))
    for place, (backend, facts) in enumerate(answers.circumstances.effective.items()):
        parts.append(_effective(backend, facts, place))
    return section("environment", "Environment and configuration", *parts or [element("p", "Nothing is known of it.")])


def _effective(backend: str, facts: Facts, place: int) -> Html:
    parts: list[object] = [element("h3", "Effective configuration: ", name(backend))]
    if facts.differing:
        heads = [Head("Configuration"), *(Head(field) for field in facts.differing)]
        columns = [_values(field, values) for field, values in facts.differing.items()]
        rows = [
            Row([Cell(name(label)), *(cells[row] for cells in columns)])
            for row, label in enumerate(facts.of[:_MOST_CONFIGURATIONS])
        ]
        more = len(facts.of) - len(rows)
        caption = "What the engine made of what was declared, where configurations differ" + (
            f"; {more:,} more are not shown" if more > 0 else ""
        )
        parts.append(table(f"effective-{place}", caption, heads, rows))
    if facts.alike:
        title = "What is alike in all" if len(facts.of) > 1 else "What the engine made of what was declared"
        parts.append(element("details", element("summary", title), _pairs(f"effective-alike-{place}", title, facts)))
    return joined(*parts)


def _values(field: str, values: Sequence[str]) -> list[Cell]:
    """A field's values; what was rounded stands in full in the cell's title."""
    return [
        Cell(text or "—" if text == value else element("span", text, title=value), class_="value")
        for value, text in zip(values, told(field, values), strict=True)
    ]


def _pairs(identity: str, caption: str, facts: Facts) -> Html:
    rows = [Row([Cell(field, class_="value"), *_values(field, [value])]) for field, value in facts.alike.items()]
    return table(identity, caption, [Head("Field"), Head("Value")], rows, sortable=False)


def repeat_section(answers: Answers) -> Html:
    """What somebody needs to measure the same again."""
    repeating = answers.repeating
    notes = element("ul", *(element("li", note, class_="value") for note in repeating.notes), class_="plain")
    parts: list[object] = []
    if repeating.file_text is not None:
        parts.append(element("p", "Save the file below as ", element("code", repeating.file_name), ", then:"))
        parts.append(_code("\n".join(repeating.commands)))
        parts.append(element("h3", element("code", repeating.file_name)))
        parts.append(_code(repeating.file_text))
    return section("repeat", "Measure it again", *parts, notes if repeating.notes else None)


def _code(content: str) -> Html:
    return element("pre", element("code", content), tabindex="0")
