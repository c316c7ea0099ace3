"""What the host saw of a run from outside, which a runner in a container cannot see; ``host.json``. Pure."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import AwareDatetime, Field

from runners.contract.model import ContractModel
from runners.contract.result import Check, RunResult

HOST_SCHEMA_VERSION: Final = 2
NO_OTHER_PROCESS: Final = "no_other_process"
NO_DISPLAY: Final = "no_display"
ALONE_ON_HOST: Final = "alone_on_host"


class OtherProcess(ContractModel):
    """A process on the run's GPUs that was not the run's."""

    pid: int
    name: str | None
    """None if it was gone before it could be asked, or is not visible on the host."""
    gpu: str
    """UUID."""
    display: bool
    """Whether it is part of a desktop: it only draws, and holds little memory."""
    memory_bytes: int | None
    """The most that it was seen to hold; None where the driver does not say."""
    first_seen_at: AwareDatetime
    looks: int = Field(ge=1)
    """How often it was seen."""


class Neighbour(ContractModel):
    """A run that was at work on this host at the same time."""

    run_id: str
    gpus: list[str]
    """Their UUIDs."""


class HostReport(ContractModel):
    """How the host watched a run's GPUs, and the checks that follow."""

    schema_version: Literal[1, 2] = HOST_SCHEMA_VERSION
    watched_from: AwareDatetime
    watched_until: AwareDatetime | None
    """None while the run is watched, and for ever where the orchestrator was killed."""
    looks: int = Field(ge=0)
    failed_looks: int = Field(ge=0)
    others: list[OtherProcess]
    neighbours: list[Neighbour] = Field(default_factory=list)
    """Runs of the same campaign that were at work on other GPUs of this host meanwhile."""
    checks: list[Check]


def with_host_checks(result: RunResult, checks: list[Check]) -> RunResult:
    """A result with what the host checked among its checks, and the verdict that follows from all of them.

    Args:
        result: as the runner wrote it.
        checks: the host's; one takes the place of the runner's of the same name.
    """
    names = {check.name for check in checks}
    merged = [*(check for check in result.checks if check.name not in names), *checks]
    suspect = result.verdict == "suspect" or any(not check.passed and check.severity == "critical" for check in checks)
    return result.model_copy(update={"checks": merged, "verdict": "suspect" if suspect else "good"})
