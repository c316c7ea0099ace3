"""Whether there is somebody to ask."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """Whether a question, which goes to standard error, is seen, and answered on standard input.

    Python has no such stream at all where it was closed.
    """
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
