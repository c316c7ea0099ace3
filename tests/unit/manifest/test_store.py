from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import MachineError, ManifestError
from orchestrator.manifest.store import ExperimentRow, Manifest, Status
from runners.contract.paths import FailureKind

ROWS = [ExperimentRow(f"e{n}", "simulated", "grid", "{}") for n in range(2)]
ORDER = [(0, 1), (1, 1), (0, 2), (1, 2)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.db"


@pytest.fixture
def manifest(path: Path) -> Iterator[Manifest]:
    with Manifest.create(path, ROWS, lambda _: ORDER) as created:
        yield created


def row(manifest: Manifest, order_index: int) -> tuple[object, ...]:
    run = manifest.run(order_index)
    return run.status, run.attempts, run.failure_kind, run.message, run.result_path


def attempts(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(
            "SELECT order_index, attempt, outcome, ended_at IS NOT NULL FROM attempts ORDER BY 1, 2"
        ).fetchall()


def test_a_new_manifest_holds_every_run_pending_in_order(manifest: Manifest) -> None:
    assert manifest.standing() == [
        (0, "e0", 1, "pending"),
        (1, "e1", 1, "pending"),
        (2, "e0", 2, "pending"),
        (3, "e1", 2, "pending"),
    ]
    assert manifest.counts() == {**dict.fromkeys(Status, 0), Status.PENDING: 4}
    assert manifest.experiment_count() == 2


def test_the_order_is_asked_for_with_the_number_of_experiments(path: Path) -> None:
    asked: list[int] = []
    with Manifest.create(path, ROWS, lambda count: asked.append(count) or ORDER):
        assert asked == [2]


@pytest.mark.parametrize("there_before", [False, True])
def test_it_is_created_whole_or_not_at_all(path: Path, there_before: bool) -> None:
    if there_before:
        Manifest.create(path, ROWS, lambda _: ORDER).close()
    before = path.read_bytes() if there_before else None

    def breaking() -> Iterator[ExperimentRow]:
        yield ROWS[0]
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        Manifest.create(path, breaking(), lambda _: ORDER)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_draft_left_by_a_crash_is_in_nobodys_way(path: Path) -> None:
    path.with_suffix(".new").write_bytes(b"half a manifest")
    Manifest.create(path, ROWS, lambda _: ORDER).close()
    assert [file.name for file in path.parent.iterdir()] == ["manifest.db"]


def test_twice_the_same_experiment_is_refused(path: Path) -> None:
    with pytest.raises(ManifestError):
        Manifest.create(path, [ROWS[0], ROWS[0]], lambda _: [])
    assert not path.exists()


def test_each_transition_is_written_through_to_the_disk(path: Path, manifest: Manifest) -> None:
    pragmas = [manifest._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


TRANSITIONS: dict[str, tuple[Callable[[Manifest], None], tuple[object, ...], tuple[object, ...]]] = {
    "begin": (
        lambda m: m.begin_attempt(1, 1),
        (Status.RUNNING, 1, None, None, None),
        (1, 1, None, 0),
    ),
    "complete": (
        lambda m: (m.begin_attempt(1, 1), m.complete(1, 1, "runs/e1/c001")),
        (Status.COMPLETED, 1, None, None, "runs/e1/c001"),
        (1, 1, "completed", 1),
    ),
    "fail": (
        lambda m: (m.begin_attempt(1, 1), m.fail(1, 1, FailureKind.OUT_OF_MEMORY, "no room")),
        (Status.FAILED, 1, "out_of_memory", "no room", None),
        (1, 1, "out_of_memory", 1),
    ),
    "requeue": (
        lambda m: (m.begin_attempt(1, 1), m.requeue(1, 1, FailureKind.INTERRUPTED, "stopped")),
        (Status.PENDING, 1, None, None, None),
        (1, 1, "interrupted", 1),
    ),
    "reset": (
        lambda m: m.reset([(1, Status.COMPLETED, "runs/e1/c001")]),
        (Status.COMPLETED, 0, None, None, "runs/e1/c001"),
        (),
    ),
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_transitions(name: str, path: Path, manifest: Manifest) -> None:
    change, run, attempt = TRANSITIONS[name]
    change(manifest)
    assert row(manifest, 1) == run
    assert attempts(path) == ([attempt] if attempt else [])
    assert {row(manifest, other)[0] for other in (0, 2, 3)} == {Status.PENDING}


def test_a_second_attempt_forgets_why_the_first_failed_and_keeps_its_record(path: Path, manifest: Manifest) -> None:
    manifest.begin_attempt(0, 1)
    manifest.fail(0, 1, FailureKind.CRASHED, "died")
    manifest.begin_attempt(0, 2)
    assert row(manifest, 0) == (Status.RUNNING, 2, None, None, None)
    assert attempts(path) == [(0, 1, "crashed", 1), (0, 2, None, 0)]


def test_counts_and_lists_by_status(manifest: Manifest) -> None:
    manifest.begin_attempt(0, 1)
    manifest.complete(0, 1, "x")
    manifest.begin_attempt(2, 1)
    assert manifest.counts() == {
        **dict.fromkeys(Status, 0),
        Status.PENDING: 2,
        Status.RUNNING: 1,
        Status.COMPLETED: 1,
    }
    assert [run.order_index for run in manifest.runs(status=Status.PENDING)] == [1, 3]
    assert [run.experiment_id for run in manifest.runs()] == ["e0", "e1", "e0", "e1"]


def test_a_reset_is_all_or_nothing(manifest: Manifest) -> None:
    with pytest.raises(ManifestError):
        manifest.reset([(0, Status.COMPLETED, "x"), (1, Status.COMPLETED, object())])  # type: ignore[list-item]
    assert manifest.counts()[Status.PENDING] == 4


def test_the_mean_is_over_completed_attempts_only(path: Path, manifest: Manifest) -> None:
    assert manifest.mean_attempt_s() is None
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO attempts VALUES (?, 1, ?, NULL, '2026-01-01T00:00:00+00:00', ?)",
            [
                (0, "completed", "2026-01-01T00:00:10+00:00"),
                (1, "completed", "2026-01-01T00:00:30+00:00"),
                (2, "crashed", "2026-01-01T01:00:00+00:00"),
                (3, None, None),
            ],
        )
    assert manifest.mean_attempt_s() == pytest.approx(20.0, abs=0.01)


def test_a_reader_sees_what_a_writer_has_committed_and_writes_nothing(path: Path, manifest: Manifest) -> None:
    manifest.begin_attempt(0, 1)
    with Manifest.open(path, readonly=True) as reader:
        assert reader.counts()[Status.RUNNING] == 1
        manifest.complete(0, 1, "x")
        assert reader.counts()[Status.COMPLETED] == 1
        with pytest.raises(MachineError, match="readonly"):
            reader.begin_attempt(1, 1)


def test_what_was_committed_outlives_the_writer(path: Path) -> None:
    with Manifest.create(path, ROWS, lambda _: ORDER) as first:
        first.begin_attempt(0, 1)
    with Manifest.open(path) as second:
        assert second.run(0).status is Status.RUNNING


def write_meta(path: Path, value: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (value,))
    connection.close()


def other_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "there is no manifest"),
    "empty": (lambda path: path.write_bytes(b""), "is no manifest"),
    "garbage": (lambda path: path.write_bytes(b"garbage" * 1000), "is broken"),
    "cut to its half": (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "is broken"),
    "cut within its first page": (lambda path: path.write_bytes(path.read_bytes()[:1000]), "is broken"),
    "another database": (other_database, "is no manifest"),
    "of no version": (lambda path: write_meta(path, "x"), "is no manifest"),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("readonly", [False, True])
def test_what_is_no_manifest_is_refused(how: str, readonly: bool, path: Path) -> None:
    Manifest.create(path, ROWS, lambda _: ORDER).close()
    damage, message = BROKEN[how]
    damage(path)
    with pytest.raises(ManifestError, match=message):
        Manifest.open(path, readonly=readonly)


def test_a_newer_manifest_is_neither_read_nor_rebuilt(path: Path) -> None:
    Manifest.create(path, ROWS, lambda _: ORDER).close()
    write_meta(path, "2")
    with pytest.raises(MachineError, match="newer version") as caught:
        Manifest.open(path)
    assert "update orchestrate" in (caught.value.hint or "")


def test_damage_found_only_later_is_told_as_such(path: Path) -> None:
    Manifest.create(path, ROWS, lambda _: ORDER).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(ManifestError, match="is broken"), Manifest.open(path) as manifest:
        list(manifest.runs())


def test_it_tells_where_the_runs_of_one_experiment_stand(manifest: Manifest) -> None:
    manifest.begin_attempt(2, 1)
    manifest.reset([(0, Status.UNNEEDED, None)])
    assert manifest.statuses_of("e0") == [(0, Status.UNNEEDED), (2, Status.RUNNING)]
    assert manifest.statuses_of("e1") == [(1, Status.PENDING), (3, Status.PENDING)]
    assert manifest.statuses_of("e2") == []


def test_at_least_as_many_are_left_as_each_experiment_lacks_of_the_least_and_one_of_each_that_goes_on(
    manifest: Manifest,
) -> None:
    assert [manifest.least_left(count) for count in (1, 2, 3)] == [2, 4, 4]
    manifest.begin_attempt(0, 1)
    manifest.complete(0, 1, "x")
    assert [manifest.least_left(count) for count in (1, 2)] == [2, 3]
    manifest.reset([(2, Status.UNNEEDED, None)])
    assert [manifest.least_left(count) for count in (1, 2)] == [1, 2]
    manifest.reset([(run, Status.UNNEEDED, None) for run in (1, 3)])
    assert manifest.least_left(2) == 0
