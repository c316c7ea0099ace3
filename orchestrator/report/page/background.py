"""The sections that an answer rests on: checks, what was left out, every run, the machine, how to repeat it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from orchestrator.report.answers import Answers
from orchestrator.report.circumstances import Facts, told
from orchestrator.report.counting import counted
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.page.parts import MOST_ROWS, section
from orchestrator.report.page.tables import Cell, Head, Row, figure_cell, headline, table
from runners.contract.paths import short_run_id
from runners.contract.quantities import QUANTITIES

_FIGURES: Final = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50", "memory_peak_bytes")
_MOST_NAMED: Final = 20
_MOST_MESSAGES: Final = 5
_MOST_CONFIGURATIONS: Final = 100


def checks_section(answers: Answers) -> Html:
    """How the runs judged themselves."""
    total = len(answers.table.frame)
    heads = [Head("Check"), Head("Failed in", f"of {counted(total, 'run')}", True), Head("If it fails")]
    heads += [Head("Seen"), Head("What to do")]
    rows = [
        Row([
            Cell(element("code", check.name)),
            Cell(check.failed, check.failed, numeric=True, class_="failed" if check.failed else None),
            Cell({"critical": "suspect", "warning": "warning"}.get(check.severity, check.severity)),
            Cell(check.seen, class_="value"),
            Cell(check.hint or "—", class_="value"),
        ])
        for check in answers.circumstances.checks
    ]  # fmt: skip
    warnings = [
        element("li", f"{text} (in {count:,} of {counted(answers.circumstances.read, 'run')} read)")
        for text, count in answers.circumstances.warnings[:_MOST_NAMED]
    ]
    return section(
        "checks",
        "Checks",
        table("checks-table", "How runs judged themselves; what was seen is one run's", heads, rows)
        if rows
        else element("p", "There is no run that could have judged itself."),
        element("h3", "Warnings of runners") if warnings else None,
        element("ul", *warnings, class_="plain") if warnings else None,
    )


def left_out_section(answers: Answers) -> Html:
    """What no answer rests on."""
    items = [element("li", f"{counted(left.runs, 'run')}: ", name(left.reason)) for left in answers.left_out]
    items += [element("li", fault) for fault in answers.table.faults[:_MOST_NAMED]]
    if (more := len(answers.table.faults) - _MOST_NAMED) > 0:
        items.append(element("li", f"{more:,} more results that cannot be read"))
    failed = [
        joined(
            element("h3", f"{counted(len(kind.runs), 'run')} failed: {kind.kind}"),
            element("p", f"{kind.meaning[:1].upper()}{kind.meaning[1:]}; {kind.hint}."),
            element("ul", *(element("li", message) for message in kind.messages[:_MOST_MESSAGES]), class_="plain"),
            element("details", element("summary", "Which runs"), element("p", ", ".join(kind.runs[:500]))),
        )
        for kind in answers.incomplete.failed
    ]
    nothing = element("p", "Nothing: every run that is complete counts, and none failed.")
    return section(
        "left-out",
        "Left out",
        element("ul", *items, class_="plain") if items else None,
        *failed,
        None if items or failed else nothing,
    )


def runs_section(answers: Answers, openable: Collection[str]) -> Html:
    """Every run with its headline figures."""
    frame = answers.table.frame
    heads = [Head("Run"), Head("Configuration"), Head("Cycle", numeric=True)]
    heads += [Head(headline(QUANTITIES[figure]), QUANTITIES[figure].unit, True) for figure in _FIGURES]
    heads += [Head("Energy", "how it is known"), Head("Verdict"), Head("Failed checks")]
    heads += [Head("Power", still=True)] if openable else []
    rows = []
    columns = ["run_id", "experiment_id", "cycle", "energy_method", "verdict", "failed_checks", "retired", *_FIGURES]
    for run, identity, cycle, method, verdict, failed, retired, *figures in (
        frame[columns].head(MOST_ROWS).itertuples(index=False, name=None)
    ):
        cells = [Cell(element("code", short_run_id(identity, cycle))), Cell(name(answers.labels[run]), class_="named")]
        cells.append(Cell(cycle, cycle, numeric=True))
        cells += [
            figure_cell(QUANTITIES[figure], None if value != value else value)
            for figure, value in zip(_FIGURES, figures, strict=True)
        ]
        judged = f"{verdict}, retired" if retired else verdict
        cells += [Cell(method if isinstance(method, str) else "not measured")]
        cells += [Cell(judged, class_="failed" if verdict != "good" else None), Cell(failed or "—")]
        if openable:
            cells.append(Cell(_opener(run, identity, cycle) if run in openable else ""))
        rows.append(Row(cells))
    more = len(frame) - len(rows)
    shown = f"; the first {len(rows):,} of {len(frame):,}: `orchestrate results export` has all" if more else ""
    return section(
        "runs",
        "Every run",
        table("runs-table", f"In the order they ran{shown}", heads, rows)
        if rows
        else element("p", "No run is complete."),
    )


def _opener(run: str, identity: str, cycle: int) -> Html:
    label = f"Power of {short_run_id(identity, cycle)}"
    return element("button", "Show", type="button", class_="plainly power-button", data_run=run, aria_label=label,
                   hidden=True)  # fmt: skip


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


def navigation(sections: Sequence[tuple[str, str]]) -> Html:
    """Links to the sections."""
    links = (element("li", element("a", title, href=f"#{identity}")) for identity, title in sections)
    return element("nav", element("ul", *links), aria_label="Sections")
