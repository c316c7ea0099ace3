"""What tells a file, or a model's folder, from another of the same name."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK_BYTES = 2**20
_SAMPLE_BYTES = 64 * 1024


def of_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def of_model(folder: Path) -> str:
    """SHA-256 over names, sizes, heads and tails of a model's files: another model under the same name shows.

    Weights are too large to be read whole before each campaign.

    Raises:
        OSError: they cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE_BYTES))
            file.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
