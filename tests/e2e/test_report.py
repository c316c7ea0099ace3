"""``orchestrate report`` as it is installed, and its page of the guide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.reported import written
from tests.builders import cli
from tests.e2e.commands import Project
from tests.e2e.test_howto_pages import carried_out
from tests.made import made_results, points


@pytest.fixture
def made(tmp_path: Path) -> Path:
    written(tmp_path, "made", made_results("made", points([0.3, 0.5, 0.7]), 4))
    return tmp_path


def test_the_page_on_reports(project: Project) -> None:
    carried_out("report.md", project)
    page = (project.folder / "look.html").read_text(encoding="utf-8")
    assert "Energy and tokens are simulated in 24 of 24 runs: no engine ran." in page
    assert 'id="power-run"' in page
    assert (project.folder / "look.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (project.folder / "look.png").read_bytes().startswith(b"\x89PNG")
    assert "![Ranking](look.png)" in (project.folder / "look.md").read_text(encoding="utf-8")
    assert "batch_size 1<" not in (project.folder / "fast.html").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d \| power", (project.folder / "power.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) == 2


def test_it_lies_beside_the_results_and_is_written_anew(made: Path) -> None:
    for _ in range(2):
        done = cli("report", "made", cwd=made)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Report: results/made/report.html (")
    assert (made / "results/made/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_it_can_be_printed(made: Path) -> None:
    done = cli("report", "made", "--output", "-", "--format", "markdown", cwd=made)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# made\n")
    assert not (made / "results/made/report.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["other"], "there is no campaign 'other'"),
        (["made", "--output", "no/where.html"], "there is no folder no"),
        (["made", "--output", "results"], "results is a folder"),
        (["made", "--chart", "chart.pdf"], "chart.pdf has to end in .png or .svg"),
        (["made", "--metric", "nothing"], "nothing"),
        (["made", "--metric", "duration_s"], "neither more nor less of duration_s is better"),
        (["made", "--where", "nonsense"], "nonsense"),
        (["made", "--group-by", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(made: Path, arguments: list[str], said: str) -> None:
    done = cli("report", *arguments, cwd=made)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (made / "results/made/report.html").exists()


def test_a_campaign_without_anything_to_draw_has_a_report_and_no_chart(tmp_path: Path) -> None:
    written(tmp_path, "empty", [])
    assert cli("report", "empty", cwd=tmp_path).returncode == 0
    done = cli("report", "empty", "--chart", "chart.png", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing to draw" in done.stderr


def test_results_that_cannot_be_written_beside_can_be_reported_elsewhere(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "results").rglob("*")}
    done = cli("report", "made", "--output", "report.html", cwd=made)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in (made / "results").rglob("*")} == before
