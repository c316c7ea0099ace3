"""From a campaign to its manifest: planned anew, found again, or rebuilt from results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.order import order_runs
from orchestrator.campaign.schema import Campaign, Dispatching
from orchestrator.errors import InputError, InterruptedCampaignError, ManifestError
from orchestrator.manifest.store import ExperimentRow, Manifest
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, freeze, thaw


def plan(
    campaign: Campaign, manifest_path: Path, should_stop: Callable[[], bool] = lambda: False
) -> tuple[Manifest, Funnel]:
    """Expand a campaign into a new manifest.

    Returns:
        The manifest, and what became of the declared points.

    Raises:
        InterruptedCampaignError: it was asked to stop; nothing is left behind.
    """
    funnel = Funnel()
    file = campaign.file
    rows = (
        ExperimentRow(planned.experiment_id, planned.backend, planned.source, planned.canonical)
        for planned in expand(campaign, funnel)
    )
    manifest_path.parent.mkdir(parents=True, exist_ok=True)
    manifest = Manifest.create(
        manifest_path,
        _until(should_stop, rows),
        lambda experiments: _until(should_stop, order_runs(experiments, file.cycles, file.order, file.seed)),
    )
    return manifest, funnel


_T = TypeVar("_T")


def _until(should_stop: Callable[[], bool], items: Iterable[_T]) -> Iterator[_T]:
    for item in items:
        if should_stop():
            raise InterruptedCampaignError("stopped while the campaign was planned", hint="start it again")
        yield item


def open_or_plan(
    campaign: Campaign,
    folder: CampaignFolder,
    manifest_path: Path,
    dispatching: Dispatching,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign: the one that is there, else a new one, frozen in results.

    Returns:
        The manifest, and in words what had to be mended.

    Raises:
        InputError: a campaign of this name is there, and its file was another.
    """
    if not folder.campaign_file.exists():
        manifest, funnel = plan(campaign, manifest_path, should_stop)
        folder.make()
        freeze(folder.campaign_file, campaign, funnel.experiments, manifest.experiments_sha256(), dispatching)
        return manifest, []
    frozen = thaw(folder.campaign_file)
    changed = _differences(frozen.campaign, campaign)
    if changed:
        raise InputError(
            f"campaign {campaign.name!r} exists, and was another then: {', '.join(changed)} changed",
            hint=f"give it another name:, or move {folder.path} away;"
            " taking changes over into a campaign is not supported yet",
        )
    return open_or_rebuild(frozen, folder, manifest_path, should_stop)


def open_or_rebuild(
    frozen: FrozenCampaign,
    folder: CampaignFolder,
    manifest_path: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign that has results; rebuilt where it is lost or broken.

    Raises:
        InputError: this version expands the campaign into other experiments.
    """
    folder.make()
    try:
        manifest = Manifest.open(manifest_path)
        if manifest.experiments_sha256() == frozen.experiments_sha256:
            return manifest, []
        manifest.close()
        mended = f"{manifest_path} belongs to another campaign; rebuilt from {folder.path}"
    except ManifestError as error:
        mended = f"{error}; rebuilt from {folder.path}"
    if manifest_path.exists():
        aside = manifest_path.with_name(f"manifest.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
        manifest_path.replace(aside)
        mended += f", the old one kept as {aside.name}"
    manifest, _ = plan(frozen.campaign, manifest_path, should_stop)
    if manifest.experiments_sha256() != frozen.experiments_sha256:
        manifest.close()
        manifest_path.unlink()
        raise InputError(
            f"this version of orchestrate expands campaign {frozen.campaign.name!r} into other experiments"
            f" than {frozen.orchestrate_version}, which began it",
            hint=f"finish it with version {frozen.orchestrate_version}, or begin a new campaign",
        )
    return manifest, [mended]


def _differences(before: Campaign, after: Campaign) -> list[str]:
    """What of a campaign is not as it was: keys of its file, and files that it names."""
    changed = [
        name for name in type(after.file).model_fields if getattr(before.file, name) != getattr(after.file, name)
    ]
    if changed:
        return changed
    names = [*before.dataset_sha256, *before.model_sha256]
    was, now = ({**campaign.dataset_sha256, **campaign.model_sha256} for campaign in (before, after))
    return [f"the content of {name}" for name in names if was[name] != now.get(name)]
