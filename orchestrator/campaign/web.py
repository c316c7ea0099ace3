"""What may stand as the URL of a webhook. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PLAIN = re.compile(r"[\x21-\x7e]+")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,}")


def check_url(url: str) -> None:
    """See that a URL is one of the web.

    Raises:
        ValueError: it is not; the message does not repeat it, since it may hold a secret.
    """
    try:
        parts = urlsplit(url)
        sound = bool(_PLAIN.fullmatch(url) and parts.scheme in ("http", "https") and parts.hostname)
        port = parts.port
    except ValueError:
        sound, port = False, None
    if not sound or port == 0:
        raise ValueError("is no URL of a web server: http://HOST/… or https://HOST/…")


def has_credentials(url: str) -> bool:
    """Whether a URL names a user or a password."""
    return "@" in urlsplit(url).netloc


def seems_secret(url: str) -> bool:
    """Whether a URL holds what looks like a token: whoever reads it can post there."""
    parts = urlsplit(url)
    return bool(parts.query) or any(map(_TOKEN.fullmatch, parts.path.split("/")))


def shown_url(url: str) -> str:
    """A URL as it may be shown and written down: its user, path and query can hold tokens."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" + ("/…" if parts.path.strip("/") or parts.query else "")
