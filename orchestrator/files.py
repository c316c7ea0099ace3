"""Files that exist whole or not at all: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import DiskError
from runners.contract.folders import sync


def write_durably(path: Path, text: str) -> None:
    """Write a text file so that after any crash it is there whole, or as before; also if several do so at once."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
        replace_durably(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def has_room(folder: Path, size_bytes: int) -> bool:
    """Whether so many bytes can still be written in a folder: tried, since a quota shows nowhere else."""
    ballast = folder / ".room"
    try:
        with ballast.open("wb") as file:
            file.write(bytes(size_bytes))
        sync(ballast)
    except OSError:
        return False
    finally:
        ballast.unlink(missing_ok=True)
    return True


def replace_durably(draft: Path, path: Path) -> None:
    """Put a finished file in its place, both flushed to the disk."""
    sync(draft)
    draft.replace(path)
    sync(path.parent)


@contextmanager
def disk_errors(then: str | None = None) -> Iterator[None]:
    """What the system says of files, in our words.

    Args:
        then: the command that goes on from there; None: the same once more.

    Raises:
        DiskError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DiskError.of(error, then) from error
