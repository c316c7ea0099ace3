"""What each parameter does to a metric, the others held even.

Experiments that differ in nothing but the parameter are held against one another cycle by cycle, and the logs of their
ratios averaged within each cycle. So nothing is assumed of how parameters act together: an effect is the average over
the settings at which it was seen, and one that was never seen alone is not told.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.analysis.by_cycle import ByCycle, by_cycle
from orchestrator.analysis.comparable import Meters, metered_alike, meters_of
from orchestrator.analysis.cycles import cycle_values
from orchestrator.analysis.groups import Choice, Group, for_ranking, groups_of
from orchestrator.analysis.interval import LEVEL, Interval, antilog, interval_of
from orchestrator.analysis.stopping import PER_LOOK_OF_TWO, widening
from orchestrator.results.columns import may_have, values_of
from orchestrator.results.table import RunTable
from orchestrator.results.varied import varied_parameters

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_USUAL: Final = Choice()
_BACKEND: Final = "backend"
_OF_ALL: Final = ("model", "workload.")
"""Parameters that every backend has; the others are a backend's own, even where two call theirs the same."""


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a parameter, beside its first value."""

    value: Any
    ratio: Interval | None
    """Metric at this value ÷ metric at the parameter's first value; None for the first, and where it is not known."""
    runs: int
    settings: int = 0
    """How many settings of the other parameters were run with both values; 0 for the first."""
    not_positive: bool = False
    """Figures of these are 0 or less in a run, so that there is no ratio."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The main effect of one parameter."""

    parameter: str
    levels: Sequence[Level]
    """The reference first."""
    within: str | None = None
    """The backend that it is an effect within; None: across all."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """An experiment in an environment: a row of the logs."""

    row: int
    backend: str
    environment: str
    """Empty where there is no other one that could be mixed up with it."""
    meters: Meters
    """What its joules were measured by, where it is about joules: those of unlike meters are not comparable."""
    values: Mapping[str, Any]
    """Of the varied parameters."""
    runs: int


def main_effects(table: RunTable, metric: str, choice: Choice = _USUAL, level: float = LEVEL) -> list[Effect]:
    """The main effect of each varied parameter, in the order they are declared; the backend's first.

    Each interval holds by itself, not all of them at once. Of the backends each is taken at the settings that it was
    run with; they are compared where the parameters that all of them have are the same. Of joules, experiments that
    several meters measured are left out, and only those that one meter measured are held against each other.

    Args:
        table: of a campaign.
        metric: the name of a quantity.
        choice: which runs are used.
        level: how often an interval holds the truth.
    """
    groups = [for_ranking(group, metric, choice) for group in groups_of(table, (), choice)]
    groups = [group for group in groups if group.frame[metric].notna().any()]
    groups = [group for group in groups if metered_alike(meters_of(group, metric))]
    if not groups:
        return []
    grid = by_cycle(groups, metric, as_numbered=True)
    names = [one.name for one in varied_parameters(table.frame, table.parameters)]
    units = _units(table.frame, groups, names, metric, pooled=choice.pooled)
    return [
        Effect(parameter, _levels(name, among, others, grid, level), within)
        for parameter, name, among, others, within in _asked(names, units)
    ]


def _asked(
    names: Sequence[str], units: Sequence[_Unit]
) -> Iterator[tuple[str, str, Sequence[_Unit], list[str], str | None]]:
    """Each effect: its parameter in full and by name, the units that show it, what is held even, the backend."""
    backends = list(dict.fromkeys(unit.backend for unit in units))
    for name in names:
        others = [other for other in names if other != name]
        if name == _BACKEND:
            common = [other for other in others if all(other in unit.values for unit in units)]
            if len(backends) > 1:
                yield name, name, units, common, None
        elif name.startswith(_OF_ALL):
            if len({_hashable(unit.values.get(name)) for unit in units}) > 1:
                yield name, name, units, others, None
        else:
            for backend in backends:
                own = [unit for unit in units if unit.backend == backend and name in unit.values]
                if len({_hashable(unit.values[name]) for unit in own}) > 1:
                    yield f"{backend}.{name}", name, own, others, backend if len(backends) > 1 else None


def _units(
    frame: pd.DataFrame, groups: Sequence[Group], names: Sequence[str], metric: str, *, pooled: bool
) -> list[_Unit]:
    firsts = frame.loc[[group.frame.index[0] for group in groups]]
    columns = {name: values_of(firsts, name).astype(object).tolist() for name in names}
    kinds = [(backend, len(str(gpus).split())) for backend, gpus in zip(firsts["backend"], firsts["gpus"], strict=True)]
    environments = defaultdict(set)
    for kind, environment in zip(kinds, firsts["environment_id"], strict=True):
        environments[kind].add(environment)
    return [
        _Unit(
            row,
            kind[0],
            str(firsts["environment_id"].iat[row]) if len(environments[kind]) > 1 and not pooled else "",
            meters_of(groups[row], metric),
            {name: _known(values[row]) for name, values in columns.items() if may_have(kind[0], name)},
            len(groups[row].frame),
        )
        for row, kind in enumerate(kinds)
    ]


def _levels(name: str, units: Sequence[_Unit], others: Sequence[str], grid: ByCycle, level: float) -> list[Level]:
    """The values of a parameter, each held against the first where the others are the same."""
    import numpy as np

    cells: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    runs: dict[Any, int] = defaultdict(int)
    for unit in units:
        value = _hashable(unit.values.get(name))
        rest = (unit.environment, unit.meters, *(_hashable(unit.values.get(other)) for other in others))
        cells[value][rest].append(unit.row)
        runs[value] += unit.runs
    first, *further = _in_order(list(cells))
    found = [Level(_value(first), None, runs[first])]
    for value in further:
        shared = [rest for rest in cells[value] if rest in cells[first]]
        both = [rest for rest in shared if all(grid.whole[row] for own in (value, first) for row in cells[own][rest])]
        rows = [_cell(grid.logs, cells[value][rest]) - _cell(grid.logs, cells[first][rest]) for rest in both]
        looked_at = any(
            grid.looked_at[row] for rest in both for own in (cells[value], cells[first]) for row in own[rest]
        )
        ratio = _ratio(np.array(rows), grid.lost, level, looked_at=looked_at) if rows else None
        found.append(Level(_value(value), ratio, runs[value], len(both), not_positive=len(both) < len(shared)))
    return found


def _cell(logs: NDArray[np.float64], rows: Sequence[int]) -> NDArray[np.float64]:
    """The mean of experiments cycle by cycle; NaN in cycles in which none ran."""
    import numpy as np

    if len(rows) == 1:
        alone: NDArray[np.float64] = logs[rows[0]]
        return alone
    return _by_cycle(logs[np.array(rows)])


def _by_cycle(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    parts, cycles = np.nonzero(~np.isnan(logs))
    values = np.full(logs.shape[1], np.nan)
    there, place = np.unique(cycles, return_inverse=True)
    values[there] = cycle_values(logs[parts, cycles], np.unique(parts, return_inverse=True)[1], place)
    return values


def _ratio(differences: NDArray[np.float64], lost: float, level: float, *, looked_at: bool) -> Interval | None:
    """Of differences of logs, a row a setting, a column a cycle; None with fewer than two cycles."""
    import numpy as np

    values = _by_cycle(differences)
    values = values[~np.isnan(values)]
    found = interval_of(np.exp(values).tolist(), level)
    if found is None or not (lost or looked_at):
        return found
    from scipy.special import stdtrit

    count, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(count * (1 - lost))
    half = float(stdtrit((count - 1) * (1 - lost), (1 + level) / 2)) * error
    half *= widening(count, PER_LOOK_OF_TWO) if looked_at else 1.0
    return Interval(
        antilog(mean),
        antilog(mean - half),
        antilog(mean + half),
        level,
        "sequential log-t" if looked_at else "log-t",
        count,
    )


def _in_order(values: Sequence[Any]) -> list[Any]:
    """Numbers from the least up, with what was left open last; others as they came."""
    numbers = [value for value in values if isinstance(value[1], int | float)]
    if len(numbers) < len([value for value in values if value[1] is not None]):
        return list(values)
    return sorted(numbers, key=lambda value: value[1]) + [value for value in values if value[1] is None]


def _hashable(value: Any) -> tuple[bool, Any]:
    """A value that is told from others equal to it: True from 1."""
    return isinstance(value, bool), value


def _value(hashable: tuple[bool, Any]) -> Any:
    return hashable[1]


def _known(value: Any) -> Any:
    """A column's value as Python has it; None where it is missing."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value
