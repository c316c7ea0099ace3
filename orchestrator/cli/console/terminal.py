"""What is drawn on: a terminal, or none; and text that fits into so many columns of it."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_UNBOUNDED = 10_000


def new_console(*, to_stderr: bool = False) -> Console:
    """A console that prints text as it is; off a terminal nothing is folded or cut."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=False, stderr=to_stderr)
    if not is_terminal(console):
        console.width = _UNBOUNDED
    return console


def is_terminal(console: Console) -> bool:
    """Whether somebody looks at it: colours that are forced upon a file make it no terminal."""
    return bool(console.file.isatty())


def can_move(console: Console) -> bool:
    """Whether it can draw over what it drew."""
    return is_terminal(console) and console.is_terminal and not console.is_dumb_terminal


def hanging(line: str) -> Padding:
    """A line that, if it is too long, goes on below, as far indented as it begins."""
    text = line.lstrip(" ")
    return Padding(Text(text), (0, 0, 0, len(line) - len(text)), expand=False)


def fitted(text: str, width: int) -> str:
    """A text in at most so many columns; its end is cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def fitted_end(text: str, width: int) -> str:
    """A text in at most so many columns; its beginning is cut, since the end tells it from others."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    end = text
    while cell_len(end) > width - 1:
        end = end[1:]
    return "…" + end
