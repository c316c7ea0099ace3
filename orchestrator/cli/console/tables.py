"""Tables and lines, for terminals of any width and for files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.cli.console.terminal import hanging, new_console
from orchestrator.printable import harmless, on_one_line
from orchestrator.report.tables import Column, Table

_PROSE = 20
_MANY_ROWS = 200
"""From here on rows are written by ourselves: rich takes a millisecond for each."""
_SPACE = 2


def print_table(table: Table, *, to_stderr: bool = False) -> None:
    """Draw a table, with its notes below; text in brackets is printed as it is.

    Off a terminal nothing is folded or cut. On one that is too narrow each row becomes a block of lines.
    """
    console = new_console(to_stderr=to_stderr)
    table = _harmless(table)
    cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    widths = list(map(_widest, table.columns, cells))
    console.print(Text(table.title, style="bold"))
    if 1 + sum(_SPACE + width for width in widths) > console.width:
        _print_blocks(console, table)
    elif len(table.rows) >= _MANY_ROWS and not any(column.prose for column in table.columns):
        _write_rows(console, table, cells, widths)
    else:
        console.print(_drawn(table))
    for note in table.notes:
        console.print(Text(f"Note: {note}"))


def print_lines(lines: Iterable[str], *, to_stderr: bool = False) -> None:
    """Print lines; on a terminal one that is too long goes on below, as far indented as it begins."""
    console = new_console(to_stderr=to_stderr)
    for line in lines:
        console.print(hanging(harmless(line)))


def _harmless(table: Table) -> Table:
    """A table whose cells move no cursor and turn no text around; only prose may be of several lines."""
    rows = table.rows
    if not all("".join(row).isprintable() for row in rows):
        ways = [harmless if column.prose else on_one_line for column in table.columns]
        rows = [[way(cell) for way, cell in zip(ways, row, strict=True)] for row in rows]
    columns = [replace(column, title=harmless(column.title)) for column in table.columns]
    return replace(
        table, title=harmless(table.title), columns=columns, rows=rows, notes=list(map(harmless, table.notes))
    )


def _widest(column: Column, cells: Iterable[str]) -> int:
    """Columns of a terminal that it takes to show each cell whole; prose is folded."""
    widest = max(map(_width, {*column.title.splitlines(), *cells}), default=0)
    return min(widest, _PROSE) if column.prose else widest


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else cell_len(cell)


def _drawn(table: Table, widths: Sequence[int] = ()) -> RichTable:
    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_header=any(column.title for column in table.columns),
    )
    for column, width in zip_longest(table.columns, widths):
        justify: JustifyMethod = "right" if column.numeric else "left"
        drawn.add_column(
            Text(column.title), justify=justify, overflow="fold", no_wrap=not column.prose, min_width=width
        )
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _write_rows(console: Console, table: Table, cells: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """What rich would draw: the heading is its, and the rows are like its."""
    with console.capture() as captured:
        console.print(_drawn(replace(table, rows=()), widths))
    *head, last = captured.get().splitlines(keepends=True)
    columns = [
        _justified(column, of_one, width) for column, of_one, width in zip(table.columns, cells, widths, strict=True)
    ]
    rows = (f" {'  '.join(row)} \n" for row in zip(*columns, strict=True))
    console.file.write("".join((*head, *rows, last)))


def _justified(column: Column, cells: Sequence[str], width: int) -> list[str]:
    justify = str.rjust if column.numeric else str.ljust
    if "".join(cells).isascii():
        return [justify(cell, width) for cell in cells]
    return [justify(cell, width - _width(cell) + len(cell)) for cell in cells]


def _print_blocks(console: Console, table: Table) -> None:
    headings = [" ".join(column.title.split()) for column in table.columns]
    blocks = [
        [f"{heading}: {cell}" if heading else cell for heading, cell in zip(headings, row, strict=True) if cell]
        for row in table.rows
    ]
    if len(blocks) >= _MANY_ROWS:
        console.file.write("".join("\n" + "".join(f"{line}\n" for line in block) for block in blocks))
    else:
        for block in blocks:
            console.print()
            for line in block:
                console.print(Text(line))
    console.print()
