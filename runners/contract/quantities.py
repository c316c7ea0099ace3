"""One table of every quantity in a result: name, type, unit, direction, format, title and definition.

Tables, exports and the generated documentation take them from here and nowhere else. A name is a path
into ``result.json``; ``ttft_s.p50`` is the field ``p50`` of ``ttft_s``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from runners.contract.result import RunResult

Better = Literal["lower", "higher"]
Number = type[int] | type[float]


class Quantity(NamedTuple):
    """How one figure of a result is called, measured and shown."""

    name: str
    type: Number
    unit: str
    better: Better | None
    digits: int
    title: str
    meaning: str
    """Its definition in one line of Markdown."""
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
        if _MOST_WRITTEN_OUT > magnitude >= 10**self.digits - 0.5:
            return f"{shown:,.0f}"
        return f"{shown:.{self.digits}g}" if magnitude else "0"


_MOST_WRITTEN_OUT = 1e15
_MIB = 1 / 2**20
_MS = 1e3
_GIGA = 1e-9

_LATENCIES = {
    "ttft_s": ("TTFT", "time to first token: from the start of the request's batch to its first token on the host"),
    "tpot_s": ("TPOT", "time per output token after the first: (last − first token) ÷ (`output_tokens` − 1)"),
    "itl_s": ("inter-token latency", "gap between two tokens of an answer"),
    "e2e_s": (
        "end-to-end latency",
        "from the start of the request's batch to the end of the batch, or of the request where the engine tells that",
    ),
    "queue_s": (
        "queue time",
        "from handing the request's batch to the engine until that begins with the request",
    ),
}
_STATISTICS = {
    "mean": "mean",
    "p50": "median",
    "p90": "90th percentile",
    "p95": "95th percentile",
    "p99": "99th percentile",
}

# fmt: off
_TABLE = (
    Quantity("load_s", float, "s", "lower", 3, "load",
             "from the start of loading the model to the device being ready; without conversion or download;"
             " with the start of further processes, where the model is in several"),
    Quantity("duration_s", float, "s", None, 4, "window",
             "length of the window"),
    Quantity("rounds", int, "", None, 4, "rounds",
             "how often the workload's number of prompts was asked in the window, fresh ones each time"),
    Quantity("requests", int, "", None, 6, "requests",
             "requests answered in the window"),
    Quantity("input_tokens", int, "", None, 6, "input tokens",
             "tokens of all prompts in the window, special tokens included, padding not"),
    Quantity("output_tokens", int, "", None, 6, "output tokens",
             "tokens of all answers in the window"),
    Quantity("energy_j", float, "J", "lower", 4, "energy",
             "energy within the window, of all metered devices of the scope"),
    Quantity("energy_low_j", float, "J", None, 4, "energy, low",
             "lower bound of `energy_j` by the meter's error model; null where that states none"),
    Quantity("energy_high_j", float, "J", None, 4, "energy, high",
             "upper bound of `energy_j` by the meter's error model; null where that states none"),
    Quantity("energy_period_s", float, "ms", None, 3, "update period of the meter",
             "longest of the learned update periods of the energy counters; of integrated power, of its samples", _MS),
    Quantity("energy_periods", float, "", None, 3, "window ÷ update period",
             "`duration_s` ÷ `energy_period_s`: how many updates tell the energy"),
    Quantity("counter_to_integral", float, "", None, 4, "counter ÷ integral",
             "energy by the counter ÷ energy by integrating the sampled power, over the window"),
    Quantity("baseline_power_w", float, "W", None, 3, "baseline power",
             "mean power of the idle device, before the engine loads"),
    Quantity("energy_adjusted_j", float, "J", "lower", 4, "energy above baseline",
             "`energy_j` − `baseline_power_w` × `duration_s`"),
    Quantity("loaded_idle_power_w", float, "W", None, 3, "idle power, model loaded",
             "mean power with the model loaded and nothing to do, before the warm-up"),
    Quantity("energy_per_output_token_j", float, "J/token", "lower", 3, "energy per output token",
             "`energy_j` ÷ `output_tokens`; prefill included"),
    Quantity("energy_per_total_token_j", float, "J/token", "lower", 3, "energy per token",
             "`energy_j` ÷ (`input_tokens` + `output_tokens`)"),
    Quantity("energy_per_request_j", float, "J", "lower", 3, "energy per request",
             "`energy_j` ÷ `requests`"),
    Quantity("energy_prefill_j", float, "J", "lower", 3, "prefill energy",
             "summed over batches: from the start of a batch to its first token"),
    Quantity("energy_decode_j", float, "J", "lower", 3, "decode energy",
             "summed over batches: from the first token of a batch to its last"),
    Quantity("cpu_energy_j", float, "J", "lower", 4, "CPU energy",
             "energy of the CPU packages within the window; null where they are not metered"),
    Quantity("dram_energy_j", float, "J", "lower", 4, "DRAM energy",
             "energy of the memory within the window; null where it is not metered"),
    Quantity("psys_energy_j", float, "J", "lower", 4, "platform energy",
             "energy of the platform within the window, the CPU packages in it; null where it is not metered"),
    Quantity("power_mean_w", float, "W", "lower", 3, "mean power",
             "`energy_j` ÷ `duration_s`"),
    Quantity("power_max_w", float, "W", None, 3, "peak power",
             "highest power of all sources together at one sample in the window"),
    Quantity("output_tokens_per_s", float, "tokens/s", "higher", 3, "output rate",
             "`output_tokens` ÷ `duration_s`"),
    Quantity("total_tokens_per_s", float, "tokens/s", "higher", 3, "total rate",
             "(`input_tokens` + `output_tokens`) ÷ `duration_s`"),
    Quantity("requests_per_s", float, "requests/s", "higher", 3, "request rate",
             "`requests` ÷ `duration_s`"),
    Quantity("tokens_per_j", float, "tokens/J", "higher", 3, "output tokens per joule",
             "`output_tokens` ÷ `energy_j`"),
    *(
        Quantity(f"{name}.{field}", float, "ms", "lower", 3, f"{title} {field}", f"{meaning}; {statistic}", _MS)
        for name, (title, meaning) in _LATENCIES.items()
        for field, statistic in _STATISTICS.items()
    ),
    Quantity("memory_peak_bytes", int, "MiB", "lower", 4, "peak memory",
             "most in use at once in the window. GPU: given out by the allocator; CPU: resident memory of the"
             " runner, in several processes the sum of what each had at most",
             _MIB),
    Quantity("memory_model_bytes", int, "MiB", "lower", 4, "memory of the model",
             "in use once the model was loaded, counted like `memory_peak_bytes`", _MIB),
    Quantity("memory_inference_bytes", int, "MiB", "lower", 4, "memory added by inference",
             "`memory_peak_bytes` − `memory_model_bytes`", _MIB),
    Quantity("memory_reserved_bytes", int, "MiB", "lower", 4, "memory reserved",
             "GPU: most that the allocator held at once in the window; null on a CPU", _MIB),
    Quantity("memory_device_bytes", int, "MiB", "lower", 4, "device memory in use",
             "GPU: most in use at one sample in the window by anybody, as the driver says; null on a CPU", _MIB),
    Quantity("flops", float, "FLOP", None, 3, "floating-point operations",
             "of the matrix products that the window's requests ask for, counted as `flops_method` says"),
    Quantity("flops_per_output_token", float, "GFLOP/token", None, 3, "operations per output token",
             "`flops` ÷ `output_tokens`; prefill included", _GIGA),
    Quantity("flops_per_j", float, "GFLOP/J", "higher", 3, "operations per joule",
             "`flops` ÷ `energy_j`", _GIGA),
    Quantity("metering_cpu_s", float, "s", "lower", 3, "CPU time of the sampler",
             "CPU time that the sampler took within the window"),
)
# fmt: on

QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _TABLE}
