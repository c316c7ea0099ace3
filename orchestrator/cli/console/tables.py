"""Tables and lines, for terminals of any width and for files."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.cli.console.terminal import new_console
from orchestrator.report.tables import Table

_PROSE = 30


def print_table(table: Table, *, to_stderr: bool = False) -> None:
    """Draw a table, with its notes below; text in brackets is printed as it is.

    Off a terminal nothing is folded or cut. On one that is too narrow each row becomes a block of lines.
    """
    console = new_console(to_stderr=to_stderr)
    if _width_needed(table) <= console.width:
        console.print(_drawn(table))
    else:
        _print_blocks(console, table)
    for note in table.notes:
        console.print(Text(f"Note: {note}"))


def print_lines(lines: Iterable[str], *, to_stderr: bool = False) -> None:
    """Print lines; on a terminal one that is too long goes on below, as far indented as it begins."""
    console = new_console(to_stderr=to_stderr)
    for line in lines:
        text = line.lstrip(" ")
        console.print(Padding(Text(text), (0, 0, 0, len(line) - len(text)), expand=False))


def _width_needed(table: Table) -> int:
    """Columns of a terminal that it takes to show each cell whole; prose is folded."""
    width = 1
    for position, column in enumerate(table.columns):
        cells = [*column.title.splitlines(), *(row[position] for row in table.rows)]
        widest = max(map(cell_len, cells), default=0)
        width += 2 + (min(widest, _PROSE) if column.prose else widest)
    return width


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(
        title=Text(table.title),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_header=any(column.title for column in table.columns),
    )
    for column in table.columns:
        justify: JustifyMethod = "right" if column.numeric else "left"
        drawn.add_column(Text(column.title), justify=justify, overflow="fold", no_wrap=not column.prose)
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _print_blocks(console: Console, table: Table) -> None:
    console.print(Text(table.title, style="bold"))
    for row in table.rows:
        console.print()
        for column, cell in zip(table.columns, row, strict=True):
            heading = " ".join(column.title.split())
            if cell:
                console.print(Text(f"{heading}: {cell}" if heading else cell))
    console.print()
