"""When the engine is warm, and how many rounds of prompts make a window long enough. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import fmean, pstdev

from runners.contract.request import Measurement, Warmup
from runners.contract.result import WarmupReport

UNTIL_CV = 0.05
_MAX_ITERATIONS = 10
_WINDOW = 3
_SPARE = 1.5


def cv_of(durations_s: Sequence[float]) -> float | None:
    """Coefficient of variation (standard deviation ÷ mean) of the last three durations; None with fewer."""
    last = durations_s[-_WINDOW:]
    mean_s = fmean(last) if len(last) == _WINDOW else 0.0
    return pstdev(last) / mean_s if mean_s > 0 else None


def is_warm(warmup: Warmup, durations_s: Sequence[float]) -> bool:
    """Whether the warm-up may end: it has converged, it has reached its cap, or its fixed count is done."""
    if warmup.iterations is not None:
        return len(durations_s) >= warmup.iterations
    return _converged(warmup, durations_s) or len(durations_s) >= (warmup.max_iterations or _MAX_ITERATIONS)


def warmup_report(warmup: Warmup, durations_s: Sequence[float]) -> WarmupReport:
    """What the warm-up did."""
    return WarmupReport(
        iterations=len(durations_s),
        durations_s=list(durations_s),
        cv=cv_of(durations_s),
        converged=_converged(warmup, durations_s) if warmup.iterations is None else None,
    )


def rounds_to_prepare(measurement: Measurement, round_s: float | None, period_s: float | None) -> int:
    """How many rounds of prompts to have ready before the window opens, some to spare.

    Args:
        measurement: what is asked of the window.
        round_s: how long a round takes, as far as the warm-up tells; None: not known.
        period_s: update period of the energy counter; None: not known.
    """
    wanted_s = []
    if measurement.min_window_s:
        wanted_s.append(measurement.min_window_s)
    if measurement.target_relative_uncertainty:
        # Each end of the window is uncertain by about half a period's energy.
        wanted_s.append(2 * period_s / measurement.target_relative_uncertainty if period_s else float("inf"))
    if not wanted_s:
        return 1
    if not round_s or max(wanted_s) == float("inf"):
        return measurement.max_rounds
    return min(1 + ceil(_SPARE * max(wanted_s) / round_s), measurement.max_rounds)


def _converged(warmup: Warmup, durations_s: Sequence[float]) -> bool:
    cv = cv_of(durations_s)
    return cv is not None and cv <= (warmup.until_cv or UNTIL_CV)
