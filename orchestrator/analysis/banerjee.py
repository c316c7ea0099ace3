"""Student's t where a standard error has several parts, each with degrees of freedom of its own.

The half-width is the root of the squares of each part's own: Banerjee, Sankhya A 23 (1961) 359-378, who shows that such
an interval holds the truth at least as often as it says, at any ratio of the spreads. Welch's does not: 3 cycles beside
12 less noisy ones are told apart falsely in 7 of 100 campaigns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SMALLEST: Final = -700.0
"""The log of the smallest p-value that is told from 0."""
_HALVINGS: Final = 50


def half_width(variance: Floats, freedom: Floats, alpha: Floats | float) -> Floats:
    """Half of each interval.

    Args:
        variance: of each part, shape (..., parts).
        freedom: its degrees of freedom, likewise.
        alpha: how often an interval misses the truth, of a shape that goes with (...).
    """
    import numpy as np
    from scipy.special import stdtrit

    width: Floats = np.sqrt((stdtrit(freedom, np.asarray(alpha)[..., None] / 2) ** 2 * variance).sum(axis=-1))
    return width


def p_value(variance: Floats, freedom: Floats, away: Floats) -> Floats:
    """At which alpha each interval is as wide as the difference is far from 0; 1 where it is 0.

    Args:
        variance: as for :func:`half_width`, shape (differences, parts).
        freedom: likewise.
        away: how far each difference is from 0, shape (differences,).
    """
    import numpy as np
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = 2 * stdtr(freedom[:, 0], -away / np.sqrt(variance[:, 0]))
    several = (variance[:, 1:] > 0).any(axis=1)
    if several.any():
        found[several] = _by_halving(variance[several], freedom[several], away[several])
    return np.where(away == 0, 1.0, found)


def _by_halving(variance: Floats, freedom: Floats, away: Floats) -> Floats:
    import numpy as np

    low, high = np.full(len(away), _SMALLEST), np.zeros(len(away))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        wider = half_width(variance, freedom, np.exp(middle)) > away
        low, high = np.where(wider, middle, low), np.where(wider, high, middle)
    return np.where(low == _SMALLEST, 0.0, np.exp(high))
