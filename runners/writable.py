"""Folders that cannot be written: whose they are, and what to do. Standard library only."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from runners.errors import OUT_OF_SPACE, BadRequestError, DiskFullError, RunnerError

_GROUP_WRITES = 0o030


def require_writable(folder: Path) -> None:
    """Tries whether a file can be made in a folder.

    Raises:
        BadRequestError: it cannot.
        DiskFullError: there is no space for one.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> RunnerError:
    """What the operating system's refusal to write in a folder comes down to."""
    message = f"{folder} cannot be written: {error.strerror}"
    if error.errno in OUT_OF_SPACE:
        return DiskFullError(message, "free space where the results folder lies, then run it again")
    if error.errno == errno.EROFS:
        return BadRequestError(message, "mount it so that it can be written (without :ro)")
    if error.errno not in (errno.EACCES, errno.EPERM):
        return BadRequestError(message, "make the folder before the first start: mkdir results")
    refused = Path(error.filename or folder).absolute()
    there = next(path for path in (refused, *refused.parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    status = there.stat()
    return BadRequestError(
        f"{message}; {there} belongs to {status.st_uid}:{status.st_gid}, and this runs as {os.getuid()}:{os.getgid()}",
        _remedy(status),
    )


def _remedy(status: os.stat_result) -> str:
    """What gives this process the right to write in a folder; it may be in a container, and the folder outside."""
    if status.st_uid == os.getuid():
        return "chmod u+rwx it"
    give = f"chown {os.getuid()}:{os.getgid()} it on the host"
    if status.st_gid and status.st_mode & _GROUP_WRITES == _GROUP_WRITES:
        return (
            f"its group may write: `newgrp` to group {status.st_gid} before orchestrate, or for containers by hand"
            f" PGID={status.st_gid} in .env; else {give}"
        )
    if not status.st_uid:
        return f"root made it, probably through Docker: {give}, or remove it and mkdir it yourself"
    return f"{give}; or for containers by hand PUID={status.st_uid} and PGID={status.st_gid} in .env"
