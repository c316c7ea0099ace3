"""The report as Markdown: what fits an issue, a README or a notebook. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.analysis.comparable import meters_of, named
from orchestrator.printable import harmless, on_one_line
from orchestrator.report.answers import Answers
from orchestrator.report.charts.wording import caveats, labelled
from orchestrator.report.circumstances import told
from orchestrator.report.counting import counted
from orchestrator.report.engine_messages import explained
from orchestrator.report.figures import range_of, ratio_range, ratio_text
from orchestrator.report.in_words import banner, effect_name, in_short, place_of
from orchestrator.report.methods import methods
from orchestrator.report.sentences import Name, Sentence
from orchestrator.report.standings import BESIDE, LATENCY, Standing, typical
from orchestrator.report.trust import trust
from orchestrator.results.known_issues import issue_of_failure
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES

_MOST_ROWS = 100
_MOST_MESSAGES = 20
_MOST_OF_A_KIND = 3
_MARKUP = re.compile(r"([\\`*{}\[\]<>#|~!&$@]|(?<![^\W_])_|_(?![^\W_]))")
"""What may be markup; an underscore within a word is none."""


def as_markdown(answers: Answers, chart: str | None = None) -> str:
    """The report in GitHub's Markdown.

    Args:
        answers: what it tells.
        chart: where the picture of the main chart lies, as a link from this file; None: there is none.
    """
    return "\n".join(_lines(answers, chart)).rstrip() + "\n"


def _lines(answers: Answers, chart: str | None) -> Iterator[str]:
    frame = answers.frame
    yield f"# {text(answers.campaign)}"
    yield ""
    facts = [counted(len(frame), "run"), counted(int(frame["cycle"].nunique()), "cycle")]
    facts += [counted(len(answers.standings), "configuration")]
    facts += [text(", ".join(map(str, frame[column].unique()[:5]))) for column in ("backend", "model") if len(frame)]
    yield " · ".join(facts)
    if answers.metric and answers.metric.caveat:
        yield ""
        yield f"**{banner(answers.metric.caveat)}**"
    yield from _section("In short", _bullets(in_short(answers)))
    yield from _section("Before relying on it", _bullets(trust(answers)))
    if chart and answers.winner:
        yield from ["", f"![Ranking]({chart})"]
    yield from _section("Ranking", _ranking(answers))
    yield from _section("What each parameter does", _effects(answers))
    yield from _section("Messages of engines", _messages(answers))
    yield from _section("Left out", _left_out(answers))
    yield from _section("Environment", _environment(answers))
    yield from _section("Measure it again", _repeating(answers))
    yield ""
    yield f"Made {answers.made_at:%Y-%m-%d %H:%M} UTC by orchestrate {answers.version}."


def text(content: object) -> str:
    """Content as text: nothing in it is markup, and it stays on its line."""
    return _MARKUP.sub(r"\\\1", harmless(" ".join(str(content).split())))


def code(content: str) -> str:
    """Content as code within a line, whatever backticks it holds."""
    content = on_one_line(content)
    fence = "`" * (max((len(run) for run in re.findall("`+", content)), default=0) + 1)
    return f"{fence} {content} {fence}" if "`" in content else f"`{content}`"


def block(content: str, language: str) -> list[str]:
    """Content as a block of code, whatever fences it holds."""
    content = harmless(content)
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", content)), default=0) + 1)
    return [f"{fence}{language}", content.rstrip("\n"), fence]


def table(heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table; its heads say whether their column is numeric."""
    lines = [f"| {' | '.join(text(title) for title, _ in heads)} |"]
    lines.append("|" + "|".join(" ---: " if numeric else " --- " for _, numeric in heads) + "|")
    return lines + [f"| {' | '.join(text(cell) for cell in row)} |" for row in rows]


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ["", f"## {title}", "", *lines]


def _bullets(sentences: Sequence[Sentence]) -> list[str]:
    return [
        "- " + "".join(f"**{text(part.text)}**" if isinstance(part, Name) else _prose(part) for part in sentence)
        for sentence in sentences
    ]


def _prose(part: str) -> str:
    """A part of a sentence of ours, whose outer blanks count; what stands between backticks is code."""
    pieces = harmless(part).split("`")
    return "".join(code(piece) if place % 2 else _MARKUP.sub(r"\\\1", piece) for place, piece in enumerate(pieces))


def _ranking(answers: Answers) -> list[str]:
    if not answers.standings:
        return []
    shown_rows = answers.standings[:_MOST_ROWS]
    metrics = list(dict.fromkeys((*([answers.metric.name] if answers.metric else []), *BESIDE)))
    known = [caveats([one.summaries[name].group for one in shown_rows], [QUANTITIES[name]]) for name in metrics]
    heads = [("place", True), ("configuration", False)]
    heads += [(_head(metric, of_all), True) for metric, (of_all, _) in zip(metrics, known, strict=True)]
    heads[3:3] = [("95 % interval", True), ("standing", False)]
    rows = [_row(one, answers, metrics, [of_each[at] for _, of_each in known]) for at, one in enumerate(shown_rows)]
    lines = table([*heads, ("cycles", True)], rows)
    if (more := len(answers.standings) - _MOST_ROWS) > 0:
        lines += ["", f"{more:,} more configurations: `orchestrate results export` has them."]
    on_front = [one for one in answers.standings if one.on_front and one.place]
    if len(on_front) > 1:
        both = f"{QUANTITIES[metrics[0]].title} and {QUANTITIES[LATENCY].title}, by typical values"
        places = ", ".join(str(one.place) for one in on_front[:_MOST_ROWS])
        lines += ["", f"On the Pareto front of {text(both)}: places {places}."]
    if said := methods(answers):
        lines += ["", *(f"- {text(one)}" for one in said)]
    return lines


