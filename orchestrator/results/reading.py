"""Results read back: one run folder, or all of a campaign's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import InputError
from runners.contract.host import NO_OTHER_PROCESS, HostReport, with_host_checks
from runners.contract.messages import first_fault
from runners.contract.paths import (
    ATTEMPTS,
    FAILURE,
    HOST,
    REQUEST,
    RESULT,
    RUNS,
    parse_attempt_name,
    parse_cycle_name,
)
from runners.contract.result import SCHEMA_VERSION, Check, RunFailure, RunResult
from runners.contract.upgrade import upgraded_result


def load_result(path: str | Path) -> RunResult:
    """Read the result of one run, with what the host checked while it ran.

    Args:
        path: a run folder, or the ``result.json`` in it.

    Raises:
        InputError: there is none, it is broken, or a newer version wrote it.
    """
    file = Path(path)
    if file.is_dir():
        file = file / RESULT
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no result {file}") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    _refuse_newer(content, file)
    try:
        return with_host_checks(parse_result(content), host_checks(file.parent))
    except ValidationError as error:
        raise InputError(f"{file} is not a result: {first_fault(error)}") from None


def read_results(campaign_folder: Path) -> Iterator[RunResult]:
    """Yield the result of each complete run below a campaign's results, by experiment and cycle."""
    for folder in run_folders(campaign_folder):
        yield load_result(folder)


def run_folders(campaign_folder: Path) -> list[Path]:
    """The folders of a campaign's complete runs, by experiment and cycle."""
    return sorted(
        (path for path in (campaign_folder / RUNS).glob("*/*") if parse_cycle_name(path.name) is not None),
        key=lambda path: (path.parent.name, parse_cycle_name(path.name)),
    )


def order_indexes(campaign_folder: Path) -> dict[tuple[str, int], int]:
    """The order index that each run has which is complete or was begun and not ended, by experiment_id and cycle.

    No two are the same. What cannot be read, or has that of another run, is left out.
    """
    found: dict[tuple[str, int], int] = {}
    used: set[int] = set()
    for experiment_id, cycle, file in (*_complete(campaign_folder), *_begun(campaign_folder)):
        try:
            index = json.loads(file.read_bytes())["order_index"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        run = experiment_id, cycle
        if isinstance(index, int) and 0 <= index < 2**62 and index not in used and run not in found:
            used.add(index)
            found[run] = index
    return found


def _complete(campaign_folder: Path) -> Iterator[tuple[str, int, Path]]:
    for folder in run_folders(campaign_folder):
        cycle = parse_cycle_name(folder.name)
        if cycle is not None:
            yield folder.parent.name, cycle, folder / RESULT


def _begun(campaign_folder: Path) -> Iterator[tuple[str, int, Path]]:
    """Attempts that did not fail: at work still, or killed; the latest of a run first."""
    folders = ((parse_attempt_name(path.name), path) for path in (campaign_folder / ATTEMPTS).glob("*"))
    for name, folder in sorted(((name, folder) for name, folder in folders if name), reverse=True):
        if not (folder / FAILURE).exists():
            yield name.experiment_id, name.cycle, folder / REQUEST


def parse_result(content: bytes) -> RunResult:
    """A result from the bytes of its file.

    Raises:
        ValidationError: it is none.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and document.get("schema_version") != SCHEMA_VERSION:
        content = json.dumps(upgraded_result(document)).encode()
    return RunResult.model_validate_json(content)


def read_failure(path: Path) -> RunFailure | None:
    """A failure's file, or None where there is none that can be read."""
    try:
        return RunFailure.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def read_host_report(folder: Path) -> HostReport | None:
    """What the host saw of an attempt or a run; None where it did not look, or nobody can tell any more."""
    try:
        return HostReport.model_validate_json((folder / HOST).read_bytes())
    except (OSError, ValidationError):
        return None


def host_checks(folder: Path) -> list[Check]:
    """What the host checked of an attempt or a run; nothing where it did not look."""
    report = read_host_report(folder)
    if report is not None:
        return report.checks
    if not os.path.lexists(folder / HOST):
        return []
    return [
        Check(
            name=NO_OTHER_PROCESS,
            passed=False,
            severity="warning",
            observed=f"what the host saw cannot be read from {HOST}",
            hint="a newer version of orchestrate may have written it, or it was changed",
        )
    ]


def _refuse_newer(content: bytes, file: Path) -> None:
    try:
        version = json.loads(content).get("schema_version")
    except (ValueError, AttributeError, RecursionError):
        return
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"{file} has schema version {version}, and this program knows {SCHEMA_VERSION}",
            hint="update orchestrate: a newer version wrote it",
        )
