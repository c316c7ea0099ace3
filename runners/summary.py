"""The headline figures of a result as lines of text, for a person at a terminal. Pure."""

from __future__ import annotations

from runners.contract.quantities import QUANTITIES, Quantity
from runners.contract.result import RunResult

_HEADLINES = (
    "energy_per_output_token_j",
    "energy_j",
    "power_mean_w",
    "output_tokens_per_s",
    "ttft_s.p50",
    "e2e_s.p50",
    "memory_peak_bytes",
    "duration_s",
)


def headlines(result: RunResult) -> list[str]:
    """A line a known figure with its unit and, of energies, its method; then the verdict, and each failed check."""
    known = [quantity for quantity in map(QUANTITIES.__getitem__, _HEADLINES) if quantity.of(result) is not None]
    lines = [_row(quantity.title, _figure(quantity, result)) for quantity in known]
    if result.energy_j is None:
        lines.insert(0, _row("energy", "not measured"))
    lines.append(_row("verdict", result.verdict))
    lines += [
        f"check {check.name} failed ({check.severity}): {check.observed}" for check in result.checks if not check.passed
    ]
    return lines


def _figure(quantity: Quantity, result: RunResult) -> str:
    method = f"  ({_METHODS.get(result.energy_method or '', 'not measured')})" if quantity.of_energy else ""
    return f"{quantity.show(quantity.of(result))} {quantity.unit}{method}"


_METHODS = {
    "nvml": "measured by nvml",
    "rapl": "measured by rapl",
    "estimated": "estimated, not measured",
    "simulated": "simulated: no engine ran",
}


def _row(title: str, value: str) -> str:
    return f"{title + ':':<25}{value}"
