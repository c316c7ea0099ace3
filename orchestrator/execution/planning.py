"""From a campaign to its manifest: planned anew, found again, or rebuilt from results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.order import order_runs
from orchestrator.campaign.schema import Campaign
from orchestrator.errors import InputError, ManifestError
from orchestrator.manifest.store import ExperimentRow, Manifest
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, freeze, thaw


def plan(campaign: Campaign, manifest_path: Path) -> tuple[Manifest, Funnel, str]:
    """Expand a campaign into a new manifest.

    Returns:
        The manifest, what became of the declared points, and the SHA-256 over the experiment_ids.
    """
    funnel = Funnel()
    digest = hashlib.sha256()

    def rows() -> Iterator[ExperimentRow]:
        for planned in expand(campaign, funnel):
            digest.update(f"{planned.experiment_id}\n".encode())
            yield ExperimentRow(planned.experiment_id, planned.backend, planned.source, planned.canonical)

    file = campaign.file
    manifest = Manifest.create(
        manifest_path, rows(), lambda experiments: order_runs(experiments, file.cycles, file.order, file.seed)
    )
    return manifest, funnel, digest.hexdigest()


def open_or_plan(campaign: Campaign, folder: CampaignFolder, manifest_path: Path) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign: the one that is there, else a new one, frozen in results.

    Returns:
        The manifest, and in words what had to be mended.

    Raises:
        InputError: a campaign of this name is there, and its file was another.
    """
    if not folder.campaign_file.exists():
        manifest, funnel, digest = plan(campaign, manifest_path)
        folder.make()
        freeze(folder.campaign_file, campaign, funnel.experiments, digest)
        return manifest, []
    frozen = thaw(folder.campaign_file)
    if (frozen.campaign.file, frozen.campaign.dataset_sha256) != (campaign.file, campaign.dataset_sha256):
        raise InputError(
            f"campaign {campaign.name!r} exists, and its file or a prompt file was another then"
            f" ({_differences(frozen.campaign, campaign)})",
            hint=f"give it another name:, or move {folder.path} away;"
            " taking changes over into a campaign is not supported yet",
        )
    return open_or_rebuild(frozen, folder, manifest_path)


def open_or_rebuild(frozen: FrozenCampaign, folder: CampaignFolder, manifest_path: Path) -> tuple[Manifest, list[str]]:
    """The manifest of a campaign that has results; rebuilt where it is lost or broken.

    Raises:
        InputError: this version expands the campaign into other experiments.
    """
    folder.make()
    try:
        return Manifest.open(manifest_path), []
    except ManifestError as error:
        mended = f"{error}; rebuilt from {folder.path}"
    if manifest_path.exists():
        aside = manifest_path.with_name(f"manifest.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
        manifest_path.replace(aside)
        mended += f", the old one kept as {aside.name}"
    manifest, _, digest = plan(frozen.campaign, manifest_path)
    if digest != frozen.experiments_sha256:
        manifest.close()
        manifest_path.unlink()
        raise InputError(
            f"this version of orchestrate expands campaign {frozen.campaign.name!r} into other experiments"
            f" than {frozen.orchestrate_version}, which began it",
            hint=f"finish it with version {frozen.orchestrate_version}, or begin a new campaign",
        )
    return manifest, [mended]


def _differences(before: Campaign, after: Campaign) -> str:
    fields = [name for name in type(after.file).model_fields if getattr(before.file, name) != getattr(after.file, name)]
    if before.dataset_sha256 != after.dataset_sha256:
        fields.append("the content of a prompt file")
    return "changed: " + ", ".join(fields)
