"""Runs put together into groups, and those that are left out, with the reason."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.labels import group_labels
from orchestrator.results.columns import full_name, values_of
from orchestrator.results.table import RunTable
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

EXPERIMENT = "experiment_id"
ENVIRONMENT = "environment_id"
SUSPECT = "suspect"
RETIRED = "retired: no longer in the campaign's file"
ESTIMATED = "energy estimated"


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

    Runs of unlike environments are in groups of their own, unless they are to be pooled: those of one experiment, or
    of one backend on as many GPUs. Two backends have two environments in any case, so these may share a group.

    Args:
        table: of the campaign.
        by: names of columns, or what is unique of them (``max_num_seqs``); empty: by experiment.
        choice: which runs are used.

    Raises:
        InputError: there is no such column.
    """
    import numpy as np

    frame = table.frame
    names = list(dict.fromkeys(full_name(frame.columns, name) for name in by)) or [EXPERIMENT]
    if frame.empty:
        return []
    values = {name: values_of(frame, name) for name in names}
    codes = _codes(frame, values, pooled=choice.pooled)
    _, firsts = np.unique(codes, return_index=True)
    retired = frame["retired"].to_numpy(dtype=bool)
    suspect = frame["verdict"].ne("good").to_numpy() & ~retired & (not choice.suspect)
    left_out = {
        RETIRED: np.bincount(codes[retired], minlength=len(firsts)),
        SUSPECT: np.bincount(codes[suspect], minlength=len(firsts)),
    }
    frames = _split(frame, codes, ~(retired | suspect), len(firsts))
    shared = _shared(frame, codes, [EXPERIMENT, ENVIRONMENT], len(firsts))
    keys = [
        {name: _plain(column.iat[first]) for name, column in values.items()} | shared[code]
        for code, first in enumerate(firsts)
    ]
    labels = group_labels(table, [] if names == [EXPERIMENT] else names, firsts.tolist(), keys)
    return [
        Group(
            labels[code],
            keys[code],
            frames[code],
            [LeftOut(reason, int(counts[code])) for reason, counts in left_out.items() if counts[code]],
        )
        for code in range(len(firsts))
    ]


def for_ranking(group: Group, metric: str, choice: Choice = Choice()) -> Group:
    """A group as it may be ranked by a metric: without estimated joules, unless they were asked for.

    Args:
        group: with the runs that are usable.
        metric: the quantity that is ranked by.
        choice: which runs are used.
    """
    if choice.estimated or not QUANTITIES[metric].of_energy:
        return group
    estimated = group.frame["energy_method"].to_numpy() == "estimated"
    if not estimated.any():
        return group
    left_out = [*group.left_out, LeftOut(ESTIMATED, int(estimated.sum()))]
    return replace(group, frame=group.frame[~estimated], left_out=left_out)


def _codes(frame: pd.DataFrame, values: Mapping[str, pd.Series[Any]], *, pooled: bool) -> NDArray[np.integer[Any]]:
    """The number of each run's group, in the order of their first runs."""
    by = [_told_apart(column) for column in values.values()]
    codes = frame.groupby(by, sort=False, dropna=False).ngroup()
    if pooled:
        return codes.to_numpy()
    gpus = frame["gpus"].astype(object).map(lambda uuids: len(uuids.split()))
    kinds = [frame[EXPERIMENT]] if EXPERIMENT in values else [frame["backend"], gpus]
    environments = frame.groupby([codes, *kinds], sort=False)[ENVIRONMENT].transform("nunique")
    unlike = environments.gt(1).groupby(codes).transform("any")
    where = frame[ENVIRONMENT].where(unlike, "")
    return frame.groupby([codes, where], sort=False).ngroup().to_numpy()


def _told_apart(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column in which true is not 1, and false not 0."""
    if column.dtype != object:
        return column.astype(object)
    return column.map(lambda value: (value,) if isinstance(value, bool) else value)


def _split(
    frame: pd.DataFrame, codes: NDArray[np.integer[Any]], usable: NDArray[np.bool_], count: int
) -> list[pd.DataFrame]:
    """The usable runs of each group: slices of one frame that is in order of the groups."""
    import numpy as np

    kept = np.flatnonzero(usable)
    order = kept[np.argsort(codes[kept], kind="stable")]
    ordered = frame.take(order)
    edges = np.searchsorted(codes[order], np.arange(count + 1))
    return [ordered.iloc[low:high] for low, high in itertools.pairwise(edges)]


def _shared(frame: pd.DataFrame, codes: NDArray[np.integer[Any]], names: list[str], count: int) -> list[dict[str, Any]]:
    """What all runs of a group have in common of these columns."""
    found: list[dict[str, Any]] = [{} for _ in range(count)]
    for name in names:
        by_group = frame[name].groupby(codes).agg(["nunique", "first"])
        for code, number, value in zip(by_group.index, by_group["nunique"], by_group["first"], strict=True):
            if number == 1:
                found[code][name] = value
    return found


def _plain(value: Any) -> Any:
    """A value of a column as Python has it; None where it is missing."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value
