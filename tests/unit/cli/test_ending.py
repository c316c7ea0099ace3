"""What a campaign ends with on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign.load import load_campaign
from orchestrator.campaign.schema import Dispatching
from orchestrator.cli.ending import finish
from orchestrator.execution.planning import open_or_plan
from orchestrator.results import index
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.project import Project, find_project
from runners.contract.paths import RESULT
from tests.builders import experiment, published_run, run_result


@pytest.fixture
def project() -> Project:
    Path("base.yaml").write_text(
        "name: base\nmodel: org/model\nbackends:\n  simulated: {batch_size: [1, 2]}\ncycles: 3\n"
    )
    found = find_project()
    found.prepare()
    folder = CampaignFolder(found.results / "base")
    folder.make()
    manifest, _ = open_or_plan(load_campaign(Path("base.yaml")), folder, found.manifest("base"), _HOW)
    manifest.close()
    for cycle in (1, 2):
        published_run(found.results, run_result(experiment(batch_size=1), cycle=cycle, engine_messages=[_NEWS]))
    return found


_HOW = Dispatching("local", None)
_NEWS = {"source": "vllm", "level": "error", "text": "the [cache] is broken", "count": 1}


def test_results_that_are_known_are_not_read_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(index, "_SETTLED_NS", -1)
    finish("base", project, quiet=False, as_json=False)
    first = capsys.readouterr().out
    assert "error of vllm that no known issue explains, in 2 of 2 runs: the [cache] is broken" in " ".join(
        first.split()
    )
    read: list[Path] = []
    load = index.load_result
    monkeypatch.setattr(index, "load_result", lambda path: read.append(path) or load(path))
    finish("base", project, quiet=False, as_json=False)
    assert capsys.readouterr().out == first
    assert read == []
    just_ended = published_run(project.results, run_result(experiment(batch_size=1), cycle=3))
    finish("base", project, quiet=False, as_json=False)
    assert "in 2 of 3 runs" in " ".join(capsys.readouterr().out.split())
    assert read == [just_ended]


def test_a_result_that_cannot_be_read_is_told_of(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    broken = published_run(project.results, run_result(experiment(batch_size=2)))
    (broken / RESULT).write_text("{")
    finish("base", project, quiet=False, as_json=False)
    assert "left out: " in capsys.readouterr().out
