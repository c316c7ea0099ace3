"""A campaign made of several files, run and resumed by the command."""

from __future__ import annotations

import shutil

from tests.e2e.commands import Project

BASE = """\
model: any/model
workload: {prompts: 2, output_tokens: 2, dataset: own.jsonl}
shared: {tokens_per_s: 100000}
"""
OVER = """\
extends: ../common/base.yaml
name: over
backends:
  simulated:
    batch_size: {log2: [1, 2]}
    together:
      g:
        - {power_w: 50, spread: 0.0}
        - {power_w: 100, spread: 0.1}
"""


def test_a_campaign_is_resumed_when_all_its_files_are_gone_but_its_prompts(project: Project) -> None:
    for folder in ("common", "own"):
        (project.folder / folder).mkdir()
    project.write("common/base.yaml", BASE)
    project.write("common/own.jsonl", '"a"\n"b"\n')
    project.write("own/over.yaml", OVER)
    dry = project.json("campaign", "own/over.yaml", "--dry-run", "--json")
    assert dry["funnel"]["declared"] == dry["funnel"]["experiments"] == len(dry["runs"]) == 4
    done = project.run("campaign", "own/over.yaml", "-q")
    assert done.returncode == 0, done.stderr
    runs = sorted((project.results / "over" / "runs").iterdir())
    assert {run.name for run in runs} == {run["experiment_id"] for run in dry["runs"]}
    for file in ("common/base.yaml", "own/over.yaml"):
        (project.folder / file).unlink()
    shutil.rmtree(runs[0])
    done = project.run("resume", "over", "-q")
    assert done.returncode == 0, done.stderr
    assert sorted((project.results / "over" / "runs").iterdir()) == runs
