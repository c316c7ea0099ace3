"""HTML put together so that text is data: whatever is not :class:`Html` is escaped. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from orchestrator.analysis.labels import SEPARATOR
from orchestrator.printable import harmless

_MOST_UNBROKEN = 20
"""Characters that fit a line wherever they stand."""
_VOID = frozenset({"meta", "link", "input", "wbr"})


class Html(str):
    """Text that is markup, made by the functions of this module alone."""

    __slots__ = ()


def text(content: object) -> Html:
    """Content as text; characters that HTML does not allow, or that turn text around, become escapes."""
    return content if isinstance(content, Html) else _escaped(content)


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element. Attributes that are None or False are left out; ``class_`` is ``class``, ``data_x`` is ``data-x``."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_escaped(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    start = f"<{tag}{written}>"
    return Html(start if tag in _VOID else f"{start}{joined(*children)}</{tag}>")


def joined(*children: object) -> Html:
    """Several after one another; None is nothing."""
    return Html("".join(text(child) for child in children if child is not None))


def listed(items: Sequence[object], separator: str = ", ") -> Html:
    """Several with something between them."""
    return joined(*(part for place, item in enumerate(items) for part in ((separator, item) if place else (item,))))


def name(content: object) -> Html:
    """A name in any script, kept from changing the direction of what stands around it.

    A label of several parts breaks between them; only a long part breaks within itself.
    """
    if isinstance(content, Html):
        return element("bdi", content)
    *parts, last = str(content).split(SEPARATOR)
    kept = [f"{part}{SEPARATOR.rstrip()}" for part in parts]
    return element("bdi", listed([_unbroken(part) for part in (*kept, last)], " "))


def _unbroken(part: str) -> Html:
    return element("span", part) if " " in part and len(part) <= _MOST_UNBROKEN else text(part)


def dotted(content: str) -> Html:
    """A name like ``vllm.max_num_seqs``, which may go on in the next line where its parts end."""
    parts = re.split(r"(?<=[._])(?=\w)", content)
    return name(joined(parts[0], *(joined(element("wbr"), part) for part in parts[1:])))


def json_island(identity: str, value: Any) -> Html:
    """Data for the page's script. No ``<`` is left in it, so that nothing in it can end the element."""
    written = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{escape(identity)}">{written}</script>')


def inline_script(code: str) -> Html:
    """A script of ours or of a library.

    Raises:
        ValueError: it holds what would end the element, or begin a comment in it.
    """
    if re.search(r"</script|<!--", code, re.IGNORECASE):
        raise ValueError("a script that holds </script or <!-- cannot be inlined")
    return Html(f"<script>{code}</script>")


def _escaped(content: object) -> Html:
    return Html(escape(harmless(str(content))))
