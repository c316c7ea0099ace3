"""Pydantic models of the campaign file.

``shared``, ``backends`` and ``experiments`` hold parameters of backends, which are checked against the
backends' own models in :mod:`orchestrator.campaign.axes`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator

from orchestrator.campaign.settings import Failures, Gaps, Notify
from orchestrator.campaign.times import Times, parse_duration, parse_time_of_day, parse_window
from orchestrator.campaign.until import MOST_CYCLES, Until
from runners.contract.model import ContractModel
from runners.contract.paths import ADHOC
from runners.contract.request import Measurement, Order

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"


def _free_name(name: str) -> str:
    if name == ADHOC:
        raise ValueError(f"{ADHOC!r} is where single runs land; choose another name")
    return name


def _distinct(gpus: list[int]) -> list[int]:
    if len(set(gpus)) < len(gpus):
        raise ValueError("a GPU is named twice")
    return gpus


Axis = Any
"""A scalar is fixed, a list is an axis."""

DispatcherName = Literal["local", "compose"]
"""How the runs of a campaign are started: as subprocesses here, or in containers."""
ContainerStrategy = Literal["ephemeral", "persistent"]
"""A container for each run, or one that stays for all runs of a backend."""


class Dispatching(NamedTuple):
    """How the runs of one campaign are started: all of them alike, so that they can be compared."""

    dispatcher: DispatcherName
    container_strategy: ContainerStrategy | None
    """None where there are no containers."""


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    """Texts are kept as they were written, once they can be read."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


_EVERY = r"^(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"
_CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9]"


def _like(pattern: str) -> dict[str, JsonValue]:
    return {"pattern": pattern}


class Schedule(ContractModel):
    """When a campaign is run; the same as the flags of ``orchestrate schedule``."""

    at: Annotated[str, Field(json_schema_extra=_like(rf"^{_CLOCK}$")), _read_by(parse_time_of_day)] | None = Field(
        None, description="time of day of this machine's clock, HH:MM; null: at once"
    )
    every: Annotated[str, Field(json_schema_extra=_like(_EVERY)), _read_by(parse_duration)] | None = Field(
        None, description="how long from one start to the next, such as 24h, 90m or 7d; null: once"
    )
    between: (
        Annotated[str, Field(json_schema_extra=_like(rf"^{_CLOCK}-({_CLOCK}|24:00)$")), _read_by(parse_window)] | None
    ) = Field(None, description="start runs only in this window of the day, such as 22:00-06:00; null: at any time")

    @model_validator(mode="after")
    def _can_start(self) -> Schedule:
        Times.parse(self.at, self.every, self.between)
        return self


class CampaignFile(ContractModel):
    """A campaign as its file declares it."""

    name: Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_free_name)] = Field(
        description="names its results and its manifest", json_schema_extra={"not": {"const": ADHOC}}
    )
    model: str | Annotated[list[str], Field(min_length=1)]
    workload: dict[str, Axis] = Field(default_factory=dict)
    shared: dict[str, Axis] = Field(default_factory=dict)
    backends: dict[str, dict[str, Axis] | None] = Field(default_factory=dict)
    experiments: list[dict[str, Any]] = Field(default_factory=list)
    measurement: Measurement = Field(Measurement(), description="how each run is measured")
    cycles: int = Field(1, ge=1, le=MOST_CYCLES, description="how often the whole set of experiments is repeated")
    until: Until | None = Field(
        None, description="in place of cycles: repeat each experiment until it is known well enough; null: by cycles"
    )
    order: Order = Field(
        "interleaved",
        description="grouped: all cycles of an experiment before the next; interleaved: all experiments, then all"
        " again; reversed: likewise, every second cycle backwards; shuffled: likewise, each cycle in an order of its"
        " own",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the sampling, and of the shuffled order")
    gpus: (
        Annotated[
            list[Annotated[int, Field(ge=0)]],
            Field(min_length=1, json_schema_extra={"uniqueItems": True}),
            AfterValidator(_distinct),
        ]
        | None
    ) = Field(None, description="the GPUs to run on, by their indices; null: the first that is ours, else the CPU")
    parallel: Literal["per-gpu"] | None = Field(
        None,
        description="per-gpu: several runs at once, on GPUs of their own; null: one at a time, since neighbours disturb"
        " power and heat",
    )
    force_cold_start: bool = Field(
        False, description="let no run find a warm cache: a process and caches of its own, the page cache dropped"
    )
    gaps: Gaps = Field(Gaps(), description="pauses between runs; what is not said here the user config says")
    failures: Failures = Field(Failures(), description="what is done about runs that fail; likewise")
    notify: Notify = Field(Notify(), description="who is told when the campaign ends; likewise")
    schedule: Schedule | None = Field(None, description="when `orchestrate schedule` runs it; null: by its flags")
    timeout_s: float = Field(3600.0, gt=0, le=30 * 86_400, description="a run that takes longer is ended")
    silence_timeout_s: float = Field(
        900.0, gt=0, le=30 * 86_400, description="a run that gives no sign of life for so long is ended"
    )

    @property
    def most_cycles(self) -> int:
        """How often an experiment is run, at most."""
        return self.until.max_cycles if self.until else self.cycles


class Campaign(ContractModel):
    """A campaign file, resolved: where its relative paths begin, and what the files hold that it names."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    file: CampaignFile
    folder: Annotated[Path, Field(strict=False)]
    """That of its file, or the one that holds all files that it is made of."""
    dataset_sha256: dict[str, str] = Field(default_factory=dict)
    """Of each prompt file, by its name in the campaign."""
    model_sha256: dict[str, str] = Field(default_factory=dict)
    """Fingerprint of each local model, those that options name among them, by its name in the campaign."""

    def renamed(self, name: str) -> Campaign:
        """The same under another name, so that its results lie apart.

        Raises:
            ValidationError: it is no name of a campaign.
        """
        file = CampaignFile.model_validate({**self.file.model_dump(exclude_unset=True), "name": name})
        return self.model_copy(update={"file": file})

    @property
    def name(self) -> str:
        """The campaign's name, which names its results and its manifest."""
        return self.file.name
