"""The user config ``.orchestrate.yaml``: what holds on this machine, whatever the campaign."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from orchestrator.campaign.document import field_name
from orchestrator.campaign.load import read_document
from orchestrator.errors import FileError, Issue
from orchestrator.messages import nearest, validation_messages
from runners.contract.request import ContractModel

CONFIG_FILE = ".orchestrate.yaml"
_NOT_YET = ("gaps", "container_strategy", "notifications", "webhook_url", "warmup_delay_s", "auto_teardown", "dispatch")


class UserConfig(ContractModel):
    """Settings of a machine and its user."""

    results_dir: str = Field("results", min_length=1, description="where results lie, from the project's folder")
    cpu_tdp_w: float | None = Field(
        None, gt=0, le=100_000, description="power of this machine's CPU at full load, for estimates"
    )


def load_user_config(path: Path) -> UserConfig:
    """Read the user config; the defaults where there is none.

    Raises:
        FileError: it is wrong; nothing runs with settings that were not understood.
    """
    if not path.exists():
        return UserConfig()
    document = read_document(path)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise FileError([Issue("the user config is a mapping of keys")], path)
    issues = []
    for key in data:
        if key in _NOT_YET:
            issues.append(Issue("not supported yet", key, document.line((key,)), "leave the key out"))
        elif key not in UserConfig.model_fields:
            hint = nearest(key, UserConfig.model_fields)
            issues.append(Issue("unknown key", key, document.line((key,)), hint))
    try:
        config = UserConfig.model_validate({key: data[key] for key in data if key in UserConfig.model_fields})
    except ValidationError as error:
        issues += [Issue(text, field_name(where), document.line(where)) for where, text in validation_messages(error)]
    if issues:
        raise FileError(sorted(issues, key=lambda issue: issue.line or 0), path)
    return config
