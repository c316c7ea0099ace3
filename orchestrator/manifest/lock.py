"""One orchestrator a campaign: a lock that dies with its holder, and says who that is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.errors import InUseError

LOCK = ".lock"
_OWNER = ".owner.json"
_PATIENCE_S = 0.5
"""For one that only looks whether the lock is held, and so shares it for a moment."""


@contextmanager
def campaign_lock(folder: Path, campaign: str) -> Iterator[None]:
    """Hold a campaign for as long as the context lasts; the operating system frees it at a crash.

    Args:
        folder: the campaign's results, which are what must not be worked on twice.
        campaign: its name, for the message.

    Raises:
        InUseError: another orchestrator holds it; the message names its process and host.
    """
    hint = "wait for it to end, or stop it; `orchestrate status` shows how far it is"
    with held(folder, f"campaign {campaign!r} is in use", hint):
        yield


@contextmanager
def held(folder: Path, taken: str, hint: str) -> Iterator[None]:
    """Hold a folder for as long as the context lasts; the operating system frees it at a crash.

    Args:
        folder: what must not be worked on twice.
        taken: what to say where another holds it; by whom is added.
        hint: what to do then.

    Raises:
        InUseError: another orchestrator holds it; the message names its process and host.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=_PATIENCE_S)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(f"{taken} by {_owner(folder)}", hint=hint) from None
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        (folder / _OWNER).write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether some orchestrator holds a campaign just now; needs no more than to read its folder."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / _OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another orchestrator, which is just starting"
