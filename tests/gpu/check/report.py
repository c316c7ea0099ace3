"""The page: parts with tables, and what was expected of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """One table, its cells as text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


class Expectation(NamedTuple):
    """Something that should be so."""

    name: str
    wanted: str
    seen: str
    met: bool | None
    """None: it could not be judged, which is as bad."""


class Part(NamedTuple):
    """One part of the page."""

    title: str
    tables: Sequence[Table] = ()
    expectations: Sequence[Expectation] = ()
    notes: Sequence[str] = ()
    failure: str | None = None
    """Why there is nothing, or no more, in it."""


def at_most(name: str, limit: float, value: float | None, unit: str = "", scale: float = 1.0) -> Expectation:
    """An expectation that a figure is not above a limit; both are shown times ``scale``."""
    return Expectation(
        name, f"≤ {limit * scale:g}{unit}", shown(value, scale, unit), _judged(value, lambda v: v <= limit)
    )


def at_least(name: str, limit: float, value: float | None) -> Expectation:
    """An expectation that a figure is not below a limit."""
    return Expectation(name, f"≥ {limit:g}", shown(value), _judged(value, lambda v: v >= limit))


def within(name: str, low: float, high: float, value: float | None) -> Expectation:
    """An expectation that a figure lies between two limits."""
    return Expectation(name, f"{low:g} to {high:g}", shown(value), _judged(value, lambda v: low <= v <= high))


def shown(value: float | None, scale: float = 1.0, unit: str = "", digits: int = 4) -> str:
    """A figure with so many digits; a dash for None."""
    return "–" if value is None else f"{value * scale:.{digits}g}{unit}"


def all_met(parts: Sequence[Part]) -> bool:
    """Whether every part came about and every expectation is met."""
    return all(part.failure is None and all(one.met for one in part.expectations) for part in parts)


def page(title: str, machine: Table, parts: Sequence[Part], simulated: bool) -> str:
    """The whole page, in Markdown.

    Args:
        title: what was checked.
        machine: what it was checked on.
        parts: in the order of the page.
        simulated: whether a simulated NVML plays the GPU; title and tables then say so.
    """
    expectations = [(part, one) for part in parts for one in part.expectations]
    missed = sum(not one.met for _, one in expectations)
    failed = [part for part in parts if part.failure is not None]
    verdict = Table(
        ("what", "part", "expected", "seen", "met"),
        [(one.name, part.title, one.wanted, one.seen, _met(one.met)) for part, one in expectations],
    )
    lines = [f"# {title}{' (simulated)' if simulated else ''}", ""]
    if simulated:
        lines += ["Nothing was measured: a simulated NVML plays the GPU, and the loads ran on the CPU.", ""]
    lines += ["Written by `make gpu-check`, not by hand.", "", *_table(machine, simulated)]
    lines += ["## Verdict", "", _summary(len(expectations), missed, failed), "", *_table(verdict, simulated)]
    for number, part in enumerate(parts, start=1):
        lines += [f"## {number}. {part.title}", ""]
        for table in part.tables:
            lines += _table(table, simulated)
        for note in part.notes:
            lines += [f"- {note}"]
        lines += [""] if part.notes else []
        if part.failure is not None:
            lines += [f"**This part failed:** {_cell(part.failure)}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary(count: int, missed: int, failed: Sequence[Part]) -> str:
    words = [f"{count - missed} of {count} expectations are met." if count else "Nothing could be judged."]
    if failed:
        words.append(f"Parts that failed: {', '.join(part.title for part in failed)}.")
    if missed or failed or not count:
        words.append("**Not all is as it should be.**")
    return " ".join(words)


def _table(table: Table, simulated: bool) -> list[str]:
    columns = list(table.columns)
    if simulated:
        columns[0] += " (simulated)"
    lines = [f"{table.caption}:", ""] if table.caption else []
    lines += [_row(columns), _row(["---"] * len(columns)), *(_row(row) for row in table.rows)]
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _judged(value: float | None, rule: object) -> bool | None:
    assert callable(rule)
    return None if value is None else bool(rule(value))


def _met(met: bool | None) -> str:
    return {True: "yes", False: "**no**", None: "**not judged**"}[met]
