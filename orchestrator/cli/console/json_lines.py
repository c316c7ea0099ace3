"""For machines: a document, or a line of JSON for each event."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from orchestrator.execution.events import CampaignEvent, RunCompleted, RunFailed
from orchestrator.printable import in_json
from runners.contract.events import RunnerEvent
from runners.contract.request import Gap
from runners.contract.result import RunResult

if TYPE_CHECKING:
    from orchestrator.execution.scheduling import ScheduleEvent


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(_written(value, indent=2))


def print_json_list(values: Iterable[Any]) -> None:
    """Print values as a list of indented JSON, one after another."""
    before = "[\n"
    for value in values:
        text = _written(value, indent=2)
        click.echo(before + textwrap.indent(text, "  "), nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")


def print_event(event: CampaignEvent | ScheduleEvent) -> None:
    """Print an event as a line of JSON; a failure or a pause that it tells of lies flat among its fields."""
    line = {"event": type(event).__name__, **_fields(event)}
    if isinstance(event, RunCompleted):
        line["result"] = event.folder / "result.json"
    click.echo(_written(line))


def _written(value: Any, indent: int | None = None) -> str:
    return in_json(json.dumps(value, indent=indent, default=_plain, ensure_ascii=False))


def _fields(event: Any) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, RunFailed):
            flat |= _fields(value)
        elif isinstance(value, Gap):
            flat |= value.model_dump(mode="json")
        else:
            flat[field.name] = value
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, RunResult | RunnerEvent):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
