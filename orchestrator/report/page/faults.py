"""The sections on what went wrong: checks, messages of engines, and what no answer rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.groups import SUSPECT
from orchestrator.report.answers import Answers
from orchestrator.report.counting import counted
from orchestrator.report.engine_messages import Said
from orchestrator.report.incomplete import FailedKind
from orchestrator.report.page.html import Html, dotted, element, joined, listed, name
from orchestrator.report.page.parts import MOST_ROWS, section
from orchestrator.report.page.tables import Cell, Head, Row, table
from orchestrator.results.known_issues import KnownIssue, issue_of_failure

_MOST_NAMED: Final = 20
_MOST_MESSAGES: Final = 5
_MOST_RUNS: Final = 500
_STATUS: Final = {"wip": "is worked on", "wontfix": "stays so", "external": "others' to mend, or the machine's"}


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


def messages_section(answers: Answers) -> Html:
    """What engines warned of, and what is known of it."""
    shown = answers.messages[:MOST_ROWS]
    unknown = sum(one.issue is None for one in answers.messages)
    heads = [Head("Message"), Head("Said by"), Head("Level"), Head("Runs", f"of {len(answers.frame):,}", True)]
    heads += [Head("Known as"), Head("What to think of it")]
    more = len(answers.messages) - len(shown)
    caption = "What engines and their libraries warned of, what no known issue explains first" + (
        f"; {more:,} more are not shown" if more else ""
    )
    return section(
        "messages",
        "Messages of engines",
        element("p", f"{unknown:,} of {counted(len(answers.messages), 'message')} no known issue explains."),
        table("messages-table", caption, heads, [_message(one) for one in shown]),
    )


def _message(said: Said) -> Row:
    known = said.issue
    return Row([
        Cell(said.text, class_="prose"),
        Cell(name(said.source)),
        Cell(said.level, class_="failed" if said.level == "error" and known is None else None),
        Cell(said.runs, said.runs, numeric=True),
        Cell(_known_as(known) if known else "unknown"),
        Cell(_note(known) if known else "—", class_="prose"),
    ])  # fmt: skip


def _known_as(issue: KnownIssue) -> Html:
    return joined(element("code", dotted(issue.id)), element("small", f"{issue.status}: {_STATUS[issue.status]}"))


def _note(issue: KnownIssue) -> Html:
    link = element("a", "more of it", href=issue.url, rel="noreferrer", aria_label=f"more of {issue.id}")
    return joined(issue.note, *((" (", link, ")") if issue.url else ()))


def left_out_section(answers: Answers) -> Html:
    """What no answer rests on."""
    items = [element("li", f"{counted(left.runs, 'run')}: ", name(left.reason), _because(left.reason, answers))
             for left in answers.left_out]  # fmt: skip
    items += [element("li", fault) for fault in answers.table.faults[:_MOST_NAMED]]
    if (more := len(answers.table.faults) - _MOST_NAMED) > 0:
        items.append(element("li", f"{more:,} more results that cannot be read"))
    failed = [_failed(kind, answers.issues) for kind in answers.incomplete.failed]
    nothing = element("p", "Nothing: every run that is complete counts, and none failed.")
    return section(
        "left-out",
        "Left out",
        element("ul", *items, class_="plain") if items else None,
        *failed,
        None if items or failed else nothing,
    )


def _because(reason: str, answers: Answers) -> Html | None:
    """Of suspect runs, the checks that they failed."""
    if reason != SUSPECT:
        return None
    critical = {check.name for check in answers.circumstances.checks if check.severity == "critical"}
    suspect = answers.frame[answers.frame["verdict"] != "good"]["failed_checks"]
    failed = Counter(check for checks in suspect for check in checks.split() if check in critical)
    told = [joined(element("code", dotted(check)), f" failed in {runs:,}") for check, runs in failed.most_common()]
    return joined(" (", listed(told), ")") if told else None


def _failed(kind: FailedKind, issues: Sequence[KnownIssue]) -> Html:
    more = len(kind.messages) - _MOST_MESSAGES
    messages = [
        element("li", message, _explained(issue_of_failure(message, issues)))
        for message in kind.messages[:_MOST_MESSAGES]
    ]
    runs = ", ".join(kind.runs[:_MOST_RUNS]) + (" …" if len(kind.runs) > _MOST_RUNS else "")
    return joined(
        element("h3", f"{counted(len(kind.runs), 'run')} failed: ", element("code", dotted(kind.kind))),
        element("p", f"{kind.meaning[:1].upper()}{kind.meaning[1:]}; {kind.hint}."),
        element("ul", *messages, class_="plain"),
        element("p", f"{counted(more, 'other message')} of the kind.") if more > 0 else None,
        element("details", element("summary", "Which runs"), element("p", runs)),
    )


def _explained(issue: KnownIssue | None) -> Html | None:
    if issue is None:
        return None
    return element("small", "Known as ", element("code", dotted(issue.id)), f" ({issue.status}): ", _note(issue))
