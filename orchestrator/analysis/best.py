"""The best of many, corrected for having been picked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.by_cycle import ByCycle, by_cycle
from orchestrator.analysis.comparable import Meters, listed, metered_alike, meters_of
from orchestrator.analysis.conditions import Condition, unmet
from orchestrator.analysis.groups import Choice, Group, for_ranking
from orchestrator.analysis.interval import LEVEL, Interval, antilog
from orchestrator.analysis.selection import WIDEST, row_means, select, simultaneous
from orchestrator.errors import InputError
from runners.contract.quantities import QUANTITIES, Better

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METHOD: Final = "subset selection by Simes's rule over t on logs"
_USUAL: Final = Choice()


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate among all."""

    group: Group
    """Its runs that count: without estimated joules, where these are not ranked."""
    interval: Interval | None
    """Simultaneous: all candidates' intervals hold at once, so also that of whichever turns out best."""
    separable: bool | None
    """Whether it is told not to be the best; None: it is the winner, or nothing can be said."""
    fails: Sequence[str] = ()
    """The conditions that it does not meet, with what was seen; empty for a candidate."""
    estimate: float | None = None
    """The geometric mean over its cycles."""
    beside_best: Interval | None = None
    """Ratio to the best, whichever that is: 1 at least where lower is better, else 1 at most; simultaneous too."""
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class Best:
    """Which group is best in one metric, under conditions."""

    metric: str
    better: str
    """``lower`` or ``higher``."""
    ranking: Sequence[Ranked]
    """Candidates from the best down; then those that fail a condition; then those without the figure.

    Candidates of one cycle stand below the others: nothing can be claimed of them, nor are they told apart.
    """
    method: str
    """How it was corrected for picking, by name."""
    level: float = LEVEL
    where: Sequence[Condition] = ()
    """The conditions that were asked for."""
    unlike_gpus: bool = False
    """Candidates ran on unlike GPUs, and nothing tells what these add."""

    @property
    def winner(self) -> Ranked | None:
        """The best candidate."""
        first = next(iter(self.ranking), None)
        return first if first and first.interval is not None and not first.fails else None

    @property
    def candidates(self) -> list[Ranked]:
        """Those that meet the conditions and were measured, from the best down."""
        return [one for one in self.ranking if not one.fails and one.estimate is not None]

    @property
    def may_be_best(self) -> list[Ranked]:
        """The winner and those that are not told apart from it: the best is among them."""
        return [one for one in self.candidates if not one.separable] if self.winner else []


def best_of(
    groups: Sequence[Group],
    metric: str,
    where: Sequence[Condition] = (),
    choice: Choice = _USUAL,
    better: Better | None = None,
    level: float = LEVEL,
) -> Best:
    """Rank groups by one metric, and say which of them may be the best.

    The winner and those that are not separable from it hold the best with the confidence ``level``, and the intervals
    cover all at once (Šidák 1967): see :mod:`orchestrator.analysis.selection` for how, and for the literature.
    Conditions are held against medians. Joules of unlike meters are not ranked together
    (:func:`~orchestrator.analysis.comparable.metered_alike`): those that the first candidate's meter did not measure
    fail, and so do those that several meters measured.

    Args:
        groups: the candidates; of several campaigns, if these are to be ranked together.
        metric: the name of a quantity.
        where: what a candidate must meet.
        choice: whether estimated joules are ranked.
        better: which side is better; None: the metric's own.
        level: how often what is said holds.

    Raises:
        InputError: neither side of the metric is better, or a condition is of a column that is not there.
    """
    better = better or QUANTITIES[metric].better
    if better is None:
        raise InputError(f"neither less nor more of {metric} is better in itself", hint="say which is to be found")
    found = [for_ranking(group, metric, choice) for group in groups]
    grid = by_cycle(found, metric)
    fails = [
        [
            *(unmet(group, where) if len(group.frame) else []),
            *([] if whole else [f"{metric} is 0 or less in a run: no ratios"]),
        ]
        for group, whole in zip(found, grid.whole, strict=True)
    ]
    _fail_unlike_meters(found, metric, fails, grid)
    return replace(_ranked(metric, better, found, fails, grid, level), where=where)


def _ranked(
    metric: str, better: Better, groups: Sequence[Group], fails: Sequence[Sequence[str]], grid: ByCycle, level: float
) -> Best:
    import numpy as np

    sign = 1.0 if better == "lower" else -1.0
    cycles = np.array(_cycles(grid.logs), dtype=int)
    known = np.array([not failed for failed in fails], dtype=bool) & (cycles >= 2)
    means = np.where(known | (cycles > 0), row_means(grid.logs), np.inf * sign)
    selection = select(sign * grid.logs[known], grid.lost, level)
    intervals = simultaneous(grid.logs[known], grid.lost, level, grid.looked_at[known])
    place = dict(zip(np.flatnonzero(known).tolist(), range(int(known.sum())), strict=True))
    order = sorted(range(len(groups)), key=lambda row: (_standing(fails[row], int(cycles[row])), sign * means[row]))
    ranking = []
    for rank, row in enumerate(order):
        at, seen = place.get(row), int(cycles[row])
        candidate = bool(seen and not fails[row])
        beside = None if at is None else _beside(selection.beside_best[at], sign, level, seen)
        separable = not (at is None or selection.possible[at]) if candidate and rank and place else None
        interval = None if at is None else intervals[at]
        estimate = antilog(float(means[row])) if seen else None
        ranking.append(Ranked(groups[row], interval, separable, fails[row], estimate, beside, seen))
    pairs = {1.0: ", paired by cycle", 0.0: ", unpaired"}.get(selection.paired, ", paired where cycles are shared")
    method = METHOD + pairs + (", blocked by GPU" if grid.blocked else "")
    return Best(metric, better, ranking, method, level, unlike_gpus=grid.unlike_gpus)


def _standing(fails: Sequence[str], cycles: int) -> int:
    if not cycles:
        return 3
    return 2 if fails else int(cycles < 2)


def _beside(logs: NDArray[np.float64], sign: float, level: float, cycles: int) -> Interval | None:
    if math.isnan(logs[0]):
        return None
    low, high = sorted((antilog(sign * min(logs[1], WIDEST)), antilog(sign * min(logs[2], WIDEST))))
    return Interval(antilog(sign * logs[0]), low, high, level, "log-t", cycles)


def _fail_unlike_meters(groups: Sequence[Group], metric: str, fails: Sequence[list[str]], grid: ByCycle) -> None:
    """Add a failure to those whose joules mean something else than the first candidate's."""
    reference: Meters | None = None
    for group, failed, cycles in zip(groups, fails, _cycles(grid.logs), strict=True):
        if failed or not cycles:
            continue
        meters = meters_of(group, metric)
        if not metered_alike(meters):
            failed.append(f"energy by {listed(meters)}: not comparable")
            continue
        reference = meters if reference is None else reference
        if not metered_alike(meters, reference):
            failed.append(f"energy by {listed(meters)}, not by {listed(reference)}: not comparable")


def _cycles(logs: NDArray[np.float64]) -> list[int]:
    """How many cycles each row has."""
    import numpy as np

    return [int(count) for count in np.count_nonzero(~np.isnan(logs), axis=1)]
