"""Pages on running campaigns, as they stand: their files written, their shell blocks run in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from orchestrator import load_results
from tests.e2e.commands import ORCHESTRATE, Project
from tests.e2e.test_docs import DOCS, FENCE


def carried_out(page: str, project: Project) -> str:
    """What the page's commands print."""
    printed = ""
    path = f"{Path(ORCHESTRATE).parent}{os.pathsep}{os.environ['PATH']}"
    for language, title, body in FENCE.findall((DOCS / "how-to" / page).read_text(encoding="utf-8")):
        if title:
            project.write(title, body)
        elif language == "sh":
            done = subprocess.run(
                ["bash", "-exc", body],
                cwd=project.folder,
                env={**os.environ, "PATH": path, "COLUMNS": "200"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            printed += done.stdout
    return printed


@pytest.mark.engine
def test_the_page_on_cold_starts(project: Project) -> None:
    printed = carried_out("cold-starts.md", project)
    assert "2 of 2 runs were started cold" in printed
    assert re.search(r"cold start +yes: fresh process, 11 private and empty caches; the model's files dropped", printed)
    results = load_results(project.results / "cold")
    assert [result.cold_start for result in results] == [True, True]
    assert not list(project.results.rglob("caches"))


def test_the_page_on_cold_starts_names_every_variable() -> None:
    from runners.cold import CACHE_VARIABLES

    page = (DOCS / "how-to" / "cold-starts.md").read_text(encoding="utf-8")
    assert {name for names in CACHE_VARIABLES.values() for name in names} - {*re.findall(r"`([A-Z_]+)`", page)} == set()


def test_the_page_on_messages_of_engines(project: Project) -> None:
    printed = " ".join(carried_out("engine-messages.md", project).split())
    said = (DOCS / "how-to" / "engine-messages.md").read_text(encoding="utf-8")
    (note,) = re.findall(r"^(no-half-precision-here.*?)^```$", said, re.DOTALL | re.MULTILINE)
    assert " ".join(note.split()) in printed


def test_a_message_is_known_from_the_moment_that_somebody_writes_it_down(project: Project) -> None:
    """Of a run that is over: here a message is put into its result, as an engine's would stand there."""
    project.write("failing.yaml", "name: one\nmodel: none\nbackends: {simulated: {tokens_per_s: 5000}}\n")
    assert project.run("campaign", "failing.yaml").returncode == 0
    (file,) = project.results.glob("one/runs/*/c001/result.json")
    result = json.loads(file.read_text())
    result["engine_messages"] = [{"source": "torch", "level": "error", "text": "it is odd [red]", "count": 7}]
    file.write_text(json.dumps(result))
    shown = project.run("results", "show", str(file.parent))
    assert re.search(r"torch +error +7 +unknown +it is odd \[red\]", shown.stdout)
    assert project.json("results", "show", str(file.parent))["engine_messages"][0]["known"] is None

    entry = '- {id: odd, source: torch, pattern: "is odd", status: wip, note: wait}\n'
    project.write("issues.yaml", entry)
    assert "odd (wip)" in project.run("results", "show", str(file.parent)).stdout
    known = project.json("results", "show", str(file.parent))["engine_messages"][0]["known"]
    assert known == {"id": "odd", "status": "wip", "note": "wait", "url": None}

    project.write("issues.yaml", entry + "- {id: two, pattern: '(', status: soon}\n")
    for command in (("results", "show", str(file.parent)), ("campaign", "failing.yaml", "--name", "other")):
        refused = project.run(*command)
        assert refused.returncode == 2, refused.stdout
        assert "issues.yaml:2: [1].pattern: " in refused.stderr
        assert "[1].status: " in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (project.results / "other").exists()
