"""One table of every quantity in a result: name, unit, direction, title and format.

Tables, exports and the generated documentation take them from here and nowhere else. A name is a path
into ``result.json``; ``ttft_s.p50`` is the field ``p50`` of ``ttft_s``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from runners.contract.result import RunResult

Better = Literal["lower", "higher"]


class Quantity(NamedTuple):
    """How one figure of a result is called, measured and shown."""

    name: str
    unit: str
    better: Better | None
    title: str
    digits: int
    scale: float = 1.0
    """Shown value = value × scale, in ``unit``."""

    @property
    def of_energy(self) -> bool:
        """Whether it follows from the run's energy, and so is as good as the method that this came from."""
        return any(unit in ("J", "W") for unit in self.unit.split("/"))

    def of(self, result: RunResult) -> float | None:
        """Its value in a result, unscaled; None where it was not measured."""
        value: Any = result
        for part in self.name.split("."):
            if value is None:
                return None
            value = getattr(value, part)
        return None if value is None else float(value)

    def show(self, value: float | None) -> str:
        """The value in the quantity's unit, to its significant digits; an em dash where it is null."""
        if value is None:
            return "—"
        shown = value * self.scale
        magnitude = abs(shown)
        if magnitude >= 10**self.digits - 0.5:
            return f"{shown:,.0f}"
        return f"{shown:.{self.digits}g}" if magnitude else "0"


_MIB = 1 / 2**20
_MS = 1e3

_LATENCIES = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "itl_s": "inter-token latency",
    "e2e_s": "end-to-end latency",
}
_STATISTICS = ("mean", "p50", "p90", "p95", "p99")

_TABLE = (
    Quantity("load_s", "s", "lower", "load", 3),
    Quantity("duration_s", "s", None, "window", 4),
    Quantity("requests", "", None, "requests", 6),
    Quantity("input_tokens", "", None, "input tokens", 6),
    Quantity("output_tokens", "", None, "output tokens", 6),
    Quantity("energy_j", "J", "lower", "energy", 4),
    Quantity("energy_low_j", "J", None, "energy, low", 4),
    Quantity("energy_high_j", "J", None, "energy, high", 4),
    Quantity("baseline_power_w", "W", None, "baseline power", 3),
    Quantity("energy_adjusted_j", "J", "lower", "energy above baseline", 4),
    Quantity("energy_per_output_token_j", "J/token", "lower", "energy per output token", 3),
    Quantity("energy_per_total_token_j", "J/token", "lower", "energy per token", 3),
    Quantity("energy_per_request_j", "J", "lower", "energy per request", 3),
    Quantity("energy_prefill_j", "J", "lower", "prefill energy", 3),
    Quantity("energy_decode_j", "J", "lower", "decode energy", 3),
    Quantity("cpu_energy_j", "J", "lower", "CPU energy", 4),
    Quantity("dram_energy_j", "J", "lower", "DRAM energy", 4),
    Quantity("power_mean_w", "W", "lower", "mean power", 3),
    Quantity("power_max_w", "W", None, "peak power", 3),
    Quantity("output_tokens_per_s", "tokens/s", "higher", "output rate", 3),
    Quantity("total_tokens_per_s", "tokens/s", "higher", "total rate", 3),
    Quantity("requests_per_s", "requests/s", "higher", "request rate", 3),
    Quantity("tokens_per_j", "tokens/J", "higher", "output tokens per joule", 3),
    *(
        Quantity(f"{name}.{statistic}", "ms", "lower", f"{title} {statistic}", 3, _MS)
        for name, title in _LATENCIES.items()
        for statistic in _STATISTICS
    ),
    Quantity("memory_peak_bytes", "MiB", "lower", "peak memory", 4, _MIB),
    Quantity("memory_model_bytes", "MiB", "lower", "memory of the model", 4, _MIB),
    Quantity("memory_inference_bytes", "MiB", "lower", "memory added by inference", 4, _MIB),
    Quantity("memory_reserved_bytes", "MiB", "lower", "memory reserved", 4, _MIB),
    Quantity("memory_device_bytes", "MiB", "lower", "device memory in use", 4, _MIB),
    Quantity("flops", "FLOP", None, "floating-point operations", 3),
    Quantity("metering_cpu_s", "s", "lower", "CPU time of the sampler", 3),
)

QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _TABLE}
