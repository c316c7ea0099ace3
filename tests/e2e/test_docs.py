"""The tutorial, run as it stands: its files written, its commands and its Python executed in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.commands import Project

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_tutorial_works_as_it_is_written(project: Project) -> None:
    commands = 0
    for language, title, body in FENCE.findall((DOCS / "tutorial.md").read_text(encoding="utf-8")):
        if language == "yaml":
            project.write(title, body)
        elif language == "python":
            done = subprocess.run(
                [sys.executable, "-c", body], cwd=project.folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert "8 of 8" in done.stdout
        else:
            for line in body.splitlines():
                prompt, program, *arguments = shlex.split(line)
                assert (prompt, program) == ("$", "orchestrate")
                done = project.run(*arguments)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
                commands += 1
    assert commands == 9


def test_the_page_on_campaign_files_shows_what_the_commands_print(project: Project) -> None:
    shown = 0
    for language, title, body in FENCE.findall((DOCS / "how-to/campaign-file.md").read_text(encoding="utf-8")):
        if language == "yaml" and title:
            (project.folder / title).parent.mkdir(exist_ok=True)
            project.write(title, body)
        elif language == "console":
            line, _, printed = body.partition("\n")
            done = project.run(*shlex.split(line.removeprefix("$ orchestrate ")))
            assert printed in done.stdout + done.stderr
            assert done.returncode == (2 if "error: " in printed else 0)
            shown += 1
    assert shown == 3


def test_the_page_on_resuming_works_as_it_is_written(project: Project) -> None:
    fences = FENCE.findall((DOCS / "how-to" / "resume.md").read_text(encoding="utf-8"))
    for _, title, body in fences:
        if title:
            project.write(title, body)
    script = "set -ex\n" + "\n".join(body for language, _, body in fences if language == "sh")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project.folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ 1 experiment, 1 run to carry out" in done.stdout + done.stderr
    assert project.json("status", "sizes")["completed"] == 3
    assert len(project.json("status", "sizes")["retired"]) == 1
    assert [folder.name.rpartition("-")[0] for folder in (project.results / ".wiped").iterdir()] == ["more-sizes"]
    assert not (project.results / "more-sizes").exists()


def test_the_campaign_file_in_the_readme_is_right(project: Project) -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    ((_, _, body),) = [fence for fence in FENCE.findall(readme) if fence[0] == "yaml"]
    done = project.run("campaign", str(project.write("readme.yaml", body)), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "99 runs (3 cycles, shuffled)" in done.stdout


def test_the_reference_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
