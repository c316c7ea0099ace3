"""This machine's time zone, with its rules and not only today's offset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestrator.errors import InputError

_LOCALTIME = Path("/etc/localtime")


def local_zone(environ: Mapping[str, str] = os.environ, localtime: Path = _LOCALTIME) -> tzinfo:
    """The zone that TZ names, else the one that the machine is set to, else UTC.

    Args:
        environ: where TZ may be set.
        localtime: the machine's zone.

    Raises:
        InputError: TZ names no zone that is known here.
    """
    named = environ.get("TZ")
    if named is None:
        return _of_file(localtime) if localtime.exists() else UTC
    name = named.removeprefix(":")
    if not name:
        return UTC
    try:
        return _of_file(Path(name)) if name.startswith("/") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"TZ={named!r} is no time zone that is known here", hint="name one, such as TZ=Europe/Berlin"
        ) from None


def _of_file(path: Path) -> tzinfo:
    _, found, key = str(path.resolve()).partition("/zoneinfo/")
    if found:
        try:
            return ZoneInfo(key)
        except (ZoneInfoNotFoundError, ValueError):
            pass
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=key or "local")
