"""Every setting that holds here, and where each came from: for people who wonder. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.campaign.schema import CampaignFile
from orchestrator.campaign.settings import Settings, Source, declared, settle
from orchestrator.campaign.web import shown_url
from orchestrator.system.config import UserConfig

_WEBHOOK = "notify.webhook_url"


class Setting(NamedTuple):
    """One setting as it holds."""

    name: str
    """With its section: ``gaps.cycle_s``."""
    value: Any
    source: Source


def effective(
    config: UserConfig, file: CampaignFile | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Setting]:
    """The settings of a user config, with those of a campaign file and of flags over them.

    A webhook's address is shown without what may be secret in it.

    Args:
        config: the user config.
        file: the campaign file, if it is about one.
        flags: settings by section, as flags give them.
    """
    return [*_own(config, file), *_until(file), *_settled(config, file, flags or {})]


def _until(file: CampaignFile | None) -> Iterator[Setting]:
    """What ends the repetitions of a campaign; only its file says that."""
    until = file.until if file else None
    if until:
        for name, value in until.model_dump().items():
            yield Setting(f"until.{name}", value, "file" if name in until.model_fields_set else "default")


def _own(config: UserConfig, file: CampaignFile | None) -> Iterator[Setting]:
    """Settings of the user config itself. Of a campaign file, one goes before them."""
    for name in UserConfig.model_fields:
        if name in Settings.model_fields:
            continue
        if name == "cpu_tdp_w" and file and file.measurement.cpu_tdp_w is not None:
            yield Setting(name, file.measurement.cpu_tdp_w, "file")
        else:
            yield Setting(name, getattr(config, name), "user config" if name in config.model_fields_set else "default")


def _settled(
    config: UserConfig, file: CampaignFile | None, flags: Mapping[str, Mapping[str, Any]]
) -> Iterator[Setting]:
    layers = {
        source: declared(("gaps", said.gaps), ("failures", said.failures), ("notify", said.notify))
        for source, said in (("user config", config), ("file", file))
        if said is not None
    }
    settled = settle({**layers, "flag": flags})  # type: ignore[dict-item]
    for section, values in settled.settings.model_dump().items():
        for key, value in values.items():
            name = f"{section}.{key}"
            shown = shown_url(value) if name == _WEBHOOK and value else value
            yield Setting(name, shown, settled.sources.get(name, "default"))