def _head(metric: str, caveat: str) -> str:
    quantity = QUANTITIES[metric]
    small = ", ".join(filter(None, (quantity.unit, caveat)))
    return f"{quantity.title} ({small})" if small else quantity.title


def _row(one: Standing, answers: Answers, metrics: Sequence[str], notes: Sequence[str]) -> list[object]:
    figures = [
        labelled(QUANTITIES[metric].show(value), note if value is not None else "")
        for metric, note in zip(metrics, notes, strict=True)
        for value in [typical(one.summaries[metric])]
    ]
    summary, quantity = one.summaries[metrics[0]], QUANTITIES[metrics[0]]
    interval = "—"
    if summary.interval:
        interval = range_of(quantity, summary.interval)
    held = place_of(one, answers)
    return [one.place or "—", one.group.label, figures[0], interval, held, *figures[1:], summary.cycles]


def _effects(answers: Answers) -> list[str]:
    rows = [
        [
            effect_name(effect),
            shown(level.value),
            shown(effect.levels[0].value),
            ratio_text(level.ratio.estimate) if level.ratio else "—",
            ratio_range(level.ratio),
        ]
        for effect in answers.effects
        for level in effect.levels[1:]
    ]
    heads = [("parameter", False), ("value", False), ("beside", False), ("ratio", True), ("95 % interval", True)]
    if not rows or answers.metric is None:
        return []
    what = labelled(f"Ratio of the {answers.metric.quantity.title}", answers.metric.caveat or "")
    lines = [f"{text(what)}, the other parameters held even:", "", *table(heads, rows[:_MOST_ROWS])]
    more = len(rows) - _MOST_ROWS
    return [*lines, "", f"{more:,} more values are not shown."] if more > 0 else lines


def _messages(answers: Answers) -> list[str]:
    heads = [("message", False), ("said by", False), ("level", False), (f"runs of {len(answers.frame):,}", True)]
    rows = [
        [one.text, one.source, one.level, f"{one.runs:,}", explained(one.issue) if one.issue else "unknown"]
        for one in answers.messages[:_MOST_MESSAGES]
    ]
    if not rows:
        return []
    lines = table([*heads, ("known as", False)], rows)
    more = len(answers.messages) - len(rows)
    return [*lines, "", f"{more:,} more messages are not shown."] if more > 0 else lines


def _left_out(answers: Answers) -> list[str]:
    lines = [f"- {counted(left.runs, 'run')}: {text(left.reason)}" for left in answers.left_out]
    for kind in answers.incomplete.failed:
        said = f"{kind.meaning}; {kind.hint}"
        lines.append(f"- {counted(len(kind.runs), 'run')} failed, {text(kind.kind)}: {text(said)}")
        for message in kind.messages[:_MOST_OF_A_KIND]:
            issue = issue_of_failure(message, answers.issues)
            lines.append(f"  - {text(message)}" + (f"; known as {text(explained(issue))}" if issue else ""))
        if (more := len(kind.messages) - _MOST_OF_A_KIND) > 0:
            lines.append(f"  - {counted(more, 'other message')}")
    return lines + [f"- {text(fault)}" for fault in answers.table.faults[:_MOST_ROWS]]


def _environment(answers: Answers) -> list[str]:
    facts = answers.circumstances.environments
    meters = sorted({meter for one in answers.standings for meter in named(meters_of(one.group, "energy_j"))})
    wanted = ("backends", "cpu", "memory_bytes", "os", "driver", "cuda", "gpu 0.name", "image_digest")
    lines = [f"- energy: {text(', '.join(meters))}"] if meters else []
    for field in wanted:
        if field in facts.alike:
            lines.append(f"- {text(field)}: {text(*told(field, [facts.alike[field]]))}")
    for field in wanted:
        if field in facts.differing:
            values = "; ".join(text(value or "—") for value in told(field, facts.differing[field]))
            lines.append(f"- {text(field)}, by environment: {values}")
    return lines


def _repeating(answers: Answers) -> list[str]:
    repeating = answers.repeating
    lines: list[str] = []
    if repeating.file_text is not None and repeating.file_name is not None:
        lines += [f"{code(repeating.file_name)}:", "", *block(repeating.file_text, "yaml"), ""]
        lines += block("\n".join(repeating.commands), "sh")
    notes = [f"- {text(note)}" for note in repeating.notes]
    return [*lines, "", *notes] if lines and notes else lines + notes
