"""Files that are either whole or not there, and records of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.contract.result import FileRecord

_BLOCK_BYTES = 2**20


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


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def record_of(path: Path) -> FileRecord:
    """Size in bytes and SHA-256 of a file."""
    return FileRecord(size_bytes=path.stat().st_size, sha256=sha256_of(path))


def sync(path: Path) -> None:
    """Puts a file's content, or a folder's entries, on the disk itself, where a power cut leaves it.

    Raises:
        OSError: it could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
