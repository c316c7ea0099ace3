"""One orchestrator a campaign: a lock that dies with its holder, and says who that is."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.errors import InUseError

_LOCK = "lock"
_OWNER = "owner.json"
_PATIENCE_S = 0.5
"""For one that only looks whether the lock is held, and so holds it for a moment."""


@contextmanager
def campaign_lock(state_dir: Path, campaign: str) -> Iterator[None]:
    """Hold a campaign for as long as the context lasts; the operating system frees it at a crash.

    Raises:
        InUseError: another orchestrator holds it; the message names its process and host.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state_dir / _LOCK, timeout=_PATIENCE_S)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(
            f"campaign {campaign!r} is in use by {_owner(state_dir)}",
            hint="wait for it to end, or stop it; `orchestrate status` shows how far it is",
        ) from None
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        (state_dir / _OWNER).write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        lock.release()


def is_held(state_dir: Path) -> bool:
    """Whether some orchestrator holds a campaign just now."""
    if not (state_dir / _LOCK).exists():
        return False
    lock = FileLock(state_dir / _LOCK, timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True


def _owner(state_dir: Path) -> str:
    try:
        owner = json.loads((state_dir / _OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another orchestrator, which is just starting"
