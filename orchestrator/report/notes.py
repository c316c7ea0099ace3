"""What a reader must know of a table's figures: how far they can be trusted, and how they came about. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.report.counting import some_of
from orchestrator.report.outputs import output_notes

if TYPE_CHECKING:
    import pandas as pd

_ASKED: Final = (
    "backend", "model", "environment_id", "energy_method", "verdict", "gpus", "cold_start", "cold_start_asked",
    "concurrency_on_host", "asked", "output_sha256",
)  # fmt: skip

Columns = Mapping[str, Sequence[Any]]
"""What the remarks rest on of each run: None where it is not known."""


def columns_of_frame(frame: pd.DataFrame) -> Columns:
    """What remarks on the runs of a table rest on."""
    return {name: [None if value != value else value for value in frame[name].tolist()] for name in _ASKED}


def notes_on(columns: Columns, *, pooled: bool = False) -> list[str]:
    """How far the figures of these runs can be trusted.

    Args:
        columns: of the runs.
        pooled: unlike environments were put together, as was asked for.
    """
    total = len(columns["backend"])
    notes = []
    for applies, text in _RULES:
        count = sum(map(applies, columns["backend"], columns["energy_method"], columns["verdict"]))
        if count:
            notes.append(text.format(some_of(count, total, "run"), "is" if count == 1 else "are"))
    return notes + _environments(columns, pooled=pooled) + output_notes(columns)


def circumstances(columns: Columns) -> list[str]:
    """How runs were carried out, where that is not as usual."""
    total = len(columns["backend"])
    cold = sum(value is True for value in columns["cold_start"])
    asked = sum(columns["cold_start_asked"])
    beside = sum((value or 1) > 1 for value in columns["concurrency_on_host"])
    notes = []
    if cold:
        notes.append(f"{some_of(cold, total, 'run')} {'was' if cold == 1 else 'were'} started cold")
    if asked > cold:
        failed = some_of(asked - cold, total, "run")
        notes.append(f"{failed} could not be started wholly cold: the check cold_start says why")
    if beside:
        ran = some_of(beside, total, "run")
        notes.append(f"{ran} ran while others of the campaign could: they share power and heat")
    return notes


_RULES: tuple[tuple[Callable[[str, str | None, str], bool], str], ...] = (
    (
        lambda backend, method, verdict: method == "estimated",
        "energy is estimated, not measured, in {0}: good for a rough idea, not for a publication",
    ),
    (
        lambda backend, method, verdict: backend == "simulated",
        "energy and tokens are simulated in {0}: no engine ran",
    ),
    (
        lambda backend, method, verdict: method == "simulated" and backend != "simulated",
        "energy is simulated in {0}: a made-up GPU, beside a real engine",
    ),
    (lambda backend, method, verdict: method is None, "energy was not measured in {0}"),
    (
        lambda backend, method, verdict: verdict == "suspect",
        "{0} {1} suspect: `orchestrate results show RUN` says why",
    ),
)


def _environments(columns: Columns, *, pooled: bool) -> list[str]:
    """Of each backend that ran on as many GPUs in unlike environments."""
    found: dict[tuple[str, int], set[str]] = {}
    for backend, gpus, environment in zip(columns["backend"], columns["gpus"], columns["environment_id"], strict=True):
        found.setdefault((backend, len(gpus.split())), set()).add(environment)
    return [
        f"the runs of {backend} come from {len(environments)} unlike environments, {'' if pooled else 'not '}pooled"
        for (backend, _), environments in found.items()
        if len(environments) > 1
    ]
