"""From a campaign to its manifest: planned anew, found again, or rebuilt from results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.order import order_runs
from orchestrator.campaign.schema import Campaign, Dispatching
from orchestrator.errors import InputError, InterruptedCampaignError, ManifestError
from orchestrator.execution.changes import changes, require_comparable
from orchestrator.manifest.store import ExperimentRow, Manifest
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, freeze, thaw
from orchestrator.results.reading import order_indexes


def plan(
    campaign: Campaign,
    manifest_path: Path,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    revision: int = 0,
    taken: Mapping[tuple[str, int], int] | None = None,
    before: Path | None = None,
) -> tuple[Manifest, Funnel]:
    """Expand a campaign into a new manifest.

    Args:
        campaign: what to plan.
        manifest_path: where; one that is there is replaced.
        should_stop: asked again and again.
        revision: how often the campaign's file changed.
        taken: the order indexes of runs that are complete or under way.
        before: the manifest of an earlier revision.

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
        lambda experiments: _until(should_stop, order_runs(experiments, file.most_cycles, file.order, file.seed)),
        revision=revision,
        taken=taken,
        before=before,
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
    *,
    accept_changes: bool = False,
) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign: the one that is there, else a new one, frozen in results.

    What changed in the campaign's file is taken over by one write, of ``campaign.json``; the manifest follows it,
    now or, after a crash, at the next start.

    Returns:
        The manifest, and in words what had to be mended.

    Raises:
        InputError: a campaign of this name is there, and its file changed in a way that was not agreed to, or by
            which its runs could not be compared.
    """
    if not folder.campaign_file.exists():
        manifest, funnel = plan(campaign, manifest_path, should_stop)
        folder.make()
        freeze(folder.campaign_file, campaign, funnel.experiments, manifest.experiments_sha256(), dispatching)
        return manifest, []
    frozen = thaw(folder.campaign_file)
    found = changes(frozen, campaign, folder)
    if found:
        require_comparable(campaign.name, found)
        if found.touches_runs and not accept_changes:
            raise InputError(
                f"campaign {campaign.name!r} was begun, and its file changed since\n" + "\n".join(found.lines()),
                hint="--yes takes the changes over; --name NAME measures anew beside it",
            )
        freeze(
            folder.campaign_file, campaign, found.experiments, found.experiments_sha256, _dispatching(frozen), frozen
        )
        frozen = thaw(folder.campaign_file)
    return open_or_rebuild(frozen, folder, manifest_path, should_stop)


def open_or_rebuild(
    frozen: FrozenCampaign,
    folder: CampaignFolder,
    manifest_path: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign that has results; rebuilt where it is lost or broken, or behind the campaign.

    Raises:
        InputError: this version expands the campaign into other experiments.
    """
    folder.make()
    try:
        manifest = Manifest.open(manifest_path)
        if is_current(manifest, frozen):
            return manifest, []
        behind = _is_behind(manifest, frozen)
        manifest.close()
        if behind:
            planned = _planned(frozen, folder, manifest_path, should_stop, before=manifest_path)
            return planned, ["changes of the campaign file are taken over"]
        mended = f"{manifest_path} belongs to another campaign; rebuilt from {folder.path}"
    except ManifestError as error:
        mended = f"{error}; rebuilt from {folder.path}"
    if manifest_path.exists():
        aside = manifest_path.with_name(f"manifest.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
        manifest_path.replace(aside)
        mended += f", the old one kept as {aside.name}"
    return _planned(frozen, folder, manifest_path, should_stop), [mended]


def _planned(
    frozen: FrozenCampaign,
    folder: CampaignFolder,
    manifest_path: Path,
    should_stop: Callable[[], bool],
    *,
    before: Path | None = None,
) -> Manifest:
    taken = order_indexes(folder.path) if frozen.revision else None
    manifest, _ = plan(
        frozen.campaign, manifest_path, should_stop, revision=frozen.revision, taken=taken, before=before
    )
    if manifest.experiments_sha256() != frozen.experiments_sha256:
        manifest.close()
        manifest_path.unlink()
        raise InputError(
            f"this version of orchestrate expands campaign {frozen.campaign.name!r} into other experiments"
            f" than {frozen.orchestrate_version}, which began it",
            hint=f"finish it with version {frozen.orchestrate_version}, or begin a new campaign",
        )
    return manifest


def is_current(manifest: Manifest, frozen: FrozenCampaign) -> bool:
    """Whether a manifest is of a campaign as it is now."""
    return (manifest.revision(), manifest.experiments_sha256()) == (frozen.revision, frozen.experiments_sha256)


def _is_behind(manifest: Manifest, frozen: FrozenCampaign) -> bool:
    """Whether it is of the same campaign, as it was before its file changed."""
    revision = manifest.revision()
    return (
        0 <= revision < frozen.revision and frozen.earlier[revision].experiments_sha256 == manifest.experiments_sha256()
    )


def _dispatching(frozen: FrozenCampaign) -> Dispatching:
    return Dispatching(frozen.dispatcher, frozen.container_strategy)
