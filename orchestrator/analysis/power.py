"""How many further cycles would tell two groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.contrast import Contrast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CYCLES: Final = 1000
POWER: Final = 0.8


def cycles_to_tell(contrasts: Sequence[Contrast], alpha: float, power: float = POWER) -> list[int | None]:
    """How many further cycles of both groups tell their difference with this power, were it and its spread as seen.

    The power is that of the two-sided t test, by the non-central t distribution (Cohen, Statistical Power Analysis,
    1988, chapter 2). What was seen is itself uncertain: it is a plan, no promise.

    Args:
        contrasts: none of them with a difference or a standard error of 0.
        alpha: the level of the test.
        power: how often it is to tell.

    Returns:
        For each the number of cycles, 1 at least; None where 1000 would not do.
    """
    import numpy as np

    if not contrasts:
        return []
    powers = _Powers(contrasts, alpha)
    low = np.zeros(len(contrasts))
    high = np.full(len(contrasts), float(MOST_CYCLES))
    within = powers.at(high) >= power
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = powers.at(middle) >= power
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return [int(cycles) if reached else None for cycles, reached in zip(high, within, strict=True)]


class _Powers:
    """The power of many tests at once, after so many more cycles."""

    def __init__(self, contrasts: Sequence[Contrast], alpha: float) -> None:
        import numpy as np

        most = max(len(found.parts) for found in contrasts)
        shape = len(contrasts), most
        self._alpha = alpha
        self._effect = np.array([abs(found.mean) for found in contrasts])
        self._variance, self._freedom, self._cycles = np.zeros(shape), np.ones(shape), np.ones(shape)
        for place, found in enumerate(contrasts):
            counts = (len(found.a), len(found.b)) if not found.paired else (len(found.a),)
            for number, (variance, freedom) in enumerate(found.parts):
                self._variance[place, number], self._freedom[place, number] = variance, freedom
                self._cycles[place, number] = counts[number] if number < len(counts) else found.count

    def at(self, more: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np
        from scipy.special import nctdtr, ndtr, stdtrit

        variance = self._variance * self._cycles / (self._cycles + more[:, None])
        freedom = self._freedom + more[:, None]
        both = variance.sum(axis=1)
        half = np.sqrt((stdtrit(freedom, self._alpha / 2) ** 2 * variance).sum(axis=1))
        welch = both**2 / (variance**2 / freedom).sum(axis=1)
        away, critical = self._effect / np.sqrt(both), half / np.sqrt(both)
        power = 1 - nctdtr(welch, np.minimum(away, 30.0), critical)
        found: NDArray[np.float64] = np.where(np.isnan(power), ndtr(away - critical), power)
        return found
