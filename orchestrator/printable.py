"""Text that others wrote, so that whatever shows it shows all of it, and does nothing else."""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufdd0-\ufdef\ufffe\uffff"
)
"""Controls of terminals, of lines and of the direction of text, and what no file may hold."""
_ANYWHERE: Final = re.compile(f"[{_UNSEEN}]")
_IN_A_LINE: Final = re.compile(f"[{_UNSEEN}\t\n]")


def harmless(text: str) -> str:
    r"""Text in which controls stand as escapes, such as ``\x1b`` and ``\u202e``: they are seen, and move nothing.

    What joins letters and emoji is none of them; tabs and ends of lines stay.
    """
    return _ANYWHERE.sub(_escaped, text)


def on_one_line(text: str) -> str:
    """The same for a name: tabs and ends of lines are escapes too."""
    return _IN_A_LINE.sub(_escaped, text)


def in_json(text: str) -> str:
    """JSON that means the same, with its controls as JSON writes them."""
    return _ANYWHERE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]
