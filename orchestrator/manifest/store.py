"""The manifest: every experiment, run and attempt of a campaign, and what became of it.

One coordinator writes, under :func:`orchestrator.manifest.lock.campaign_lock`; anyone may read. Each
transition is one small transaction, written through to the disk, whatever the size of the campaign.
Folders are the truth: the manifest can be lost, and is rebuilt from ``results/``.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

from orchestrator.errors import DiskError, MachineError, ManifestError
from orchestrator.files import replace_durably
from runners.contract.paths import FailureKind

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE experiments (
    position INTEGER PRIMARY KEY,
    experiment_id TEXT NOT NULL,
    backend TEXT NOT NULL,
    source TEXT NOT NULL,
    config TEXT NOT NULL
);
CREATE TABLE runs (
    order_index INTEGER PRIMARY KEY,
    position INTEGER NOT NULL REFERENCES experiments (position),
    cycle INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    failure_kind TEXT,
    message TEXT,
    result_path TEXT
);
CREATE TABLE attempts (
    order_index INTEGER NOT NULL REFERENCES runs (order_index),
    attempt INTEGER NOT NULL,
    outcome TEXT,
    message TEXT,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    PRIMARY KEY (order_index, attempt)
) WITHOUT ROWID;
"""
_INDEXES = """
CREATE UNIQUE INDEX experiments_by_id ON experiments (experiment_id);
CREATE INDEX runs_by_status ON runs (status) WHERE status != 'pending';
"""


