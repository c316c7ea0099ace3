"""Many groups side by side, cycle by cycle: the cycle is the independent repetition that answers rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.blocks import Blocks, blocks_of
from orchestrator.analysis.cycles import cycle_values
from orchestrator.analysis.groups import Group
from runners.contract.paths import ADHOC

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
    looked_at: NDArray[np.bool_]
    """Whether a group was repeated until it was known, so that its spread may look smaller than it is."""
    lost: float = 0.0
    """The share of the residuals' degrees of freedom that effects of GPUs took; 0 where none were taken out."""
    unlike_gpus: bool = False
    """Groups ran on unlike GPUs, and nothing tells what these add: part of a difference may be theirs."""

    @property
    def blocked(self) -> bool:
        """Whether effects of GPUs were taken out."""
        return self.lost > 0


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs that measured a figure, whichever group they are of."""

    group: NDArray[np.intp]
    experiment: NDArray[np.intp]
    cycle: NDArray[np.intp]
    shares_cycles: NDArray[np.bool_]
    """Whether all experiments ran in each cycle together, so that a cycle is something that groups share."""
    gpus: NDArray[Any]
    logs: NDArray[np.float64]


def by_cycle(groups: Sequence[Group], metric: str, *, as_numbered: bool = False) -> ByCycle:
    """Logs of a metric for each group and cycle; groups that ran one after another have their cycles to themselves.

    Of a group of several experiments it is the mean over them within a cycle. Where experiments moved between GPUs,
    what each GPU adds is taken out first: log y = experiment + cycle + GPU + noise, by least squares.

    Args:
        groups: of one campaign or several.
        metric: the name of a quantity.
        as_numbered: put cycles of one number side by side even where groups ran one after another; such pairs are
            as good as any, but have nothing in common.
    """
    import numpy as np

    runs, whole = _measured(groups, metric)
    blocks = blocks_of(runs.experiment, runs.cycle, runs.gpus, runs.logs)
    logs, lost = _without_gpus(runs, blocks)
    turn = _numbered([runs.cycle, np.where(runs.shares_cycles | as_numbered, -1, runs.group)])
    table = np.full((len(groups), int(turn.max(initial=-1)) + 1), np.nan)
    table[runs.group, turn] = logs
    pooled = np.flatnonzero(np.bincount(runs.group, minlength=len(groups)) > np.count_nonzero(~np.isnan(table), axis=1))
    for row in pooled:
        own = runs.group == row
        cycles, place = np.unique(turn[own], return_inverse=True)
        parts = np.unique(runs.experiment[own], return_inverse=True)[1]
        table[row] = np.nan
        table[row, cycles] = cycle_values(logs[own], parts, place)
    looked_at = np.array([bool(group.frame["until"].notna().any()) for group in groups], dtype=bool)
    return ByCycle(table, whole, looked_at, lost, _on_unlike_gpus(runs, blocks))


def _measured(groups: Sequence[Group], metric: str) -> tuple[_Runs, NDArray[np.bool_]]:
    """The runs of groups that measured a metric, and of which groups all its figures have a log; others have no run.

    Cycles of unlike campaigns are unlike.
    """
    import numpy as np

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([np.array([]), *(group.frame[name].to_numpy() for group in groups)])

    values = joined(metric).astype(float)
    of_group = np.repeat(np.arange(len(groups)), [len(group.frame) for group in groups])
    whole = np.ones(len(groups), dtype=bool)
    whole[of_group[values <= 0]] = False
    used = ~np.isnan(values) & whole[of_group]
    campaign = joined("campaign")[used]
    runs = _Runs(
        of_group[used],
        _numbered([joined(name)[used] for name in ("experiment_id", "environment_id")]),
        _numbered([campaign, joined("cycle")[used]]),
        (joined("order")[used] != "grouped") & (campaign != ADHOC),
        joined("gpus")[used],
        np.log(values[used]),
    )
    return runs, whole


def _without_gpus(runs: _Runs, blocks: Blocks | None) -> tuple[NDArray[np.float64], float]:
    """The logs without what each GPU adds, and the share of the degrees of freedom that this took."""
    if blocks is None:
        return runs.logs, 0.0
    freedom = len(runs.logs) - int(runs.experiment.max()) - int(runs.cycle.max()) - 1
    return runs.logs - blocks.effects[blocks.codes(runs.gpus)], 1 - blocks.freedom / freedom


def _on_unlike_gpus(runs: _Runs, blocks: Blocks | None) -> bool:
    """Whether groups ran on GPUs that others did not run on, of which nothing tells what these add."""
    import numpy as np
    import pandas as pd

    if len(set(runs.gpus.tolist())) < 2:
        return False
    if blocks is None:
        return pd.Series(runs.gpus).groupby(runs.group).agg(frozenset).nunique() > 1
    shares = pd.crosstab(runs.group, blocks.codes(runs.gpus), normalize="index").to_numpy(np.float64)
    return not all(blocks.tells(share - shares[0]) for share in np.unique(shares, axis=0))


def _numbered(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """A number for each row, equal where the rows are; from 0, without gaps."""
    import numpy as np
    import pandas as pd

    codes = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        number, levels = pd.factorize(column, use_na_sentinel=False)
        codes = pd.factorize(codes * max(1, len(levels)) + number)[0]
    return codes
