"""One value a cycle: the cycle is the independent repetition, whatever runs in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def per_cycle(frame: pd.DataFrame, metric: str) -> pd.Series[float]:
    """A metric's typical value in each cycle in which it was measured, by cycle.

    Where several experiments are taken together, their logs are averaged within a cycle. Where some are missing in
    some cycles, that would take their absence for an effect of the cycle; so the values are those of the two-way
    model, log y = experiment + cycle, by least squares. Figures that are not all above 0 are averaged as they are.

    Args:
        frame: of runs.
        metric: the name of a quantity.
    """
    import numpy as np
    import pandas as pd

    values = frame[metric].to_numpy(dtype="float64")
    there = ~np.isnan(values)
    values, cycles = values[there], frame["cycle"].to_numpy()[there]
    numbers, firsts, cycle_codes = np.unique(cycles, return_index=True, return_inverse=True)
    if len(numbers) == len(cycles):
        return pd.Series(values[firsts], index=numbers, name=metric)
    positive = bool((values > 0).all())
    experiments = pd.factorize(frame["experiment_id"].to_numpy()[there])[0]
    typical = two_way(np.log(values) if positive else values, experiments, cycle_codes)
    return pd.Series(np.exp(typical) if positive else typical, index=numbers, name=metric)


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
