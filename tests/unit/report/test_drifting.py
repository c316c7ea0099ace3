"""Drift is told in the same words wherever it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.groups import Choice, groups_of
from orchestrator.report.answers import answers_of
from orchestrator.report.choosing import Question, choose
from orchestrator.report.comparing import compare
from orchestrator.report.drifting import drift_notes
from orchestrator.report.loading import load_table
from orchestrator.report.trust import trust
from orchestrator.system.project import Project, find_project
from tests.made import made_campaign, points

METRIC = "energy_per_output_token_j"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made_campaign(tmp_path / "results", "warming", points([0.5, 0.3]), 8, per_cycle=0.05)
    return find_project(tmp_path)


def test_every_command_tells_of_drift_in_the_same_words(project: Project) -> None:
    table = load_table("warming", project=project)
    (said,) = drift_notes({"warming": groups_of(table, (), Choice())}, [METRIC])
    assert said.startswith("energy per output token of warming drifts by +5")
    assert said.endswith("cycles are no mere repetitions, and intervals may not hold")
    assert said in compare("warming", metrics=[METRIC], project=project).notes
    assert said in choose(project, ["warming"], Question(METRIC, "lower")).notes
    assert [f"E{said[1:]}."] in trust(answers_of("warming", project=project))
