"""Whether figures drift over the cycles of a campaign: then its repetitions are no repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.groups import Group

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

LEVEL: Final = 0.05
"""How often drift is found where there is none."""
_POOLING_LEVEL: Final = 0.05
_SMALL: Final = 1e-9
"""What is rounding, beside the largest."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What cycles tell about drift of one metric, all experiments taken together."""

    per_cycle: float
    """Relative change from one cycle to the next: 0.01 for +1 % a cycle."""
    p_value: float
    found: bool
    method: str
    """The test, by its name."""
    cycles: int


def drift_of(groups: Sequence[Group], metric: str) -> Drift | None:
    """Tests whether a metric rises or falls from cycle to cycle; None where that cannot be told.

    The logs of all runs are modelled as experiment + GPU + slope × cycle. The slope is held against its standard
    error by Student's t. The error is the scatter of single runs, unless cycles scatter about the line by more than
    their runs explain (an F test for lack of fit at 5 %): whatever meets a whole cycle, such as a warm afternoon,
    would pass for drift then, so cycles are the unit, with as many degrees of freedom as there are cycles less two.
    Of one experiment alone, cycles always are.

    Sources: Draper and Smith, Applied Regression Analysis (1998), chapter 2, for the test of lack of fit; Bancroft,
    Annals of Mathematical Statistics 15 (1944) 190-204, for errors that are pooled after a test. What this rule
    covers and misses is measured by ``make bench-stats`` and told in docs/explanation/statistics.md.

    Args:
        groups: of one campaign.
        metric: a column; runs where it is missing or not above zero count for nothing.

    Returns:
        None with fewer than three cycles, with none repeated, or where no two runs of an experiment differ.
    """
    import numpy as np
    from scipy.special import stdtr

    experiment, cycle, gpu, logs = _runs(groups, metric)
    cycles, place = np.unique(cycle, return_inverse=True)
    if len(cycles) < 3:
        return None
    units, steps = _dummies(gpu), _dummies(place)
    columns = _within(np.hstack([logs[:, None], cycle[:, None], units, steps]), experiment)
    products = columns.T @ columns
    of_units, of_both = slice(2, 2 + units.shape[1]), slice(2, None)
    (total, along), (_, length) = _left(products, of_units)
    if length < 1e-9 or total < 1e-20 * len(logs):
        return None
    slope = along / length
    runs_error = _left(products, of_both)[0, 0]
    cycles_error = max(total - slope**2 * length - runs_error, 0.0)
    cycles_free = _rank(products, of_both) - _rank(products, of_units) - 1
    runs_free = len(logs) - len(np.unique(experiment)) - _rank(products, of_both)
    error, free, unit = runs_error + cycles_error, runs_free + cycles_free, "runs"
    if _lacks_fit(cycles_error, cycles_free, runs_error, runs_free):
        error, free, unit = cycles_error, cycles_free, "cycles"
    if free < 1:
        return None
    p_value = 2 * float(stdtr(free, -math.sqrt(_ratio(slope**2 * length * free, error))))
    return Drift(math.expm1(slope), p_value, p_value < LEVEL, f"t of a line over cycles, by {unit}", len(cycles))


def _lacks_fit(cycles_error: float, cycles_free: int, runs_error: float, runs_free: int) -> bool:
    """Whether cycles scatter about the line by more than their runs explain, or nothing tells how runs scatter."""
    from scipy.special import fdtri

    if runs_free < 1 or cycles_free < 1:
        return runs_free < 1
    scattered = _ratio(cycles_error * runs_free, runs_error * cycles_free)
    return bool(scattered > fdtri(cycles_free, runs_free, 1 - _POOLING_LEVEL))


def _runs(groups: Sequence[Group], metric: str) -> tuple[Places, Floats, Places, Floats]:
    """Of each run: the numbers of its experiment (in its group) and of its GPUs, its cycle, the log of the metric."""
    import numpy as np

    frames = [group.frame for group in groups if len(group.frame)]
    values = _joined([frame[metric].to_numpy(np.float64, na_value=np.nan) for frame in frames])
    known = values > 0
    cycle = _joined([frame["cycle"].to_numpy(np.float64) for frame in frames])[known]
    names = [f"{place} {name}" for place, frame in enumerate(frames) for name in frame["experiment_id"]]
    gpus = [str(name) for frame in frames for name in frame["gpus"]]
    return _numbers(names, known), cycle, _numbers(gpus, known), np.log(values[known])


def _joined(parts: Sequence[Floats]) -> Floats:
    import numpy as np

    return np.concatenate([np.zeros(0), *parts])


def _numbers(names: Sequence[str], known: NDArray[np.bool_]) -> Places:
    """Names as numbers from 0."""
    import numpy as np

    return np.unique(np.array(names, dtype=object)[known].astype(str), return_inverse=True)[1]


def _dummies(place: Places) -> Floats:
    """A column for each but the first."""
    import numpy as np

    return np.eye(int(place.max()) + 1)[place][:, 1:]


def _within(columns: Floats, experiment: Places) -> Floats:
    """Columns less their means over each experiment."""
    import numpy as np

    means = np.zeros((int(experiment.max()) + 1, columns.shape[1]))
    np.add.at(means, experiment, columns)
    return columns - (means / np.bincount(experiment)[:, None])[experiment]


def _left(products: Floats, of: slice) -> Floats:
    """Products of logs and line with one another, when what a model's columns explain is taken out of both."""
    import numpy as np

    across = products[:2, of]
    left: Floats = products[:2, :2] - across @ np.linalg.pinv(products[of, of], _SMALL, hermitian=True) @ across.T
    return np.maximum(left, [[0, -np.inf], [-np.inf, 0]])


def _rank(products: Floats, of: slice) -> int:
    """How many effects a model's columns can tell."""
    import numpy as np

    within = products[of, of]
    return int(np.linalg.matrix_rank(within, tol=_SMALL * within.max(), hermitian=True)) if within.size else 0


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.inf
