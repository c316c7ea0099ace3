"""Files that exist whole or not at all: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


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
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename in it outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
