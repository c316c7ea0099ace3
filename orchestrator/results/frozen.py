"""The resolved campaign, frozen beside its results, so that the manifest can be rebuilt from them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
from runners.contract.paths import CAMPAIGN


class Earlier(ContractModel):
    """What a campaign was before its file changed, and until when."""

    orchestrate_version: str
    frozen_at: AwareDatetime
    campaign: Campaign
    experiments: Annotated[int, Field(ge=1)]
    experiments_sha256: str


class FrozenCampaign(ContractModel):
    """``campaign.json``: all that is needed to plan the campaign again, and to know that it is the same."""

    schema_version: Literal[1, 2] = 2
    orchestrate_version: str
    frozen_at: AwareDatetime
    campaign: Campaign
    experiments: Annotated[int, Field(ge=1)]
    experiments_sha256: str
    """SHA-256 over the experiment_ids in their order, a line each."""
    dispatcher: DispatcherName = "local"
    """How its runs are started: all of them alike, so that they can be compared."""
    container_strategy: ContainerStrategy | None = None
    earlier: tuple[Earlier, ...] = ()
    """What it was each time before its file changed, the oldest first."""

    @property
    def revision(self) -> int:
        """How often its file changed since it was begun."""
        return len(self.earlier)


def freeze(
    path: Path,
    campaign: Campaign,
    experiments: int,
    experiments_sha256: str,
    dispatching: Dispatching,
    before: FrozenCampaign | None = None,
) -> None:
    """Write ``campaign.json``. Folders are kept relative to it, so that a project can be moved.

    Args:
        path: the file.
        campaign: as it is from now on.
        experiments: how many it has.
        experiments_sha256: over their ids.
        dispatching: how its runs are started.
        before: what it was until now, which is kept as its history.
    """

    def relative(folder: Path) -> Path:
        return Path(os.path.relpath(folder, path.parent))

    earlier = (*before.earlier, _earlier(before)) if before else ()
    frozen = FrozenCampaign(
        orchestrate_version=program_version(),
        frozen_at=datetime.now(UTC),
        campaign=_moved(campaign, relative),
        experiments=experiments,
        experiments_sha256=experiments_sha256,
        dispatcher=dispatching.dispatcher,
        container_strategy=dispatching.container_strategy,
        earlier=tuple(was.model_copy(update={"campaign": _moved(was.campaign, relative)}) for was in earlier),
    )
    write_durably(path, frozen.model_dump_json(indent=2) + "\n")


def _earlier(frozen: FrozenCampaign) -> Earlier:
    return Earlier(**{name: getattr(frozen, name) for name in Earlier.model_fields})


def _moved(campaign: Campaign, place: Callable[[Path], Path]) -> Campaign:
    return campaign.model_copy(update={"folder": place(campaign.folder)})


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

    def resolved(folder: Path) -> Path:
        return (path.parent / folder).resolve()

    earlier = (was.model_copy(update={"campaign": _moved(was.campaign, resolved)}) for was in frozen.earlier)
    return frozen.model_copy(update={"campaign": _moved(frozen.campaign, resolved), "earlier": tuple(earlier)})


def repeated_until(folder: Path) -> str | None:
    """The quantity for whose sake a campaign repeats its experiments until it is known, or did so once.

    Read without checking what else stands there.

    Returns:
        Its name; None where the number of cycles is fixed, or nobody can tell.
    """
    try:
        frozen = json.loads((folder / CAMPAIGN).read_bytes())
        untils = [each["campaign"]["file"].get("until") for each in (frozen, *frozen["earlier"])]
        return next((str(until["metric"]) for until in untils if until), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def program_version() -> str:
    """The version of this program."""
    try:
        return version("llm-orchestrate")
    except PackageNotFoundError:
        return "unknown"
