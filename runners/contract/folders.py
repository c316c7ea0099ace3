"""The folders of a campaign's results, and how an attempt becomes a run: by one rename, the first wins."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from runners.contract.paths import ATTEMPTS, RUNS, AttemptName, cycle_name


def run_folder(campaign: Path, experiment_id: str, cycle: int) -> Path:
    """Where a complete run's files are; it exists if and only if the run is complete."""
    return campaign / RUNS / experiment_id / cycle_name(cycle)


def attempt_folder(campaign: Path, name: AttemptName) -> Path:
    """Where an attempt works."""
    return campaign / ATTEMPTS / str(name)


def make(campaign: Path) -> None:
    """Creates the folders that are not there yet.

    Raises:
        OSError: they cannot be written.
    """
    (campaign / ATTEMPTS).mkdir(parents=True, exist_ok=True)
    (campaign / RUNS).mkdir(exist_ok=True)
    for folder in (campaign, campaign.parent):
        sync(folder)


def first_free(campaign: Path, experiment_id: str) -> AttemptName:
    """Reserves, by making its folder, the first cycle that no run and no attempt of an experiment has.

    Raises:
        OSError: the folder cannot be written.
    """
    cycle = 1
    while True:
        name = AttemptName(experiment_id, cycle, 1)
        if not run_folder(campaign, experiment_id, cycle).exists():
            try:
                attempt_folder(campaign, name).mkdir()
            except FileExistsError:
                pass
            else:
                return name
        cycle += 1


def publish(campaign: Path, name: AttemptName) -> Path | None:
    """Turns an attempt into its run, durably; None where the run was there first.

    Raises:
        OSError: the folders cannot be written.
    """
    target = run_folder(campaign, name.experiment_id, name.cycle)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        attempt_folder(campaign, name).rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return None
        raise
    for folder in (target.parent, campaign / RUNS, campaign / ATTEMPTS):
        sync(folder)
    return target


def sync(path: Path) -> None:
    """Puts a file's content, or a folder's entries, on the disk itself, where a power cut leaves it.

    Raises:
        OSError: it could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
