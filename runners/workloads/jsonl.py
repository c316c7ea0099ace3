"""Prompts from a JSON Lines file: objects with a field, or bare strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runners.contract import fingerprint
from runners.errors import BadRequestError


def prompts_of_file(path: Path, column: str, sha256: str | None) -> Iterator[str]:
    """The prompts of a file, in its order; blank lines are passed over.

    Args:
        path: the file.
        column: the field of an object that holds its prompt.
        sha256: what the file hashed to when the campaign was planned; None: not known.

    Raises:
        BadRequestError: the file is missing, changed or empty, or a line holds no prompt.
    """
    try:
        if sha256 is not None and fingerprint.of_file(path) != sha256:
            raise BadRequestError(
                f"{path}: the file changed since the campaign was planned",
                "put the file back as it was, or begin the campaign anew",
            )
        lines = path.open("rb")
    except OSError as error:
        raise BadRequestError(
            f"cannot read the prompts in {path}: {error.strerror}", "see that workload.dataset names a file"
        ) from error
    found = 0
    with lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found += 1
                yield _prompt(line, column, f"{path}, line {number}")
    if not found:
        raise BadRequestError(f"{path} is empty", "write a JSON object or a JSON string on each line")


def _prompt(line: bytes, column: str, place: str) -> str:
    hint = f'each line is {{"{column}": "..."}} or a JSON string, in UTF-8'
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadRequestError(f"{place}: not valid UTF-8 ({error.reason})", hint) from error
    except RecursionError as error:
        raise BadRequestError(f"{place}: the JSON is nested too deeply to be read", hint) from error
    except ValueError as error:
        raise BadRequestError(f"{place}: not valid JSON ({error})", hint) from error
    if isinstance(value, dict):
        if column not in value:
            there = ", ".join(map(str, value)) or "none"
            raise BadRequestError(
                f"{place}: no field {column!r} (the fields are: {there})", "set workload.column to one of them"
            )
        value = value[column]
    if not isinstance(value, str):
        raise BadRequestError(f"{place}: the prompt is {type(value).__name__}, not a string", hint)
    if not value.strip():
        raise BadRequestError(f"{place}: the prompt is empty", "take the line out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError(f"{place}: the prompt holds half of a surrogate pair", hint) from error
    return value
