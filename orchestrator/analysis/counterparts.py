"""Like held against like: where groups take several experiments together, those that both have in common count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.groups import Group
from orchestrator.results.table import HOW, WHO
from runners.contract.options import OPTIONS
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Matched:
    """Two groups, and how their experiments go together."""

    a: Group
    b: Group
    without: int = 0
    """Experiments that are left out of either, since the other has none with those parameters."""
    unlike: bool = False
    """No experiment of one has the parameters of one of the other: averages over unlike things."""


def counterparts(a: Group, b: Group) -> Matched:
    """Two groups with the experiments that differ in nothing but what sets the groups apart.

    An experiment that failed in one group only would else pass for what that group is like. What sets the groups
    apart are the parameters of which each has one value.
    """
    if _experiments(a) <= 1 and _experiments(b) <= 1:
        return Matched(a, b)
    of_a, of_b = _declared(a.frame), _declared(b.frame)
    names = sorted({name for each in (of_a, of_b) for name in _varied(each)})
    points_a, points_b = _points(of_a, names), _points(of_b, names)
    shared = points_a.keys() & points_b.keys()
    if not shared or len(points_a) < len(of_a) or len(points_b) < len(of_b):
        return Matched(a, b, unlike=True)
    keep_a, keep_b = {points_a[point] for point in shared}, {points_b[point] for point in shared}
    return Matched(
        replace(a, frame=a.frame[a.frame["experiment_id"].isin(keep_a)]),
        replace(b, frame=b.frame[b.frame["experiment_id"].isin(keep_b)]),
        len(of_a) + len(of_b) - 2 * len(shared),
    )


def _experiments(group: Group) -> int:
    return 1 if "experiment_id" in group.key else int(group.frame["experiment_id"].nunique())


def _declared(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The parameters of each experiment, without the names of backends."""
    others = {*WHO, *HOW, *QUANTITIES}
    names = [name for name in frame.columns if name not in others]
    found = {}
    first = frame.drop_duplicates("experiment_id")
    for experiment, values in zip(first["experiment_id"], first[names].to_dict("records"), strict=True):
        found[str(experiment)] = {
            _without_backend(str(name)): value for name, value in values.items() if value is not None and value == value
        }
    return found


def _without_backend(name: str) -> str:
    first, _, rest = name.partition(".")
    return rest if first in OPTIONS else name


def _varied(declared: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The parameters of which the experiments of one group have several values."""
    names = {name for values in declared.values() for name in values}
    return {name for name in names if len({values.get(name) for values in declared.values()}) > 1}


def _points(declared: Mapping[str, Mapping[str, Any]], names: list[str]) -> dict[tuple[Any, ...], str]:
    return {tuple(values.get(name) for name in names): experiment for experiment, values in declared.items()}
