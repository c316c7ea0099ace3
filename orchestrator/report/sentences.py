"""Sentences with names in them, which are data in any script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Name(NamedTuple):
    """A name from a campaign within a sentence."""

    text: str


Sentence = Sequence[str | Name]
"""What stands between backticks in its texts is code."""
