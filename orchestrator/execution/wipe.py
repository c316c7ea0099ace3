"""A campaign forgotten: its manifest is removed, its results are moved aside with a date, and nothing is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.campaign.schema import DispatcherName
from orchestrator.dispatch.choose import choose_dispatcher
from orchestrator.dispatch.scene import Scene
from orchestrator.errors import InputError, InUseError, MachineError, OrchestratorError
from orchestrator.execution.campaigns import existing
from orchestrator.manifest.lock import LOCK, campaign_lock, is_held
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import thaw
from orchestrator.system.project import Project
from runners.contract.folders import sync
from runners.contract.paths import ADHOC

_ASIDE = ".wiped"
"""Below the results folder; one level deeper than campaigns are looked for."""


@dataclass(frozen=True, slots=True)
class Wiping:
    """What wiping a campaign would do."""

    name: str
    folder: CampaignFolder
    complete: int
    attempts: int
    """Folders of attempts that gave no result, or are under way."""


def wiping(name: str, project: Project) -> Wiping:
    """Look at what would be wiped; needs neither a manifest nor a campaign that can be read.

    Raises:
        InputError: there is no such campaign.
        InUseError: an orchestrator is at work on it.
    """
    folder = CampaignFolder(existing(project, name))
    if name == ADHOC:
        raise InputError(f"{name!r} holds single runs, no campaign", hint=f"move {folder.path} away by hand")
    if is_held(folder.path):
        raise InUseError(f"campaign {name!r} is in use", hint="stop it first; `orchestrate status` shows how far it is")
    return Wiping(name, folder, len(folder.published()), len(folder.attempt_names()))


def wipe(name: str, project: Project, agreed: Callable[[Wiping], bool]) -> Path | None:
    """Stop what is still at work of a campaign, move its results aside, then forget its manifest.

    The move is one rename: killed before it, nothing was wiped; killed after it, the campaign is gone, and a manifest
    that is left over is replaced by the next campaign of that name.

    Args:
        name: of the campaign.
        project: whose it is.
        agreed: asked once, before anything is done.

    Returns:
        Where the results are now; None where it was not agreed to.

    Raises:
        InputError: there is no such campaign.
        InUseError: an orchestrator is at work on it.
        MachineError: what is at work of it cannot be stopped.
    """
    if not agreed(wiping(name, project)):
        return None
    folder = CampaignFolder(project.results / name)
    with campaign_lock(folder.path, name):
        _stop_what_is_left(name, folder, project)
        aside = project.results / _ASIDE
        aside.mkdir(exist_ok=True)
        target = _free(aside, f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        folder.path.rename(target)
        for place in (aside, project.results):
            sync(place)
        # Whoever waits for the lock holds what was moved away: a file without a name is not taken for it.
        (target / LOCK).unlink(missing_ok=True)
        for file in project.state_dir(name).glob(f"{project.manifest(name).stem}*"):
            file.unlink(missing_ok=True)
        project.results_index(name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or it holds something else
            project.state_dir(name).rmdir()
    return target


def _free(folder: Path, name: str) -> Path:
    number = 1
    path = folder / name
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path


def _stop_what_is_left(name: str, folder: CampaignFolder, project: Project) -> None:
    """End runs that an orchestrator which died left at work; where nobody knows how they were started, of any kind."""
    try:
        begun: DispatcherName | None = thaw(folder.campaign_file).dispatcher
    except OrchestratorError:
        begun = None
    kinds: tuple[DispatcherName, ...] = ("local", "compose") if begun is None else (begun,)
    for kind in kinds:
        dispatcher = choose_dispatcher([], Scene(project.folder, project.results, name), kind)
        try:
            for live in dispatcher.find_live(folder.attempts):
                live.stop()
            dispatcher.close()
        except MachineError:
            if begun:
                raise
