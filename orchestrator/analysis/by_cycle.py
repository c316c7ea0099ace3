"""Many groups side by side, cycle by cycle: the cycle is the independent repetition that answers rest on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.blocks import blocks_of
from orchestrator.analysis.cycles import two_way
from orchestrator.analysis.groups import Group

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ByCycle:
    """Logs of a figure, a row a group, a column a cycle of a campaign."""

    logs: NDArray[np.float64]
    """NaN where a group did not run, or where the figure was not measured."""
    whole: NDArray[np.bool_]
    """Whether every figure of a group has a log; one that is 0 or less has none, and the group's row is empty."""
    lost: float = 0.0
    """The share of the residuals' degrees of freedom that effects of GPUs took; 0 where none were taken out."""
    unlike_gpus: bool = False
    """Groups ran on unlike GPUs, and nothing tells what these add: part of a difference may be theirs."""

    @property
    def blocked(self) -> bool:
        """Whether effects of GPUs were taken out."""
        return self.lost > 0


def cycle_values(
    values: NDArray[np.float64], parts: NDArray[np.integer[Any]], cycles: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """One value a cycle, the mean over the parts that were measured in it, each held by an effect of its own.

    Args:
        values: to be put together.
        parts: which part each is of, such as an experiment.
        cycles: the number of its cycle, from 0 without gaps.
    """
    import numpy as np

    count = int(cycles.max(initial=-1)) + 1
    sizes = np.bincount(cycles, minlength=count)
    levels = np.unique(parts, return_inverse=True)[1]
    if len(values) in (count, count * (int(levels.max(initial=0)) + 1)):
        return np.bincount(cycles, values, count) / sizes
    return two_way(values, levels, cycles)


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs that measured a figure, whichever group they are of."""

    group: NDArray[np.intp]
    experiment: NDArray[np.intp]
    cycle: NDArray[np.intp]
    gpus: NDArray[Any]
    logs: NDArray[np.float64]


def by_cycle(groups: Sequence[Group], metric: str) -> ByCycle:
    """Logs of a metric for each group and cycle.

    Of a group of several experiments it is the mean over them within a cycle. Where experiments moved between GPUs,
    what each GPU adds is taken out first: log y = experiment + cycle + GPU + noise, by least squares.
    """
    import numpy as np

    whole = np.array([not (group.frame[metric] <= 0).any() for group in groups], dtype=bool)
    runs = measured([group for group, has_logs in zip(groups, whole, strict=True) if has_logs], metric)
    logs, lost = without_gpus(runs)
    table = np.full((int(whole.sum()), int(runs.cycle.max(initial=-1)) + 1), np.nan)
    order = np.argsort(runs.group, kind="stable")
    edges = np.searchsorted(runs.group[order], np.arange(len(table) + 1))
    for row, (low, high) in enumerate(itertools.pairwise(edges)):
        own = order[low:high]
        cycles, place = np.unique(runs.cycle[own], return_inverse=True)
        table[row, cycles] = cycle_values(logs[own], runs.experiment[own], place)
    full = np.full((len(groups), table.shape[1]), np.nan)
    full[whole] = table
    return ByCycle(full, whole, lost, not lost and _on_unlike_gpus(runs))


def measured(groups: Sequence[Group], metric: str) -> Measured:
    """The runs of groups that measured a metric, all of them above 0; cycles of unlike campaigns are unlike."""
    import numpy as np

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([np.array([]), *(group.frame[name].to_numpy() for group in groups)])

    values = joined(metric).astype(float)
    there = ~np.isnan(values)
    of_group = np.repeat(np.arange(len(groups)), [len(group.frame) for group in groups])
    return Measured(
        of_group[there],
        numbered([joined(name)[there] for name in ("experiment_id", "environment_id")]),
        numbered([joined(name)[there] for name in ("campaign", "cycle")]),
        joined("gpus")[there],
        np.log(values[there]),
    )


def without_gpus(runs: Measured) -> tuple[NDArray[np.float64], float]:
    """The logs without what each GPU adds, and the share of the degrees of freedom that this took."""
    blocks = blocks_of(runs.experiment, runs.cycle, runs.gpus, runs.logs)
    if blocks is None:
        return runs.logs, 0.0
    freedom = len(runs.logs) - int(runs.experiment.max()) - int(runs.cycle.max()) - 1
    return runs.logs - blocks.effects[blocks.codes(runs.gpus)], (len(blocks.names) - 1) / freedom


def _on_unlike_gpus(runs: Measured) -> bool:
    """Whether groups ran on GPUs that others did not run on."""
    import pandas as pd

    if len(set(runs.gpus.tolist())) < 2:
        return False
    return pd.Series(runs.gpus).groupby(runs.group).agg(frozenset).nunique() > 1


def numbered(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """A number for each row, equal where the rows are; from 0, without gaps."""
    import numpy as np
    import pandas as pd

    codes = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        number, levels = pd.factorize(column, use_na_sentinel=False)
        codes = pd.factorize(codes * max(1, len(levels)) + number)[0]
    return codes
