"""What a difference in energy comes to: joules, money and CO2e for so much work. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.difference import Difference

J_PER_KWH: Final = 3.6e6
WORK: Final = {
    "energy_per_output_token_j": "output tokens",
    "energy_per_total_token_j": "tokens",
    "energy_per_request_j": "requests",
}
"""What these quantities are per."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What energy costs, as the user says; None: not said."""

    per: float = 1e6
    """How much work joules, money and CO2e are told for."""
    per_kwh: float | None = None
    currency: str = ""
    gco2e_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What b takes beyond a for so much work; below zero, what it spares."""

    comparison: Comparison
    work: str
    """What the work is: ``output tokens``."""
    energy_j: Difference
    money: Difference | None
    gco2e: Difference | None


def cost_of(comparison: Comparison, prices: Prices) -> Cost | None:
    """What a comparison comes to; None where it is not one of energy per work, or there is none."""
    work = WORK.get(comparison.metric)
    if work is None or comparison.difference is None:
        return None
    energy_j = _times(comparison.difference, prices.per)
    money, gco2e = (
        None if per_kwh is None else _times(energy_j, per_kwh / J_PER_KWH)
        for per_kwh in (prices.per_kwh, prices.gco2e_per_kwh)
    )
    return Cost(comparison, work, energy_j, money, gco2e)


def _times(difference: Difference, factor: float) -> Difference:
    return Difference(
        difference.estimate * factor, difference.low * factor, difference.high * factor, difference.level
    )  # fmt: skip
