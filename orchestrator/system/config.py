"""The user config ``.orchestrate.yaml``: what holds on this machine, whatever the campaign."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from orchestrator.campaign.document import Document, FieldPath, field_name, read_document
from orchestrator.campaign.schema import ContainerStrategy, DispatcherName
from orchestrator.campaign.settings import Failures, Gaps, Notify
from orchestrator.errors import FileError, Issue
from runners.contract.messages import nearest, validation_messages
from runners.contract.model import ContractModel

CONFIG_FILE = ".orchestrate.yaml"
_SECRET = re.compile(r"secret|token|passw|api_?key|credential", re.IGNORECASE)
_SECRETS = {"webhook": "ORCHESTRATE_WEBHOOK_SECRET", "secret": "ORCHESTRATE_WEBHOOK_SECRET", "token": "HF_TOKEN"}


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
    unknown = dict(_unknown_keys(UserConfig, data, ()))
    faults: dict[FieldPath, str] = {}
    config = UserConfig()
    try:
        config = UserConfig.model_validate(data)
        faults |= _unusable_folder(config, folder)
    except ValidationError as error:
        faults |= {path: message for path, message in validation_messages(error) if path not in unknown}
    issues = [Issue("unknown key", field_name(path), document.line(path), hint) for path, hint in unknown.items()]
    issues += [Issue(text, field_name(path), document.line(path)) for path, text in faults.items()]
    if issues:
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


def _unknown_keys(model: type[BaseModel], data: dict[str, Any], place: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """Keys that a section does not have, each with what was probably meant."""
    for key, value in data.items():
        info = model.model_fields.get(key)
        if info is None:
            yield (*place, key), _secret_hint(key) or nearest(key, model.model_fields)
        elif isinstance(value, dict) and isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _unknown_keys(info.annotation, value, (*place, key))


def _secret_hint(key: str) -> str | None:
    """What to do in place of writing a secret into a file, which others may read and which ends in a repository."""
    if not _SECRET.search(key):
        return None
    name = next((name for part, name in _SECRETS.items() if part in key.lower()), None)
    where = f"set {name} in the environment" if name else "set it in the environment"
    return f"secrets are not kept in files: {where}"


def _unusable_folder(config: UserConfig, folder: Path) -> Iterator[tuple[FieldPath, str]]:
    try:
        (folder / Path(config.results_dir).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a symlink loop, a NUL
        yield ("results_dir",), f"{config.results_dir!r} leads nowhere: {error}"
