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

        self._alpha = alpha
        self._effect = np.array([abs(found.mean) for found in contrasts])
        self._paired = np.array([found.paired for found in contrasts])
        self._count_a = np.array([float(len(found.a)) for found in contrasts])
        self._count_b = np.array([float(len(found.b)) for found in contrasts])
        self._var_a = np.array([float(found.a.var(ddof=1)) for found in contrasts])
        self._var_b = np.array([float(found.b.var(ddof=1)) for found in contrasts])
        error = np.array([found.error for found in contrasts])
        self._var_pair = error**2 * self._count_a
        self._lost = np.where(
            self._paired, self._count_a - 1 - np.array([found.freedom for found in contrasts]), 0.0
        )  # fmt: skip
        self._welch = error**2 / (self._var_a / self._count_a + self._var_b / self._count_b)

    def at(self, more: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np
        from scipy.special import nctdtr, ndtr, stdtrit

        count_a, count_b = self._count_a + more, self._count_b + more
        of_a, of_b = self._var_a / count_a, self._var_b / count_b
        variance = np.where(self._paired, self._var_pair / count_a, (of_a + of_b) * self._welch)
        freedom = np.where(
            self._paired,
            np.maximum(count_a - 1 - self._lost, 1.0),
            (of_a + of_b) ** 2 / (of_a**2 / (count_a - 1) + of_b**2 / (count_b - 1)),
        )
        critical = stdtrit(freedom, 1 - self._alpha / 2)
        away = self._effect / np.sqrt(variance)
        power = 1 - nctdtr(freedom, np.minimum(away, 30.0), critical)
        found: NDArray[np.float64] = np.where(np.isnan(power), ndtr(away - critical), power)
        return found