class Status(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    UNNEEDED = "unneeded"
    """Its experiment is known well enough without it, or was given up."""


class ExperimentRow(NamedTuple):
    """An experiment as the manifest holds it: ``config`` is its canonical JSON."""

    experiment_id: str
    backend: str
    source: str
    config: str


class RunRow(NamedTuple):
    """A run with its experiment."""

    order_index: int
    experiment_id: str
    backend: str
    source: str
    cycle: int
    status: Status
    attempts: int
    failure_kind: str | None
    message: str | None
    result_path: str | None


class Manifest:
    """An open manifest. A context manager; closes the file at its end."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        experiments: Iterable[ExperimentRow],
        order: Callable[[int], Iterable[tuple[int, int]]],
        *,
        revision: int = 0,
        taken: Mapping[tuple[str, int], int] | None = None,
        before: Path | None = None,
    ) -> Self:
        """Write a new manifest; it exists whole or not at all.

        Args:
            path: the file; one that is there is replaced.
            experiments: in the order of the campaign file.
            order: called with the number of experiments; yields (position of the experiment, cycle) in
                the order to run.
            revision: how often the campaign's file changed.
            taken: the order indexes that complete runs have, and those under way, by (experiment_id, cycle): they
                keep them, whether they are still planned or not, and no other run gets one of them.
            before: the manifest of an earlier revision, whose runs that are still planned keep what became of them.
        """
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with _removed_if_unfinished(draft), _readable_errors(draft), closing(_connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN")
            counter = _Counted(experiments)
            connection.executemany("INSERT INTO experiments VALUES (?, ?, ?, ?, ?)", counter)
            ids = dict(connection.execute("SELECT position, experiment_id FROM experiments")) if taken else {}
            connection.executemany(
                "INSERT INTO runs (order_index, position, cycle, status, attempts) VALUES (?, ?, ?, 'pending', 0)",
                _numbered(order(counter.count), ids, taken or {}),
            )
            meta = {
                "schema_version": str(SCHEMA_VERSION),
                "experiments_sha256": counter.digest.hexdigest(),
                "revision": str(revision),
            }
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            connection.execute("COMMIT")
            connection.executescript(_INDEXES)
            if before:
                _carry_over(connection, before)
        for leftover in (f"{path}-wal", f"{path}-shm"):
            Path(leftover).unlink(missing_ok=True)
        replace_durably(draft, path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open a manifest that is there.

        Raises:
            ManifestError: it is missing or broken.
            MachineError: a newer version wrote it, or the disk does not answer.
        """
        if not path.exists():
            raise ManifestError(f"there is no manifest {path}")
        with _readable_errors(path):
            connection = _connect(path, readonly=readonly)
            try:
                _check_version(connection, path)
                if not readonly:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def counts(self) -> dict[Status, int]:
        """How many runs stand where."""
        found = dict(self._rows("SELECT status, count(*) FROM runs GROUP BY status"))
        return {status: found.get(status.value, 0) for status in Status}

    def experiment_count(self) -> int:
        """How many experiments there are."""
        return int(self._rows("SELECT count(*) FROM experiments")[0][0])

    def experiment_ids(self) -> list[str]:
        """The experiments in the order of the campaign file."""
        return [identity for (identity,) in self._rows("SELECT experiment_id FROM experiments ORDER BY position")]

    def configs(self) -> dict[str, str]:
        """The canonical JSON of each experiment, by its id, in the order of the campaign file."""
        return dict(self._rows("SELECT experiment_id, config FROM experiments ORDER BY position"))

    def experiments_sha256(self) -> str:
        """SHA-256 over the experiment_ids in their order, a line each."""
        return str(self._rows("SELECT value FROM meta WHERE key = 'experiments_sha256'")[0][0])

    def revision(self) -> int:
        """How often the campaign's file had changed when this was planned."""
        found = self._rows("SELECT value FROM meta WHERE key = 'revision'")
        return int(found[0][0]) if found else 0

    def last_worked_at(self) -> datetime | None:
        """When an attempt last began or ended; None before the first."""
        (last,) = self._rows("SELECT max(coalesce(ended_at, started_at)) FROM attempts")[0]
        return None if last is None else datetime.fromisoformat(last)

    def recovered(self) -> dict[str, int]:
        """How many complete runs had failed before, by the kind of each failure; interruptions are none."""
        return dict(
            self._rows(
                "SELECT outcome, count(DISTINCT order_index) FROM attempts JOIN runs USING (order_index)"
                " WHERE status = 'completed' AND outcome NOT IN ('completed', 'interrupted') GROUP BY outcome"
            )
        )

    def standing(self) -> list[tuple[int, str, int, str]]:
        """Every run as (order_index, experiment_id, cycle, status), in the order to run."""
        return self._rows(
            "SELECT order_index, experiment_id, cycle, status FROM runs"
            " JOIN experiments USING (position) ORDER BY order_index"
        )

    def run(self, order_index: int) -> RunRow:
        """One run."""
        return next(self._runs("WHERE order_index = ?", (order_index,)))

    def runs(self, *, status: Status | None = None) -> Iterator[RunRow]:
        """The runs in their order, all of them or those of one status."""
        if status is None:
            return self._runs("", ())
        return self._runs("WHERE status = ?", (status.value,))

    def statuses_of(self, experiment_id: str) -> list[tuple[int, Status]]:
        """The runs of an experiment, by their order indexes, and where each stands."""
        found = self._rows(
            "SELECT order_index, status FROM runs JOIN experiments USING (position) WHERE experiment_id = ?"
            " ORDER BY order_index",
            (experiment_id,),
        )
        return [(order_index, Status(status)) for order_index, status in found]

    def position(self, order_index: int) -> int:
        """The place of a run's experiment in the campaign file, from 0."""
        return int(self._rows("SELECT position FROM runs WHERE order_index = ?", (order_index,))[0][0])

    def place(self, order_index: int) -> int:
        """The place of a run among all that are planned, from 1; order indexes have holes once a file changed."""
        return int(self._rows("SELECT count(*) FROM runs WHERE order_index <= ?", (order_index,))[0][0])

    def config(self, experiment_id: str) -> str:
        """The canonical JSON of an experiment."""
        return str(self._rows("SELECT config FROM experiments WHERE experiment_id = ?", (experiment_id,))[0][0])

    def mean_attempt_s(self) -> float | None:
        """How long a completed attempt took on average, start of the process to publication."""
        (mean_days,) = self._rows(
            "SELECT avg(julianday(ended_at) - julianday(started_at)) FROM attempts WHERE outcome = 'completed'"
        )[0]
        return None if mean_days is None else float(mean_days) * 86_400

    def begin_attempt(self, order_index: int, attempt: int) -> None:
        """A run is about to be tried: written before anything is started."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE runs SET status = 'running', attempts = ?, failure_kind = NULL, message = NULL"
                " WHERE order_index = ?",
                (attempt, order_index),
            )
            cursor.execute(
                "INSERT OR REPLACE INTO attempts VALUES (?, ?, NULL, NULL, ?, NULL)",
                (order_index, attempt, _now()),
            )

    def complete(self, order_index: int, attempt: int, result_path: str) -> None:
        """A run's folder is published; the path is relative to the campaign's results."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE runs SET status = 'completed', failure_kind = NULL, message = NULL, result_path = ?"
                " WHERE order_index = ?",
                (result_path, order_index),
            )
            self._end_attempt(cursor, order_index, attempt, "completed", None)

    def fail(self, order_index: int, attempt: int, kind: FailureKind, message: str) -> None:
        """An attempt gave no result."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE runs SET status = 'failed', failure_kind = ?, message = ? WHERE order_index = ?",
                (kind.value, message, order_index),
            )
            self._end_attempt(cursor, order_index, attempt, kind.value, message)

    def requeue(self, order_index: int, attempt: int, kind: FailureKind, message: str) -> None:
        """An attempt was cut short through no fault of the run's: it is pending again."""
        with self._transaction() as cursor:
            cursor.execute("UPDATE runs SET status = 'pending' WHERE order_index = ?", (order_index,))
            self._end_attempt(cursor, order_index, attempt, kind.value, message)

    def least_left(self, min_cycles: int) -> int:
        """How many runs are left at least, where each experiment is run this often and until it is known."""
        (least,) = self._rows(
            "SELECT sum(min(left, max(1, ? - done))) FROM (SELECT sum(status = 'completed') AS done,"
            " sum(status IN ('pending', 'running', 'failed')) AS left FROM runs GROUP BY position) WHERE left",
            (min_cycles,),
        )[0]
        return int(least or 0)

    def reset(self, changes: Sequence[tuple[int, Status, str | None]]) -> None:
        """Set what folders tell against the rows, all in one transaction: (order_index, status, result_path)."""
        with self._transaction() as cursor:
            cursor.executemany(
                "UPDATE runs SET status = ?, failure_kind = NULL, message = NULL, result_path = ?"
                " WHERE order_index = ?",
                [(status.value, path, order_index) for order_index, status, path in changes],
            )
            cursor.executemany(
                "UPDATE attempts SET outcome = ?, ended_at = ? WHERE order_index = ? AND outcome IS NULL",
                [
                    ("completed" if status is Status.COMPLETED else FailureKind.INTERRUPTED.value, _now(), order_index)
                    for order_index, status, _ in changes
                    if status is not Status.RUNNING
                ],
            )

    def _end_attempt(
        self, cursor: sqlite3.Cursor, order_index: int, attempt: int, outcome: str, message: str | None
    ) -> None:
        cursor.execute(
            "UPDATE attempts SET outcome = ?, message = ?, ended_at = ? WHERE order_index = ? AND attempt = ?",
            (outcome, message, _now(), order_index, attempt),
        )

    def _runs(self, where: str, values: Sequence[object]) -> Iterator[RunRow]:
        rows = self._rows(
            "SELECT order_index, experiment_id, backend, source, cycle, status, attempts, failure_kind, message,"
            f" result_path FROM runs JOIN experiments USING (position) {where} ORDER BY order_index",
            values,
        )
        return (RunRow._make((*row[:5], Status(row[5]), *row[6:])) for row in rows)

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with _readable_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        with _readable_errors(self.path), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise


