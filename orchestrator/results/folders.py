"""The results folder of one campaign: attempts, the runs published from them, the frozen campaign.

An attempt works in ``attempts/<experiment_id>.c002.a1/``. Once verified, it becomes the run folder
``runs/<experiment_id>/c002/`` by one rename, which fails if that exists: the first wins.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import OrchestratorError
from orchestrator.results.reading import host_checks, parse_result, read_failure
from runners.contract import fingerprint, folders
from runners.contract.host import with_host_checks
from runners.contract.messages import first_fault
from runners.contract.paths import (
    ATTEMPTS,
    CACHES,
    CAMPAIGN,
    FAILURE,
    RESULT,
    RUNS,
    AttemptName,
    parse_attempt_name,
    parse_cycle_name,
)
from runners.contract.result import RunFailure, RunResult


class UnverifiedError(OrchestratorError):
    """An attempt's files are not what its result says they are."""


class CampaignFolder:
    """Where one campaign's results lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.attempts = path / ATTEMPTS
        self.runs = path / RUNS
        self.campaign_file = path / CAMPAIGN

    def make(self) -> None:
        """Create the folders that are not there yet."""
        folders.make(self.path)

    def run_folder(self, experiment_id: str, cycle: int) -> Path:
        """Where a complete run's files are; it exists if and only if the run is complete."""
        return folders.run_folder(self.path, experiment_id, cycle)

    def attempt_folder(self, name: AttemptName) -> Path:
        """Where an attempt works."""
        return folders.attempt_folder(self.path, name)

    def make_attempt(self, experiment_id: str, cycle: int, at_least: int) -> AttemptName:
        """Create the folder of a new attempt, numbered ``at_least`` or, where that is taken, higher."""
        attempt = at_least
        while True:
            name = AttemptName(experiment_id, cycle, attempt)
            try:
                self.attempt_folder(name).mkdir()
            except FileExistsError:
                attempt += 1
            else:
                return name

    def published(self) -> set[tuple[str, int]]:
        """Every complete run, as (experiment_id, cycle): one listing of the folders."""
        return set(self._published())

    def _published(self) -> Iterator[tuple[str, int]]:
        try:
            experiments = os.scandir(self.runs)
        except FileNotFoundError:
            return
        with experiments:
            for experiment in experiments:
                if not experiment.is_dir():
                    continue
                for name in os.listdir(experiment.path):
                    cycle = parse_cycle_name(name)
                    if cycle is not None and os.path.exists(f"{experiment.path}/{name}/{RESULT}"):  # noqa: PTH110
                        yield experiment.name, cycle

    def attempt_names(self) -> list[AttemptName]:
        """Every attempt whose folder is there: those under way, and those that failed."""
        try:
            names = os.listdir(self.attempts)
        except FileNotFoundError:
            return []
        return [name for name in map(parse_attempt_name, names) if name]

    def has_result(self, name: AttemptName) -> bool:
        """Whether an attempt got as far as writing its result."""
        return (self.attempt_folder(name) / RESULT).exists()

    def failure(self, name: AttemptName) -> RunFailure | None:
        """What an attempt says of its failure, if it said anything that can be read."""
        return read_failure(self.attempt_folder(name) / FAILURE)

    def clear_caches(self, name: AttemptName) -> None:
        """Remove the caches of an attempt that was started cold and died before it could do that itself."""
        shutil.rmtree(self.attempt_folder(name) / CACHES, ignore_errors=True)

    def verify(self, name: AttemptName) -> RunResult:
        """Read an attempt's result, with what the host checked, and hold it against its name and its files.

        Raises:
            UnverifiedError: it is not a result, or not of this attempt, or a file differs.
        """
        folder = self.attempt_folder(name)
        try:
            result = parse_result((folder / RESULT).read_bytes())
        except OSError as error:
            raise UnverifiedError(f"{RESULT} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise UnverifiedError(f"{RESULT} is not one: {first_fault(error)}") from None
        if AttemptName(result.experiment_id, result.cycle, result.attempt) != name:
            raise UnverifiedError(f"{RESULT} is of another attempt: {result.run_id}, attempt {result.attempt}")
        for file_name, record in result.files.items():
            path = folder / file_name
            as_recorded = path.is_file() and path.stat().st_size == record.size_bytes
            if not as_recorded or fingerprint.of_file(path) != record.sha256:
                raise UnverifiedError(f"{file_name} is missing, or not the file that {RESULT} describes")
        return with_host_checks(result, host_checks(folder))

    def publish(self, name: AttemptName) -> Path | None:
        """Turn a verified attempt into its run, durably; None where the run was there first."""
        return folders.publish(self.path, name)

    def relative(self, path: Path) -> str:
        """A path below this folder, as the manifest keeps it."""
        return path.relative_to(self.path).as_posix()
