"""The text of a ``.env`` file: what it sets, and what can be added without touching a byte of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

COMMENT = "# added by orchestrate"
_ENTRY = re.compile(
    r"""
    ^\ufeff?[^\S\n]*(?:export[^\S\n]+)?     # the file may begin with a byte order mark
    (?P<key>[A-Za-z_][\w.-]*)[^\S\n]*
    (?:
      [=:][^\S\n]*                          # compose knows `KEY: value` too
      (?: '(?P<single>(?:[^'\\]|\\.)*)'     # quoted values may go on over several lines
        | "(?P<double>(?:[^"\\]|\\.)*)"
        | (?P<bare>[^\n]*)
      )
      | $                                   # a key alone takes its value from the environment
    )
    """,
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)


def entries(text: str) -> dict[str, str]:
    """What a ``.env`` file sets, the last of several wins; a key without a value is empty."""
    found = {}
    for entry in _ENTRY.finditer(text):
        quoted = entry["single"] if entry["single"] is not None else entry["double"]
        found[entry["key"]] = quoted if quoted is not None else _without_comment(entry["bare"] or "")
    return found


def complete(text: str, wanted: Mapping[str, str]) -> str:
    """The text with the keys it lacks appended under one comment line; what is there stays as it is."""
    set_already = entries(text)
    lines = [f"{key}={value}" for key, value in wanted.items() if key not in set_already]
    if not lines:
        return text
    ending = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else ending
    return text + gap + "".join(line + ending for line in (COMMENT, *lines))


def _without_comment(value: str) -> str:
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
