"""YAML files told apart, loaded and counted: campaigns, single experiments, the user config; nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from orchestrator.campaign.document import read_document
from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.kinds import kind_of
from orchestrator.campaign.load import load_campaign
from orchestrator.errors import FileError, InputError, Issue
from orchestrator.execution.readiness import campaign_issues
from orchestrator.system.config import CONFIG_FILE, load_user_config

Kind = Literal["campaign", "experiment", "base", "user config", "other"]
COUNTED = 10_000
"""Experiments are counted up to here."""

_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file is and holds, and what is wrong with it."""

    path: Path
    kind: Kind
    """experiment: a campaign file in which nothing varies and nothing is repeated, so that it is one run; base: what
    campaigns extend, checked with those."""
    name: str | None = None
    experiments: int | None = None
    """None: it is broken; more than :data:`COUNTED`: so many at least."""
    cycles: int = 1
    issues: tuple[Issue, ...] = ()

    @property
    def right(self) -> bool:
        """Whether there is nothing wrong with it."""
        return all(issue.severity != "error" for issue in self.issues)

    @property
    def runs(self) -> str:
        """How many runs it holds, in words."""
        if self.experiments is None:
            return ""
        more = "more than " if self.experiments > COUNTED else ""
        return f"{more}{min(self.experiments, COUNTED) * self.cycles:,}"


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files in a folder, by name; not those of folders in it.

    Raises:
        InputError: it cannot be looked into.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS and not path.is_dir())
    except OSError as error:
        raise InputError(f"{folder} cannot be looked into: {error.strerror}") from None


def look_into(path: Path, *, named: bool = True) -> Entry:
    """See what a file is and whether it is right.

    Args:
        path: the file.
        named: whether somebody says that it is one of ours; else one that has no sign of it is left alone.
    """
    if path.name == CONFIG_FILE:
        return _user_config(path)
    try:
        document = read_document(path)
    except InputError as error:
        return Entry(path, "campaign" if named else "other", issues=_issues(error))
    kind = kind_of(document.data)
    if kind == "base" or (kind == "other" and not named):
        return Entry(path, kind)
    name = document.data.get("name") if isinstance(document.data, dict) else None
    name = name if isinstance(name, str) else None
    try:
        campaign = load_campaign(path)
        experiments = sum(1 for _ in islice(expand(campaign, Funnel()), COUNTED + 1))
        found = campaign_issues(campaign)
    except InputError as error:
        return Entry(path, "campaign", name, issues=_issues(error))
    cycles = campaign.file.most_cycles
    single = experiments * cycles == 1
    return Entry(path, "experiment" if single else "campaign", campaign.name, experiments, cycles, tuple(found))


def _user_config(path: Path) -> Entry:
    try:
        read_document(path)
        load_user_config(path)
    except InputError as error:
        return Entry(path, "user config", issues=_issues(error))
    return Entry(path, "user config")


def _issues(error: InputError) -> tuple[Issue, ...]:
    return error.issues if isinstance(error, FileError) else (Issue(str(error), hint=error.hint),)
