"""Results summed up, filtered and exported by the installed command."""

from __future__ import annotations

import csv

from tests.e2e.commands import Project
from tests.e2e.test_howto_pages import carried_out
from tests.made import made_campaign, points


def test_the_page_on_results_works_as_it_is_written(project: Project) -> None:
    printed = carried_out("results.md", project)
    assert "batch_size 16" in printed
    assert "log-t" in printed
    rows = list(csv.DictReader((project.folder / "batches.csv").open(encoding="utf-8")))
    assert len(rows) == 18
    assert len(list(csv.DictReader((project.folder / "first-cycle.csv").open(encoding="utf-8")))) == 6
    assert (project.folder / "batches.parquet").stat().st_size > 0
    assert len(list(csv.DictReader((project.folder / "groups.csv").open(encoding="utf-8")))) == 3


def test_a_state_folder_that_cannot_be_made_is_done_without(project: Project) -> None:
    made_campaign(project.results, "made", points([0.5, 0.4]), 3)
    project.write(".state", "in the way, for root too")
    done = project.run("results", "list", "made", "--group-by", "batch_size")
    assert (done.returncode, done.stderr) == (0, "")
    assert "batch_size 2" in done.stdout


def test_two_at_once_are_safe(project: Project) -> None:
    made_campaign(project.results, "made", points([0.5, 0.4]), 20)
    both = [project.start("results", "list", "made") for _ in range(2)]
    first, second = (process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert first == second
    assert sorted(path.name for path in (project.folder / ".state" / "made").iterdir()) == ["results.index"]


def test_a_list_of_runs_loads_no_scipy(project: Project) -> None:
    made_campaign(project.results, "made", points([0.5, 0.4]), 2)
    done = project.run("results", "list", "made", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pandas" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in ("scipy", "vl_convert")]
