"""What is wrong with a campaign, before it is known on which line."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.campaign.document import FieldPath


@dataclass(frozen=True, slots=True)
class Finding:
    """An issue, with the place in the file as a path."""

    path: FieldPath
    message: str
    hint: str | None = None
