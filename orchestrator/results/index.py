"""What results were read, kept in a file, so that a campaign's table takes no reading of thousands of files.

The run folders are the truth, and the index is a cache of them: a row is taken from it only while size and moment of
change of the run's files are as they were when it was read. Whatever is wrong with the file costs the time of reading
the results anew, and no more. It is written aside and renamed, so that several may read and write it at once.

The file is the SHA-256 of the rest of it, and then an Arrow file: read whole, that is quicker than parquet, whose own
checksums leave out the heads of its pages.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import InputError
from orchestrator.results.frozen import program_version
from orchestrator.results.reading import load_result
from orchestrator.results.rows import as_rows, row_of, schema
from runners.contract.options import OPTIONS
from runners.contract.paths import HOST, RESULT, RUNS, parse_cycle_name
from runners.contract.request import Workload
from runners.contract.result import SCHEMA_VERSION

if TYPE_CHECKING:
    import pyarrow as pa

INDEX_VERSION: Final = 1
"""Raised when the same files would give other rows."""
_META = b"orchestrate"
_DIGEST_BYTES = 32
_SETTLED_NS = 2 * 10**9
"""A file that changed so shortly before it was read may change again without its size and moment telling."""
_UNSETTLED = -1
_RUN = "run"
_SEEN = ("result_mtime_ns", "result_bytes", "host_mtime_ns", "host_bytes")
_Seen = tuple[int, int, int, int]
"""Moment of change and size of result.json, then of host.json; 0 and 0 where there is none."""


def indexed_rows(folder: Path, index: Path | None) -> tuple[pa.Table, list[str]]:
    """The rows of a campaign's complete runs, and in words what is wrong with results that cannot be read.

    Args:
        folder: the campaign's results.
        index: the file that keeps them; brought up to date where it can be written. None: there is none.
    """
    import pyarrow as pa

    seen = dict(_scan(folder))
    known = _load(index) if index else None
    faults: list[str] = []
    if known is None:
        kept = schema_of_index().empty_table()
        stale = seen
    else:
        good = [seen.get(run) == tuple(then) for run, *then in zip(*_as_lists(known), strict=True)]
        kept = known if all(good) else known.filter(pa.array(good, pa.bool_()))
        fresh = set(kept[_RUN].to_pylist())
        stale = {run: of for run, of in seen.items() if run not in fresh}
    found = as_rows(_read(folder, stale, faults), schema_of_index())
    if not len(found) and known is not None and len(kept) == len(known):
        return kept, faults
    rows = pa.concat_tables([kept, found]).combine_chunks()
    if index:
        _store(rows, index)
    return rows, faults


def schema_of_index() -> pa.Schema:
    """The columns of the file, with the version that its rows are of."""
    columns = schema((_RUN, "string"), *((name, "int64") for name in _SEEN))
    return columns.with_metadata({_META: _version(columns.names).encode()})


def _scan(folder: Path) -> Iterator[tuple[str, _Seen]]:
    """Each complete run, as its folder below ``runs/``, with what its files are like now."""
    try:
        experiments = os.scandir(folder / RUNS)
    except OSError:
        return
    with experiments:
        for experiment in sorted(experiments, key=lambda entry: entry.name):
            try:
                names = os.listdir(experiment.path)
            except OSError:  # no folder, or gone
                continue
            for name in sorted(names):
                if parse_cycle_name(name) is not None:
                    of = f"{experiment.path}/{name}"
                    yield f"{experiment.name}/{name}", (*_seen(f"{of}/{RESULT}"), *_seen(f"{of}/{HOST}"))


def _seen(file: str) -> tuple[int, int]:
    try:
        found = os.stat(file)  # noqa: PTH116 a Path for each of so many files costs more than the look
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _as_lists(rows: pa.Table) -> list[list[Any]]:
    return [rows[name].to_pylist() for name in (_RUN, *_SEEN)]


def _read(folder: Path, runs: dict[str, _Seen], faults: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of the results that can be read; of the others, what is wrong is added to the faults."""
    for run, seen in runs.items():
        place = folder / RUNS / run
        try:
            row = row_of(load_result(place))
        except InputError as error:
            faults.append(str(error))
            continue
        except OverflowError:
            faults.append(f"{place / RESULT} holds a number that is too large")
            continue
        now_ns = time.time_ns()
        settled = all(abs(now_ns - changed_ns) > _SETTLED_NS for changed_ns in seen[::2])
        yield {_RUN: run, **dict(zip(_SEEN, seen if settled else [_UNSETTLED] * 4, strict=True)), **row}


def _load(index: Path) -> pa.Table | None:
    """What the file holds; None where it is not there, broken, or of another version."""
    import pyarrow as pa

    wanted = schema_of_index()
    try:
        content = index.read_bytes()
        if hashlib.sha256(memoryview(content)[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
            return None
        with pa.ipc.open_file(pa.py_buffer(content)[_DIGEST_BYTES:]) as file:
            return file.read_all() if file.schema.equals(wanted, check_metadata=True) else None
    except (OSError, pa.ArrowException):
        return None


def _store(rows: pa.Table, index: Path) -> None:
    """Keep the rows; a folder that cannot be written is left as it is."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write_table(rows)
    content = sink.getvalue()
    draft = index.with_name(f"{index.name}.{os.getpid()}.{threading.get_ident()}.new")
    with contextlib.suppress(OSError):
        index.parent.mkdir(exist_ok=True)
        try:
            with draft.open("wb") as opened:
                opened.write(hashlib.sha256(content).digest())
                opened.write(content)
            draft.replace(index)
        finally:
            draft.unlink(missing_ok=True)


def _version(columns: list[str]) -> str:
    """What the rows depend on besides the files: this program, and the names of what it reads from them."""
    names = [*columns, *Workload.model_fields, *(f"{of}.{name}" for of in OPTIONS for name in OPTIONS[of].model_fields)]
    digest = hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
    return f"{INDEX_VERSION} {SCHEMA_VERSION} {program_version()} {digest}"
