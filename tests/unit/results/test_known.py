from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results import known
from orchestrator.results.known import KNOWN_RUNS, known_run, known_runs
from tests.builders import experiment, published_run, run_result

GOLDEN = Path(__file__).parents[2] / "contract" / "golden"


def of(tmp_path: Path, *, keep: bool = True) -> list[known.KnownRun]:
    return known_runs(tmp_path / "results", tmp_path / ".state", keep=keep)


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> Path:
    (tmp_path / ".state").mkdir()
    return tmp_path / ".state"


def publish(tmp_path: Path, cycle: int = 1, **changes: Any) -> Path:
    return published_run(tmp_path / "results", run_result(cycle=cycle, **changes))


def test_what_a_run_took_is_the_whole_of_it() -> None:
    result = run_result(energy_scope="gpu", cpu_energy_j=76.0, baseline_power_w=20.0).model_dump(mode="json")
    run = known_run(result)
    assert (run.wall_s, run.window_s) == (60.0, 10.0)
    assert run.window_j == 1100.0
    assert run.energy_j == 1100.0 + 50 * 20.0
    assert run.device == "CPU"


def test_what_was_not_measured_is_not_zero() -> None:
    run = known_run(run_result(energy_j=None, energy_method=None, power_mean_w=None).model_dump(mode="json"))
    assert (run.window_j, run.energy_j, run.method) == (None, None, None)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("result*.json")), ids=lambda file: file.name)
def test_results_of_every_version_are_known(file: Path) -> None:
    assert known_run(json.loads(file.read_bytes())).wall_s > 0


def test_the_start_of_the_process_counts_where_the_files_tell(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    (folder / "request.json").touch()
    for ended_s, wall_s in ((1_000_070, 70.0), (1_000_001, 60.0), (1_009_999, 60.0)):
        os.utime(folder / "request.json", (1_000_000, 1_000_000))
        os.utime(folder / "result.json", (ended_s, ended_s))
        assert [run.wall_s for run in of(tmp_path, keep=False)] == [wall_s]


def test_a_result_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path)
    first = of(tmp_path)
    publish(tmp_path, cycle=2)
    read: list[Path] = []
    real = known._known
    monkeypatch.setattr(known, "_known", lambda file: read.append(file) or real(file))
    second = of(tmp_path)
    assert [file.parent.name for file in read] == ["c002"]
    assert len(first) == 1
    assert second[0] == first[0]
    assert len(second) == 2
    assert of(tmp_path) == second


def test_what_is_gone_is_forgotten(tmp_path: Path, state: Path) -> None:
    folder = publish(tmp_path)
    publish(tmp_path, cycle=2)
    assert len(of(tmp_path)) == 2
    (folder / "result.json").unlink()
    assert len(of(tmp_path)) == 1
    assert len(json.loads((state / KNOWN_RUNS).read_text())["runs"]) == 1


def test_many_are_read_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_READ_AT_ONCE", 2)
    for cycle in range(1, 6):
        publish(tmp_path, cycle=cycle)
    assert [len(of(tmp_path)) for _ in range(4)] == [2, 4, 5, 5]


def test_nothing_is_written_unless_it_may_be(tmp_path: Path, state: Path) -> None:
    publish(tmp_path)
    assert len(of(tmp_path, keep=False)) == 1
    assert list(state.iterdir()) == []
    state.rmdir()
    assert len(of(tmp_path)) == 1
    assert not state.exists()


def test_results_that_are_none_are_passed_over(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    publish(tmp_path, cycle=2, model="org/other")
    for broken in ("", "{", "[]", "{}", '{"started_at": 1}', "[" * 100_000):
        (folder / "result.json").write_text(broken)
        assert [run.model for run in of(tmp_path, keep=False)] == ["org/other"], broken
    assert len(of(tmp_path)) == 1
    assert len(of(tmp_path)) == 1, "one that cannot be read is kept as such"


@pytest.mark.parametrize("figure", ["NaN", "1e400", "-1.0", "1" + "0" * 400])
def test_figures_that_are_none_are_passed_over(tmp_path: Path, state: Path, figure: str) -> None:
    folder = publish(tmp_path)
    publish(tmp_path, cycle=2, model="org/other")
    assert len(of(tmp_path)) == 2
    index = json.loads((state / KNOWN_RUNS).read_text())
    (name,) = (name for name in index["runs"] if name.endswith("c001"))
    index["runs"][name][5] = "FIGURE"
    (state / KNOWN_RUNS).write_text(json.dumps(index).replace('"FIGURE"', figure))
    assert [run.window_s for run in of(tmp_path, keep=False)] == [10.0, 10.0], "an index that is wrong is made anew"
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, "energy_j": "FIGURE"}).replace('"FIGURE"', figure))
    (state / KNOWN_RUNS).unlink()
    assert [run.model for run in of(tmp_path)] == ["org/other"]


def test_a_project_without_results_knows_nothing(tmp_path: Path) -> None:
    assert of(tmp_path) == []
    (tmp_path / "results").write_text("a file")
    assert of(tmp_path) == []


def test_an_experiment_is_known_by_its_identity(tmp_path: Path) -> None:
    result = run_result(experiment(batch_size=2))
    published_run(tmp_path / "results", result)
    (run,) = of(tmp_path)
    assert (run.experiment_id, run.backend, run.model) == (result.experiment_id, "simulated", "org/model")
