"""Runs put together into groups, and those that are left out, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.results.table import RunTable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Runs that an answer does not rest on."""

    reason: str
    """In words, such as ``suspect``."""
    runs: int


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that are taken together: by default, those of one experiment in one environment."""

    label: str
    """What sets it apart from the other groups: ``batch_size 8 · bfloat16``. Unique among them."""
    key: Mapping[str, Any]
    """The values that its runs share, by column: those grouped by; ``experiment_id`` and ``environment_id``."""
    frame: pd.DataFrame
    """Its usable runs: the columns of :class:`RunTable`."""
    left_out: Sequence[LeftOut] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs are used."""

    suspect: bool = False
    """Also those that a critical check failed of."""
    estimated: bool = False
    """Also estimated joules, where something is ranked by energy."""
    pooled: bool = False
    """Runs of unlike environments in one group."""


def groups_of(table: RunTable, by: Sequence[str] = (), choice: Choice = Choice()) -> list[Group]:
    """The groups of a campaign, in the order their first run ran; a group without usable runs is there, empty.

    Args:
        table: of the campaign.
        by: names of columns, or what is unique of them (``max_num_seqs``); empty: by experiment.
        choice: which runs are used.

    Raises:
        InputError: there is no such column.
    """
    groups = []
    for (experiment, environment), frame in table.frame.groupby(["experiment_id", "environment_id"], sort=False):
        usable = frame if choice.suspect else frame[frame["verdict"] == "good"]
        left_out = [LeftOut("suspect", len(frame) - len(usable))] if len(usable) < len(frame) else []
        key = {"experiment_id": experiment, "environment_id": environment}
        groups.append(Group(str(experiment), key, usable, left_out))
    return groups
