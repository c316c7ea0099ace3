"""Files that exist whole or not at all: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

from pathlib import Path

from runners.contract.folders import sync


def write_durably(path: Path, text: str) -> None:
    """Write a text file so that after any crash it is there whole, or as it was before."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
        replace_durably(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def replace_durably(draft: Path, path: Path) -> None:
    """Put a finished file in its place, both flushed to the disk."""
    sync(draft)
    draft.replace(path)
    sync(path.parent)