class _Counted:
    """Rows numbered as they stream by, and a digest over who they are."""

    def __init__(self, rows: Iterable[ExperimentRow]) -> None:
        self._rows = rows
        self.count = 0
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[int, str, str, str, str]]:
        for row in self._rows:
            yield (self.count, *row)
            self.digest.update(f"{row.experiment_id}\n".encode())
            self.count += 1


def _numbered(
    runs: Iterable[tuple[int, int]], ids: Mapping[int, str], taken: Mapping[tuple[str, int], int]
) -> Iterator[tuple[int, int, int]]:
    """Each run with its order index: the one it has, else the next that no run has."""
    used = set(taken.values())
    free = (index for index in itertools.count() if index not in used)
    for position, cycle in runs:
        index = taken.get((ids[position], cycle)) if taken else None
        yield next(free) if index is None else index, position, cycle


def _carry_over(connection: sqlite3.Connection, before: Path) -> None:
    """Hand on from an earlier manifest what became of the runs that are planned here too."""
    connection.execute("ATTACH ? AS earlier", (f"{before.resolve().as_uri()}?mode=rw",))
    connection.execute("BEGIN")
    connection.execute(
        "CREATE TEMP TABLE same AS SELECT was.order_index AS before, now.order_index AS after"
        " FROM earlier.runs AS was JOIN earlier.experiments AS old ON old.position = was.position"
        " JOIN main.experiments AS new ON new.experiment_id = old.experiment_id"
        " JOIN main.runs AS now ON now.position = new.position AND now.cycle = was.cycle"
    )
    connection.execute(
        "UPDATE main.runs SET (status, attempts, failure_kind, message, result_path) ="
        " (SELECT was.status, was.attempts, was.failure_kind, was.message, was.result_path"
        " FROM same JOIN earlier.runs AS was ON was.order_index = same.before"
        " WHERE same.after = main.runs.order_index)"
        " WHERE order_index IN (SELECT after FROM same)"
    )
    connection.execute(
        "INSERT INTO main.attempts SELECT same.after, was.attempt, was.outcome, was.message, was.started_at,"
        " was.ended_at FROM earlier.attempts AS was JOIN same ON same.before = was.order_index"
    )
    connection.execute("COMMIT")
    connection.execute("DETACH earlier")


def _connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10.0)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = None
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        version = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    if version is None or not version[0].isdecimal():
        raise ManifestError(f"{path} is no manifest", hint="move it away: it is rebuilt from results/")
    if int(version[0]) > SCHEMA_VERSION:
        raise MachineError(
            f"{path} was written by a newer version of orchestrate",
            hint="update orchestrate, or move the file away: it is rebuilt from results/",
        )


def _now() -> str:
    return datetime.now(UTC).isoformat()


@contextmanager
def _removed_if_unfinished(draft: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    """SQLite's errors in our words: a broken file is one thing, a full or locked disk another."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DiskError(f"the manifest {path} cannot be read or written: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ManifestError(
            f"the manifest {path} is broken: {error}", hint="move it away: it is rebuilt from results/"
        ) from error
