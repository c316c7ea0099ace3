"""All results of a campaign, by its name or its folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import InputError
from orchestrator.execution.begun import existing
from orchestrator.execution.changes import retired
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.reading import load_result, read_results, run_folders
from orchestrator.results.table import RunTable, read_table
from orchestrator.system.project import Project, find_project, make_ignored
from runners.contract.paths import RESULT, RUNS
from runners.contract.result import RunResult


def load_results(campaign: str | Path, *, project: Project | None = None) -> list[RunResult]:
    """Read the result of every complete run of a campaign, by experiment and cycle.

    Args:
        campaign: its name, or the path of its results folder.
        project: where a name is looked for; found from the current folder if not given.

    Raises:
        InputError: there is no such campaign, or a result cannot be read.
    """
    if isinstance(campaign, Path):
        if not campaign.is_dir():
            raise InputError(f"there is no results folder {campaign}")
        return list(read_results(campaign))
    return list(read_results(existing(project or find_project(), campaign)))


def load_table(campaign: str | Path, *, project: Project | None = None) -> RunTable:
    """A campaign's complete runs as a table, read through the index that the project keeps of them.

    Args:
        campaign: its name, or the path of its results folder, which has no index.
        project: where a name is looked for; found from the current folder if not given.

    Raises:
        InputError: there is no such campaign.
    """
    if isinstance(campaign, Path):
        if not campaign.is_dir():
            raise InputError(f"there is no results folder {campaign}")
        return _table(campaign, None)
    project = project or find_project()
    folder = existing(project, campaign)
    with suppress(OSError):  # then there is no index
        make_ignored(project.state)
    return _table(folder, project.results_index(campaign))


def results_of(table: RunTable) -> Iterator[RunResult]:
    """The results of a table's runs, one after another: thousands of them need not be held at once.

    Raises:
        InputError: one cannot be read any more.
    """
    folder = CampaignFolder(table.folder)
    for experiment_id, cycle in zip(table.frame["experiment_id"], table.frame["cycle"].tolist(), strict=True):
        yield load_result(folder.run_folder(experiment_id, cycle))


def _table(folder: Path, index: Path | None) -> RunTable:
    return read_table(folder, index, retired(CampaignFolder(folder)))


def find_run(name: str, project: Project) -> Path:
    """The folder of a run: given as a path (from here or from results/), as its run_id, or as a unique part of that.

    Raises:
        InputError: no run fits, or several do.
    """
    for path in (Path(name), project.results / name):
        try:
            if (path / RESULT).is_file():
                return path.resolve()
        except (OSError, ValueError):  # too long for a path, or none: then it may still be a part of one
            continue
    part, _, cycle = name.rpartition(".c") if ".c" in name else (name, "", "")
    fitting = [
        folder
        for campaign in sorted(path.parent for path in project.results.glob(f"*/{RUNS}"))
        for folder in run_folders(campaign)
        if part in folder.parent.name and cycle in ("", folder.name.removeprefix("c"))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise InputError(f"there is no complete run {name!r}", hint="`orchestrate results list NAME` lists them")
    shown = "\n".join(f"  {folder.relative_to(project.results)}" for folder in fitting[:10])
    more = f"\n  … and {len(fitting) - 10} more" if len(fitting) > 10 else ""
    raise InputError(
        f"{name!r} fits {len(fitting)} runs:\n{shown}{more}",
        hint="name more of it, with its cycle; or its folder, as it stands here",
    )
