"""One value a cycle: the cycle is the independent repetition, whatever runs in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_NEARLY_WHOLE: Final = 0.75
"""Of the experiments: with fewer in a cycle, it tells of some of them only."""
_ENOUGH: Final = 0.5
"""Of these cycles, in which each experiment is to be for its own noise to be seen."""


def per_cycle(frame: pd.DataFrame, metric: str) -> pd.Series[float]:
    """A metric's typical value in each cycle in which it was measured, by cycle.

    Where several experiments are taken together, their logs are averaged within a cycle. Where some are missing in
    some cycles, that would take their absence for an effect of the cycle; so the values are those of the two-way
    model, log y = experiment + cycle, by least squares, over the cycles that count (:func:`that_count`). Figures that
    are not all above 0 are averaged as they are.

    Args:
        frame: of runs.
        metric: the name of a quantity.
    """
    import numpy as np
    import pandas as pd

    values = frame[metric].to_numpy(dtype="float64")
    there = ~np.isnan(values)
    values, cycles = values[there], frame["cycle"].to_numpy()[there]
    experiments = pd.factorize(frame["experiment_id"].to_numpy()[there])[0]
    if len(there) == 0 or not experiments.any():
        return pd.Series(values, index=cycles, name=metric).sort_index()
    numbers, cycle_codes = np.unique(cycles, return_inverse=True)
    positive = bool((values > 0).all())
    typical = cycle_values(np.log(values) if positive else values, experiments, cycle_codes)
    known = ~np.isnan(typical)
    return pd.Series(np.exp(typical[known]) if positive else typical[known], index=numbers[known], name=metric)


def cycle_values(
    values: NDArray[np.float64], parts: NDArray[np.integer[Any]], cycles: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """One value a cycle, the mean over its parts, each held by an effect of its own; NaN for one that does not count.

    Args:
        values: to be put together.
        parts: the number of the part that each is of, such as an experiment, from 0 without gaps.
        cycles: the number of its cycle, likewise.
    """
    import numpy as np

    found = np.full(int(cycles.max(initial=-1)) + 1, np.nan)
    if not len(values):
        return found
    counts = that_count(parts, cycles)
    kept, place = np.unique(cycles[counts], return_inverse=True)
    found[kept] = two_way(values[counts], np.unique(parts[counts], return_inverse=True)[1], place)
    return found


def that_count(parts: NDArray[np.integer[Any]], cycles: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which values are of cycles that tell of all parts together.

    Where some parts are repeated more often than others, as ``until`` does, the further cycles tell of these parts
    only: taken for repetitions of the whole, they would hide how little is known of the others. So cycles count in
    which three in four parts were measured, if each part is in half of them at least; else those in which all were;
    and all cycles if there is no such one.

    Args:
        parts: the number of the part that each value is of, from 0 without gaps.
        cycles: the number of its cycle, likewise.
    """
    import numpy as np

    there = np.zeros((int(parts.max(initial=-1)) + 1, int(cycles.max(initial=-1)) + 1), dtype=bool)
    there[parts, cycles] = True
    most: NDArray[np.bool_] = there.sum(axis=0) >= _NEARLY_WHOLE * len(there)
    if most.sum() > 1 and (there[:, most].mean(axis=1) >= _ENOUGH).all():
        return np.take(most, cycles)
    whole: NDArray[np.bool_] = np.logical_and.reduce(there, axis=0)
    return np.take(whole, cycles) if whole.any() else np.ones(len(cycles), dtype=bool)


def two_way(
    values: NDArray[np.float64], experiments: NDArray[np.integer[Any]], cycles: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Each cycle's effect, plus the mean of the experiments'. Experiments are eliminated, since they may be many.

    Where cycles fall apart into some that share no experiment with the others, their effects beside these cannot be
    told from the experiments'. Least squares would call them equal, and so exactly known; instead each cycle is then
    the mean of what ran in it, whose spread holds both.
    """
    import numpy as np

    counts = np.zeros((experiments.max() + 1, cycles.max() + 1))
    np.add.at(counts, (experiments, cycles), 1.0)
    per_experiment = counts.sum(axis=1)
    means = np.bincount(experiments, values) / per_experiment
    laplacian = np.diag(counts.sum(axis=0)) - counts.T @ (counts / per_experiment[:, None])
    if np.linalg.matrix_rank(laplacian, hermitian=True) < len(laplacian) - 1:
        plain: NDArray[np.float64] = np.bincount(cycles, values) / counts.sum(axis=0)
        return plain
    right = np.bincount(cycles, values) - counts.T @ means
    effects: NDArray[np.float64] = np.linalg.pinv(laplacian, hermitian=True) @ right
    own = means - (counts @ effects) / per_experiment
    typical: NDArray[np.float64] = effects + own.mean()
    return typical
