"""What a campaign had complete, kept beside it while it is killed again and again."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Ledger:
    """What was seen complete, so that a loss or a repetition shows."""

    def __init__(self, results: Path, campaign: str) -> None:
        self._campaign = results / campaign
        self._seen: dict[str, str] = {}

    def look(self) -> None:
        found = {
            str(path.parent.relative_to(self._campaign)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self._campaign.glob("runs/*/c*/result.json")
        }
        lost = [run for run, digest in self._seen.items() if found.get(run) != digest]
        assert not lost, f"lost or changed: {lost}"
        self._seen = found

    def done_twice(self) -> list[str]:
        """Runs that two attempts carried to a result."""
        published = {f"{Path(run).parent.name}.{Path(run).name}" for run in self._seen}
        finished = (path.parent.name for path in self._campaign.glob("attempts/*/result.json"))
        return [name for name in finished if name.rsplit(".", 1)[0] in published]
