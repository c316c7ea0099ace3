"""How a campaign is carried out once more: its file as text, and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import InputError
from orchestrator.printable import harmless
from orchestrator.results.frozen import FrozenCampaign, thaw
from runners.contract.paths import ADHOC, CAMPAIGN
from runners.contract.result import RunResult


@dataclass(frozen=True, slots=True)
class Repeating:
    """What somebody needs to measure the same again."""

    commands: Sequence[str]
    """Of a shell."""
    file_name: str | None
    """Of the campaign file; None where there is none."""
    file_text: str | None
    """The campaign file, resolved: what it extended is in it."""
    notes: Sequence[str] = ()


def frozen_campaign(folder: Path) -> FrozenCampaign | None:
    """The campaign that lies with its results; None where there is none that this program can read."""
    try:
        return thaw(folder / CAMPAIGN)
    except InputError:
        return None


def repeating(name: str, frozen: FrozenCampaign | None, results: Sequence[RunResult]) -> Repeating:
    """How to carry it out again.

    Args:
        name: of the campaign, or of where single runs lie.
        frozen: the campaign as it was begun.
        results: some of its runs.
    """
    if frozen is None:
        if name == ADHOC:
            note = (
                "single runs: each run folder holds its request.json, which `python -m runners BACKEND --request` takes"
            )
        else:
            note = "campaign.json, which says how, is missing or of another version"
        return Repeating((), None, None, (note,))
    declared = frozen.campaign.file.model_dump(mode="json", exclude_defaults=True)
    text = _yaml(declared, as_escapes=False)
    if harmless(text) != text:
        text = _yaml(declared, as_escapes=True)
    dispatch = f" --dispatch {frozen.dispatcher}"
    strategy = f" --container-strategy {frozen.container_strategy}" if frozen.container_strategy else ""
    notes = [f"prompts: {path}, sha256 {sha256}" for path, sha256 in frozen.campaign.dataset_sha256.items()]
    notes += [f"model: {path}, sha256 {sha256}" for path, sha256 in frozen.campaign.model_sha256.items()]
    commits = sorted({commit for result in results if (commit := result.environment.git_commit)})
    if commits:
        notes.append(f"with orchestrate {frozen.orchestrate_version} at commit {', '.join(commits)}")
    digests = sorted(
        {f"{result.backend} {digest}" for result in results if (digest := result.environment.image_digest)}
    )
    notes += [f"image: {digest}" for digest in digests]
    if frozen.revision:
        notes.append(f"the file changed {frozen.revision} times since the campaign was begun: this is the last")
    return Repeating((f"orchestrate campaign {name}.yaml{dispatch}{strategy}",), f"{name}.yaml", text, notes)


def _yaml(declared: Any, *, as_escapes: bool) -> str:
    """A file as text; with escapes where it would not be read as it was written otherwise."""
    text: str = yaml.safe_dump(
        declared, sort_keys=False, allow_unicode=not as_escapes, width=110, default_flow_style=None
    )
    return text
