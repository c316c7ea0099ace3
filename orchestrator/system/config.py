"""The user config ``.orchestrate.yaml``: what holds on this machine, whatever the campaign."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from orchestrator.campaign.document import Document, field_name, read_document
from orchestrator.campaign.findings import Finding
from orchestrator.campaign.keys import Places, known_part, unknown_keys
from orchestrator.campaign.schema import ContainerStrategy, DispatcherName
from orchestrator.campaign.settings import Failures, Gaps, Notify
from orchestrator.errors import FileError, Issue
from runners.contract.messages import validation_messages
from runners.contract.model import ContractModel

CONFIG_FILE = ".orchestrate.yaml"


class UserConfig(ContractModel):
    """Settings of a machine and its user."""

    results_dir: str = Field("results", min_length=1, description="where results lie, from the project's folder")
    cpu_tdp_w: float | None = Field(
        None, gt=0, le=100_000, description="power of this machine's CPU at full load, for estimates"
    )
    dispatch: Literal["auto", DispatcherName] = Field(
        "auto",
        description="how runs are started; local: as processes, compose: in containers, "
        "auto: local for one backend that is installed here, else compose",
    )
    container_strategy: ContainerStrategy = Field(
        "ephemeral", description="a container for each run, or one for all runs of a campaign"
    )
    warmup_delay_s: float = Field(
        0.0, ge=0, le=3600, description="pause after a persistent container came up, before its first run"
    )
    auto_teardown: bool = Field(
        True, description="remove persistent containers when the campaign ends; false: they stay for the next"
    )
    gaps: Gaps = Field(Gaps(), description="pauses between runs, where a campaign file or a flag does not say")
    failures: Failures = Field(Failures(), description="what is done about runs that fail, likewise")
    notify: Notify = Field(Notify(), description="who is told when a campaign ends, likewise")
    ask_above_hours: float = Field(
        8.0, ge=0, description="ask before a campaign that is expected to take longer than this"
    )
    ask_above_kwh: float = Field(
        1.0, ge=0, description="ask before a campaign that is expected to spend more energy than this"
    )
    ask_above_download_gb: float = Field(10.0, ge=0, description="ask before more than this is downloaded")


_PLACES: Places = {(): UserConfig, ("gaps",): Gaps, ("failures",): Failures, ("notify",): Notify}
"""Where keys are fixed."""


def load_user_config(path: Path) -> UserConfig:
    """Read the user config; the defaults where there is none.

    Raises:
        FileError: it is wrong; nothing runs with settings that were not understood.
        InputError: it is there and cannot be read.
    """
    if not os.path.lexists(path):
        return UserConfig()
    try:
        return config_from_document(read_document(path), path.parent)
    except FileError as error:
        raise FileError(error.issues, path) from None


def config_from_document(document: Document, folder: Path) -> UserConfig:
    """What a document says, as the user config of a folder.

    Raises:
        FileError: it is wrong; every fault is in ``issues``, with line and field.
    """
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise FileError([Issue("the user config is a mapping of keys", line=document.line(()))])
    findings = list(unknown_keys(data, _PLACES))
    config = UserConfig()
    try:
        config = UserConfig.model_validate(known_part(data, _PLACES))
        findings += _unusable_folder(config, folder)
    except ValidationError as error:
        findings += [Finding(where, text) for where, text in validation_messages(error)]
    if findings:
        issues = [Issue(f.message, field_name(f.path), document.line(f.path), f.hint) for f in findings]
        raise FileError(sorted(issues, key=lambda issue: issue.line or 0))
    return config


def user_config_schema() -> dict[str, Any]:
    """The user config as a JSON Schema, for editors."""
    schema = UserConfig.model_json_schema(schema_generator=_Untitled)
    about = {"title": "The user config of Orchestrate", "description": UserConfig.__doc__}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **about}


class _Untitled(GenerateJsonSchema):
    """Without the titles that pydantic makes of names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _unusable_folder(config: UserConfig, folder: Path) -> Iterator[Finding]:
    try:
        (folder / Path(config.results_dir).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a symlink loop, a NUL
        yield Finding(("results_dir",), f"{config.results_dir!r} leads nowhere: {error}")
