"""Tables of the page: their script sorts and filters them; without it they are tables all the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.report.page.html import Html, element, joined
from runners.contract.quantities import Quantity

_FILTERED_FROM = 8
"""Rows; fewer are seen at a glance."""

_LONG = 16
"""Characters of a title; a longer one has a wider column, so that it takes two lines and no more."""
_SCROLLED_FROM = 30
"""Rows; so many stand below one another, more scroll within the page."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading."""

    title: str
    small: str | None = None
    """Below it, such as the unit."""
    numeric: bool = False
    still: bool = False
    """Whether it does not sort."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell; the value that it sorts by, where that is a number."""

    content: object
    value: float | None = None
    numeric: bool = False
    class_: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row; its first cell is its heading where the table's rows have one."""

    cells: Sequence[Cell]
    class_: str | None = None


def headline(quantity: Quantity) -> str:
    """Its title as a heading; ``TTFT`` stays what it is."""
    return f"{quantity.title[:1].upper()}{quantity.title[1:]}"


def figure_cell(quantity: Quantity, value: float | None, small: str | None = None) -> Cell:
    """A figure as the quantity is shown; a dash sorts last."""
    return Cell(joined(quantity.show(value), element("small", small) if small else None), value, numeric=True)


def table(
    identity: str,
    caption: object,
    heads: Sequence[Head],
    rows: Iterable[Row],
    *,
    heading_column: int = 0,
    sortable: bool = True,
) -> Html:
    """A table that scrolls where it is too wide, with a field that filters it where it is long.

    Args:
        identity: letters, digits and hyphens.
        caption: what it shows.
        heads: of its columns.
        rows: of it.
        heading_column: whose cells name their rows.
        sortable: by its headings.
    """
    written = [_row(row, heading_column) for row in rows]
    numbered = [_head(head) for head in heads]
    body = element(
        "table",
        element("caption", caption, id=f"{identity}-caption"),
        element("thead", element("tr", *numbered)),
        element("tbody", *written),
        id=identity,
        data_sortable=sortable and len(written) > 1,
    )
    scroll = element(
        "div",
        body,
        class_="scroll long" if len(written) > _SCROLLED_FROM else "scroll",
        tabindex="0",
        role="region",
        aria_labelledby=f"{identity}-caption",
    )
    return joined(_filter(identity) if sortable and len(written) >= _FILTERED_FROM else None, scroll)


def _filter(identity: str) -> Html:
    field = f"{identity}-filter"
    return element(
        "div",
        element("label", "Filter rows", for_=field),
        element("input", type="search", id=field, autocomplete="off", spellcheck="false", aria_controls=identity),
        element("output", for_=field),
        class_="filter",
        data_filters=identity,
        hidden=True,
    )


def _head(head: Head) -> Html:
    small = element("small", head.small) if head.small else None
    return element(
        "th",
        head.title,
        small,
        scope="col",
        class_=("n titled" if len(head.title) > _LONG else "n") if head.numeric else None,
        data_still="" if head.still else None,
    )


def _row(row: Row, heading_column: int) -> Html:
    cells = []
    for place, cell in enumerate(row.cells):
        value = ("" if cell.value is None or cell.value != cell.value else repr(cell.value)) if cell.numeric else None
        tag, scope = ("th", "row") if place == heading_column else ("td", None)
        classes = " ".join(filter(None, ("n" if cell.numeric else None, cell.class_))) or None
        cells.append(element(tag, cell.content, scope=scope, class_=classes, data_v=value))
    return element("tr", *cells, class_=row.class_)
