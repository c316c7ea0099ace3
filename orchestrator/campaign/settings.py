"""How a campaign is carried out, not what it measures: pauses, retries, notifications, and where each was set.

What holds is settled from layers, each over the one before: the defaults, the user config, the campaign file, flags.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from orchestrator.campaign.web import check_url, has_credentials
from runners.contract.model import ContractModel

Source = Literal["default", "user config", "file", "flag"]
"""Where a setting came from."""


class Gaps(ContractModel):
    """Pauses, in which the machine comes to rest."""

    experiment_s: float = Field(0.0, ge=0, le=86_400, description="pause before each run but the first, in seconds")
    cycle_s: float = Field(0.0, ge=0, le=86_400, description="pause before each cycle but the first, in its place")
    until_cool: bool = Field(
        False, description="end a pause early once the GPUs are back at the temperature they had before the first run"
    )


class Failures(ContractModel):
    """What is done about runs that fail."""

    retries: int = Field(
        1, ge=0, le=100, description="how often a run is tried again at once where its kind of failure may pass"
    )
    backoff_s: float = Field(
        10.0, ge=0, le=86_400, description="pause before the first such retry, doubled before each further one"
    )
    breaker: int | None = Field(
        5,
        ge=1,
        description="after so many runs in a row that failed of what ails the machine, pause, then probe with one run;"
        " null: never",
    )
    breaker_pause_s: float = Field(
        60.0, ge=0, le=86_400, description="pause before the first such probe, doubled before each further one"
    )
    breaker_probes: int = Field(3, ge=1, le=100, description="and stop the campaign after so many probes that failed")


class Notify(ContractModel):
    """Who is told when a campaign ends, by a webhook."""

    webhook_url: str | None = Field(
        None, min_length=1, description="where to; null: ORCHESTRATE_WEBHOOK_URL of the environment, if it is set"
    )
    on_complete: bool = Field(True, description="tell when a campaign is complete")
    on_failure: bool = Field(True, description="tell when runs of it failed, or it was stopped by a fault")

    @model_validator(mode="before")
    @classmethod
    def _has_a_url_that_may_stand_here(cls, said: Any) -> Any:
        # Of the whole section, not of its fields: what is wrong with a field is shown with its value.
        if not isinstance(said, Mapping):
            return said
        url = said.get("webhook_url")
        if isinstance(url, str):
            try:
                check_url(url)
            except ValueError as error:
                raise ValueError(f"webhook_url: {error}") from None
            if has_credentials(url):
                raise ValueError(
                    "webhook_url: names a user or a password, which do not stand in a file;"
                    " set ORCHESTRATE_WEBHOOK_URL in the environment or in .env"
                )
        return said


class Settings(ContractModel):
    """What holds for a campaign, once all layers are taken together."""

    gaps: Gaps = Gaps()
    failures: Failures = Failures()
    notify: Notify = Notify()


@dataclass(frozen=True, slots=True)
class Settled:
    """Settings, and which layer each came from."""

    settings: Settings
    sources: Mapping[str, Source]
    """By the dotted name of the setting; what is not in it is a default."""


def settle(layers: Mapping[Source, Mapping[str, Any]]) -> Settled:
    """Take layers together, later ones over earlier ones.

    Args:
        layers: of each source what it sets, as a mapping of sections: ``{"gaps": {"experiment_s": 5.0}}``.

    Raises:
        ValidationError: a value is not allowed.
    """
    sections: dict[str, dict[str, Any]] = {}
    sources: dict[str, Source] = {}
    for source, layer in layers.items():
        for section, values in layer.items():
            for name, value in values.items():
                sections.setdefault(section, {})[name] = value
                sources[f"{section}.{name}"] = source
    return Settled(Settings.model_validate(sections), sources)


def declared(*sections: tuple[str, ContractModel]) -> dict[str, dict[str, Any]]:
    """What models say themselves, as a layer: only the fields that were set."""
    return {name: model.model_dump(exclude_unset=True) for name, model in sections}
