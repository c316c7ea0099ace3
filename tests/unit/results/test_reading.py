from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import InputError
from orchestrator.results.reading import load_result, read_results, run_folders
from runners.contract.paths import RESULT
from tests.builders import published_run, run_result


def test_a_result_is_read_by_its_folder_and_by_its_file(tmp_path: Path) -> None:
    folder = published_run(tmp_path, run_result())
    assert load_result(folder) == load_result(folder / RESULT) == load_result(str(folder)) == run_result()


def test_results_come_by_experiment_and_cycle_as_numbers(tmp_path: Path) -> None:
    for cycle in (1000, 2, 999):
        published_run(tmp_path, run_result(cycle=cycle))
    (tmp_path / "base" / "runs" / "x" / "no-cycle").mkdir(parents=True)
    assert [result.cycle for result in read_results(tmp_path / "base")] == [2, 999, 1000]
    assert [folder.name for folder in run_folders(tmp_path / "base")] == ["c002", "c999", "c1000"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a result"),
        (b"{", "is not a result"),
        (b"[]", "is not a result"),
        (b"null", "is not a result"),
        (b"\xff", "is not a result"),
        (b"[" * 100_000, "is not a result"),
        (b'{"schema_version": 1}', "is not a result: run_id"),
        (b'{"schema_version": 2}', "is not a result: run_id"),
        (b'{"schema_version": true}', "is not a result"),
        (b'{"schema_version": 5}', "schema version 5, and this program knows 4"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / RESULT).write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_result(tmp_path)


def test_places_without_a_result(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for place, message in {
        "missing": "there is no result",
        "file/x": "cannot be read",
        "loop": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=message):
            load_result(tmp_path / place)


@pytest.mark.parametrize(
    ("field", "value"),
    [("energy_j", "1"), ("verdict", "fine"), ("energy_j", float("nan")), ("started_at", "2026-01-02T03:04:05")],
)
def test_a_wrong_value_is_named(tmp_path: Path, field: str, value: object) -> None:
    declared = json.loads(run_result().model_dump_json())
    (tmp_path / RESULT).write_text(json.dumps({**declared, field: value}))
    with pytest.raises(InputError, match=f"is not a result: {field}: "):
        load_result(tmp_path)
