"""Files that are either whole or not there, and records of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.contract import fingerprint
from runners.contract.folders import sync
from runners.contract.result import FileRecord


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which becomes ``path`` on leaving, after fsync.

    Raises:
        OSError: it could not be written; ``path`` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a whole file or none.

    Raises:
        OSError: it could not be written.
    """
    with replaced(path) as temporary:
        temporary.write_bytes(content)


def record_of(path: Path) -> FileRecord:
    """Size in bytes and SHA-256 of a file."""
    return FileRecord(size_bytes=path.stat().st_size, sha256=fingerprint.of_file(path))
