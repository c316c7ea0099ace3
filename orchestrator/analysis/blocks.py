"""What a GPU adds to a figure of its own, told from all runs of campaigns, so that it is not taken for a difference.

The model is ``log y = experiment + cycle + gpu + e``: GPUs are blocks, as in a Latin square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CLOSE: Final = 1e-10
_ROUNDS: Final = 1000
_NEGLIGIBLE: Final = 1e-8
"""Of the largest eigenvalue: what is below tells nothing of a contrast between GPUs."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Effects of GPUs on the logs of one metric, and how well they are known."""

    names: tuple[str, ...]
    effects: NDArray[np.float64]
    """Their sum is 0."""
    inverse: NDArray[np.float64]
    """Pseudo-inverse of the normal equations: times ``variance``, the covariance of the effects."""
    variance: float
    """Of a single run's log about the model."""
    freedom: int
    """Degrees of freedom of that variance."""

    def codes(self, gpus: NDArray[Any]) -> NDArray[np.intp]:
        """The position in ``names`` of each run's GPUs."""
        import numpy as np

        return np.searchsorted(self.names, gpus)

    def left_of(self, shares: NDArray[np.float64], runs: float) -> tuple[float, float]:
        """What is left of the spread of cycles once GPUs are taken out, of which these cycles helped to tell.

        Args:
            shares: which share of each cycle was on which GPUs, or the difference of two groups' shares.
            runs: how many runs a cycle's value is worth: it varies by a run's variance ÷ this.

        Returns:
            By what the sum of squares about their mean is to be divided to be their variance, and the degrees of
            freedom of that, by Satterthwaite (Biometrics Bulletin 2 (1946) 110-114).
        """
        import numpy as np

        centred = shares - shares.mean(axis=0)
        of_one = np.full((len(shares), len(shares)), 1 / len(shares))
        left = np.eye(len(shares)) - of_one - runs * (centred @ self.inverse @ centred.T)
        divisor = float(np.trace(left))
        return divisor, divisor**2 / float(np.sum(left**2)) if divisor > 0 else 0.0

    def uncertainty(self, contrast: NDArray[np.float64]) -> float:
        """The variance of a contrast of effects."""
        return self.variance * float(contrast @ self.inverse @ contrast)

    def tells(self, contrast: NDArray[np.float64]) -> bool:
        """Whether the runs tell this contrast of effects at all.

        They do not where experiments never change their GPU.
        """
        import numpy as np

        scale = np.abs(contrast).max(initial=0.0)
        if scale == 0:
            return True
        projected = self.inverse @ np.linalg.pinv(self.inverse, rcond=_NEGLIGIBLE, hermitian=True) @ contrast
        return bool(np.abs(projected - contrast).max() < 1e-6 * scale)


def blocks_of(
    experiment: NDArray[Any], cycle: NDArray[Any], gpus: NDArray[Any], logs: NDArray[np.float64]
) -> Blocks | None:
    """The effects of GPUs by least squares; None where there is one GPU only, or nothing left to tell them from.

    Args:
        experiment: which experiment each run is of, unlike ones of unlike campaigns.
        cycle: which cycle each run is of, likewise.
        gpus: the GPUs that each run was on, as one name.
        logs: what each measured.
    """
    import numpy as np

    names, of_gpus = np.unique(gpus, return_inverse=True)
    if len(names) < 2:
        return None
    experiments, of_experiment = np.unique(experiment, return_inverse=True)
    cycles, of_cycle = np.unique(cycle, return_inverse=True)
    shown = np.zeros((len(logs), len(names) + 1))
    shown[np.arange(len(logs)), of_gpus] = 1.0
    shown[:, -1] = logs
    left = _without(of_experiment, of_cycle, shown)
    design, rest = left[:, :-1], left[:, -1]
    normal = design.T @ design
    rank = int(np.linalg.matrix_rank(normal, tol=_NEGLIGIBLE * max(1.0, float(np.trace(normal))), hermitian=True))
    freedom = len(logs) - len(experiments) - len(cycles) + 1 - rank
    if rank < 1 or freedom < 1:
        return None
    inverse = np.linalg.pinv(normal, rcond=_NEGLIGIBLE, hermitian=True).astype(np.float64)
    effects = inverse @ (design.T @ rest)
    residual = rest - design @ effects
    return Blocks(tuple(names.tolist()), effects, inverse, float(residual @ residual) / freedom, freedom)


def _without(first: NDArray[np.intp], second: NDArray[np.intp], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns without the means of two classifications: by turns, until nothing is left of either."""
    import numpy as np

    left = columns.copy()
    scale = np.abs(columns).max()
    for _ in range(_ROUNDS):
        largest = 0.0
        for codes in (first, second):
            size = np.bincount(codes)[:, None]
            mean = np.column_stack([np.bincount(codes, column) for column in left.T]) / size
            largest = max(largest, float(np.abs(mean).max()))
            left -= mean[codes]
        if largest < _CLOSE * scale:
            break
    return left
