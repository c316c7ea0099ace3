"""Nothing is measured beside a run that nobody watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dispatch.abandoned import refuse_beside
from orchestrator.errors import MachineError
from orchestrator.manifest.lock import campaign_lock


def campaign(tmp_path: Path, name: str) -> Path:
    attempts = tmp_path / name / "attempts"
    attempts.mkdir(parents=True)
    return attempts


def test_a_run_whose_orchestrator_is_gone_is_named(tmp_path: Path) -> None:
    own, other = campaign(tmp_path, "own"), campaign(tmp_path, "other")
    with pytest.raises(MachineError, match="still at work in container x") as caught:
        refuse_beside(own, [(other, "container x")])
    assert "orchestrate resume other" in (caught.value.hint or "")


def test_ones_own_are_watched_or_were_stopped(tmp_path: Path) -> None:
    own = campaign(tmp_path, "own")
    refuse_beside(own, [(own, "process 1")])


def test_two_campaigns_at_once_are_somebodys_choice(tmp_path: Path) -> None:
    own, other = campaign(tmp_path, "own"), campaign(tmp_path, "other")
    with campaign_lock(other.parent, "other"):
        refuse_beside(own, [(other, "process 1")])
