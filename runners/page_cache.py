"""The kernel's page cache of single files: asked to let go of them, and asked what it holds."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_TRIES = 3
_RESIDENT = bytes(byte & 1 for byte in range(256))
"""Of a byte of mincore's answer only the lowest bit means something."""


def drop(paths: Iterable[Path]) -> str | None:
    """Has the kernel let go of the pages of files, so that they are read from the disk again.

    It needs no privilege and touches no other file, unlike ``/proc/sys/vm/drop_caches``. Pages that another process
    has mapped stay.

    Args:
        paths: files, or folders of files; links are followed.

    Returns:
        Why some pages are there still, or may be; None where none is.
    """
    if sys.platform != "linux":
        return f"{sys.platform} has no way to drop a file from the page cache"
    held_bytes = size_bytes = 0
    untold: list[Path] = []
    for file in _files(paths):
        try:
            held = _dropped(file)
            size_bytes += file.stat().st_size
        except OSError as error:
            return f"{file} cannot be read: {error.strerror}"
        if held is None:
            untold.append(file)
        else:
            held_bytes += held
    if held_bytes:
        return (
            f"{held_bytes / 2**20:,.1f} of {size_bytes / 2**20:,.1f} MiB stayed in the page cache: another process has"
            " them mapped, or they lie in memory"
        )
    if untold:
        return f"the kernel was asked to, and tells only their owner whether it did: {untold[0]} is another user's"
    return None


def resident_bytes(file: Path) -> int | None:
    """How much of a file is in the page cache; None where the kernel does not tell this user.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        return _resident_bytes(opened.fileno(), file)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*")) if file.is_file())
        else:
            yield path


def _dropped(file: Path) -> int | None:
    """Bytes of a file that are cached still after the kernel was asked to let go of it."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a page that was not written yet would stay; not every disk can be
            os.fsync(descriptor)
        held: int | None = 0
        for _ in range(_TRIES):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            held = _resident_bytes(descriptor, file)
            if not held:
                break
        return held
    finally:
        os.close(descriptor)


def _resident_bytes(descriptor: int, file: Path) -> int | None:
    status = os.fstat(descriptor)
    if status.st_size == 0:
        return 0
    if status.st_uid != os.geteuid() and not os.access(file, os.W_OK):
        return None  # the kernel would say that all of it is there
    with mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY) as mapped:
        pages = -(-status.st_size // mmap.PAGESIZE)
        told = (ctypes.c_ubyte * pages)()
        view = ctypes.c_char.from_buffer(mapped)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.mincore(ctypes.c_void_p(ctypes.addressof(view)), ctypes.c_size_t(status.st_size), told):
                return None
        finally:
            del view  # else the mapping cannot be closed
        return bytes(told).translate(_RESIDENT).count(1) * mmap.PAGESIZE
