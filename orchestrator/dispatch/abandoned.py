"""Runs of other campaigns that nobody watches any more, beside which nothing can be measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import MachineError
from orchestrator.manifest.lock import is_held
from runners.contract.paths import ADHOC


def refuse_beside(own: Path, at_work: Iterable[tuple[Path, str]]) -> None:
    """Refuse to measure beside a run whose orchestrator died: it would count in our energy, and nobody would know.

    One whose orchestrator lives is somebody's choice.

    Args:
        own: the attempts folder of this campaign, whose runs are watched or were stopped.
        at_work: the attempts folder and a description of each run at work on this machine.

    Raises:
        MachineError: there is such a run.
    """
    for attempts, what in at_work:
        campaign = attempts.parent
        if attempts != own and not _is_watched(campaign):
            raise MachineError(
                f"a run of {campaign} is still at work in {what}, and its orchestrator is gone:"
                " its energy would be counted as ours",
                hint="the next `orchestrate run` stops it"
                if campaign.name == ADHOC
                else f"`orchestrate resume {campaign.name}` takes it over; or stop it",
            )


def _is_watched(campaign: Path) -> bool:
    """Whether an orchestrator holds it, or it is another user's, of whom that cannot be told."""
    try:
        return is_held(campaign)
    except PermissionError:
        return True
