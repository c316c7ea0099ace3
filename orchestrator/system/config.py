"""The user config ``.orchestrate.yaml``: what holds on this machine, whatever the campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from orchestrator.campaign.document import field_name, read_document
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
    """
    if not path.exists():
        return UserConfig()
    document = read_document(path)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise FileError([Issue("the user config is a mapping of keys", line=document.line(()))], path)
    findings = list(unknown_keys(data, _PLACES, {}))
    try:
        config = UserConfig.model_validate(known_part(data, _PLACES))
    except ValidationError as error:
        findings += [Finding(where, text) for where, text in validation_messages(error)]
    if findings:
        issues = [Issue(f.message, field_name(f.path), document.line(f.path), f.hint) for f in findings]
        raise FileError(sorted(issues, key=lambda issue: issue.line or 0), path)
    return config
