"""Which campaigns a project has begun: light, for commands that only read."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import InputError
from orchestrator.system.project import Project
from runners.contract.paths import ADHOC, CAMPAIGN


def campaigns(project: Project) -> list[str]:
    """The names of the project's campaigns."""
    return sorted(path.parent.name for path in project.results.glob(f"*/{CAMPAIGN}"))


def existing(project: Project, name: str) -> Path:
    """The results folder of a campaign that is there.

    Raises:
        InputError: there is none of that name.
    """
    known = campaigns(project)
    if name in known or (name == ADHOC and (project.results / ADHOC).is_dir()):
        return project.results / name
    hint = f"known: {', '.join(known)}" if known else "start one with `orchestrate campaign FILE`"
    raise InputError(f"there is no campaign {name!r} in {project.results}", hint=hint)
