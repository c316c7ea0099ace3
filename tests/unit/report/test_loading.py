from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputError
from orchestrator.report.frames import load_frame
from orchestrator.report.loading import find_run, load_results
from orchestrator.system.project import Project, find_project
from tests.builders import begun, experiment, identity, published_run, run_result

ONE, TWO = experiment(batch_size=1), experiment(batch_size=2)


@pytest.fixture
def project() -> Project:
    found = find_project()
    for of in (ONE, TWO):
        for cycle in (1, 2):
            published_run(found.results, run_result(of, cycle=cycle))
    begun(found.results, "base")
    return found


def test_by_name_and_by_folder(project: Project) -> None:
    assert len(load_results("base", project=project)) == 4
    assert load_results("base", project=project) == load_results(project.results / "base")


@pytest.mark.parametrize("name", ["other", "", "..", ".", "base/", "../results/base"])
def test_a_campaign_that_is_not_there(name: str, project: Project) -> None:
    with pytest.raises(InputError, match="there is no campaign") as caught:
        load_results(name, project=project)
    assert caught.value.hint == "known: base"


def test_a_run_is_found_by_path_by_identity_and_by_a_part_of_it(project: Project) -> None:
    name = identity(TWO)
    folder = project.results / "base" / "runs" / name / "c002"
    for wanted in (str(folder), f"{name}.c002", f"{name[-16:-8]}.c002"):
        assert find_run(wanted, project) == folder


@pytest.mark.parametrize(
    ("name", "message"), [("simulated", "fits 4 runs"), (".c002", "fits 2 runs"), ("x", "no complete run")]
)
def test_a_part_that_is_not_unique_or_fits_none(name: str, message: str, project: Project) -> None:
    with pytest.raises(InputError, match=message):
        find_run(name, project)


def test_a_frame_has_a_row_a_run_and_a_column_a_quantity(project: Project) -> None:
    frame = load_frame("base", project=project)
    assert sorted(frame["simulated.batch_size"]) == [1, 1, 2, 2]
    assert set(frame["energy_j"]) == {1024.0}
    assert frame["cpu_energy_j"].isna().all()
    assert {"run_id", "workload.prompts", "energy_method", "ttft_s.p50"} <= set(frame.columns)


def test_a_frame_of_nothing_is_empty(tmp_path: Path) -> None:
    assert load_frame(tmp_path).empty
