"""The resolved campaign, frozen beside its results, so that the manifest can be rebuilt from them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from orchestrator.campaign.schema import Campaign, ContainerStrategy, DispatcherName, Dispatching
from orchestrator.errors import InputError
from orchestrator.files import write_durably
from runners.contract.messages import first_fault
from runners.contract.model import ContractModel


class FrozenCampaign(ContractModel):
    """``campaign.json``: all that is needed to plan the campaign again, and to know that it is the same."""

    schema_version: Literal[1] = 1
    orchestrate_version: str
    frozen_at: AwareDatetime
    campaign: Campaign
    experiments: Annotated[int, Field(ge=1)]
    experiments_sha256: str
    """SHA-256 over the experiment_ids in their order, a line each."""
    dispatcher: DispatcherName = "local"
    """How its runs are started: all of them alike, so that they can be compared."""
    container_strategy: ContainerStrategy | None = None


def freeze(path: Path, campaign: Campaign, experiments: int, experiments_sha256: str, dispatching: Dispatching) -> None:
    """Write ``campaign.json``. Folders are kept relative to it, so that a project can be moved."""
    folder = Path(os.path.relpath(campaign.folder, path.parent))
    frozen = FrozenCampaign(
        orchestrate_version=program_version(),
        frozen_at=datetime.now(UTC),
        campaign=campaign.model_copy(update={"folder": folder}),
        experiments=experiments,
        experiments_sha256=experiments_sha256,
        dispatcher=dispatching.dispatcher,
        container_strategy=dispatching.container_strategy,
    )
    write_durably(path, frozen.model_dump_json(indent=2) + "\n")


def thaw(path: Path) -> FrozenCampaign:
    """Read ``campaign.json`` back.

    Raises:
        InputError: it is missing, broken, or from a newer version.
    """
    try:
        frozen = FrozenCampaign.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise InputError(
            f"{path} is not a frozen campaign: {first_fault(error)}",
            hint="it may be from another version of orchestrate",
        ) from None
    folder = (path.parent / frozen.campaign.folder).resolve()
    return frozen.model_copy(update={"campaign": frozen.campaign.model_copy(update={"folder": folder})})


def program_version() -> str:
    """The version of this program."""
    try:
        return version("llm-orchestrate")
    except PackageNotFoundError:
        return "unknown"
