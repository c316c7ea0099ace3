"""Every field of a result that follows from its energy series, marks and counts. Pure.

The runner fills them in so, and anyone recomputes them so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from runners.contract.request import Gpu
from runners.contract.result import BaselineReport, EnergyBasis, EnergyMethod, GpuEnergy, Mark, MeterSource
from runners.contract.series import Figures, Part, Series, figures_of, primary_of


class Counts(NamedTuple):
    """What was done in the window."""

    requests: int
    input_tokens: int
    output_tokens: int


class Joules(TypedDict):
    """The fields, each by its name in :class:`runners.contract.result.RunResult`."""

    energy_j: float | None
    energy_low_j: float | None
    energy_high_j: float | None
    energy_method: EnergyMethod | None
    energy_scope: str | None
    energy_basis: EnergyBasis | None
    energy_period_s: float | None
    energy_periods: float | None
    counter_to_integral: float | None
    baseline_power_w: float | None
    energy_adjusted_j: float | None
    loaded_idle_power_w: float | None
    energy_per_output_token_j: float | None
    energy_per_total_token_j: float | None
    energy_per_request_j: float | None
    energy_prefill_j: float | None
    energy_decode_j: float | None
    cpu_energy_j: float | None
    dram_energy_j: float | None
    psys_energy_j: float | None
    power_mean_w: float | None
    power_max_w: float | None
    tokens_per_j: float | None
    gpus: list[GpuEnergy]


def joules_of(
    series: Mapping[str, Series],
    marks: Sequence[Mark],
    counts: Counts,
    baseline: BaselineReport | None,
    gpus: Sequence[Gpu],
) -> Joules:
    """The fields of a run.

    Args:
        series: by name of the source.
        marks: exactly one of them is of the window.
        counts: of the window.
        baseline: the idle power of the sources, if there is one.
        gpus: those that the run was given, for their names.
    """
    window = next(mark for mark in marks if mark.phase == "window")
    duration_s = window.end_s - window.start_s
    figures = figures_of(series, marks)
    primary = primary_of([one.source for one in series.values()])
    joules = figures.energy.joules if figures.energy else None
    baseline_w = baseline_power_w(baseline, primary)
    return Joules(
        energy_j=joules,
        energy_low_j=figures.energy.low if figures.energy else None,
        energy_high_j=figures.energy.high if figures.energy else None,
        energy_method=primary[0].method if figures.energy else None,
        energy_scope=primary[0].scope if figures.energy else None,
        energy_basis=figures.basis,
        energy_period_s=figures.period_s,
        energy_periods=duration_s / figures.period_s if figures.period_s else None,
        counter_to_integral=figures.counter_to_integral,
        baseline_power_w=baseline_w,
        energy_adjusted_j=None if joules is None or baseline_w is None else joules - baseline_w * duration_s,
        loaded_idle_power_w=figures.loaded_idle_power_w,
        energy_per_output_token_j=_ratio(joules, counts.output_tokens),
        energy_per_total_token_j=_ratio(joules, counts.input_tokens + counts.output_tokens),
        energy_per_request_j=_ratio(joules, counts.requests),
        energy_prefill_j=figures.prefill_j,
        energy_decode_j=figures.decode_j,
        cpu_energy_j=figures.cpu_j,
        dram_energy_j=figures.dram_j,
        psys_energy_j=figures.psys_j,
        power_mean_w=figures.power_mean_w,
        power_max_w=figures.power_max_w,
        tokens_per_j=_ratio(counts.output_tokens, joules),
        gpus=_gpus(gpus, primary, figures, baseline, duration_s),
    )


def baseline_power_w(report: BaselineReport | None, primary: Sequence[MeterSource]) -> float | None:
    """The baseline of the primary sources together, in watts; None where one of them has none."""
    powers = [report.power_w.get(source.name) for source in primary] if report else []
    known = [power for power in powers if power is not None]
    return sum(known) if powers and len(known) == len(powers) else None


def _gpus(
    gpus: Sequence[Gpu],
    primary: Sequence[MeterSource],
    figures: Figures,
    baseline: BaselineReport | None,
    duration_s: float,
) -> list[GpuEnergy]:
    names = {gpu.uuid: gpu.name for gpu in gpus}
    return [
        _gpu(source.uuid, names.get(source.uuid, ""), figures.parts[source.name], baseline, source, duration_s)
        for source in primary
        if source.kind == "gpu" and source.uuid
    ]


def _gpu(
    uuid: str, name: str, part: Part, baseline: BaselineReport | None, source: MeterSource, duration_s: float
) -> GpuEnergy:
    energy = part.window.energy if part.window else None
    return GpuEnergy(
        uuid=uuid,
        name=name,
        energy_j=energy.joules if energy else None,
        energy_low_j=energy.low if energy else None,
        energy_high_j=energy.high if energy else None,
        energy_basis=part.window.basis if part.window else None,
        energy_prefill_j=part.prefill_j,
        energy_decode_j=part.decode_j,
        energy_period_s=part.period_s,
        counter_to_integral=part.counter_to_integral,
        baseline_power_w=baseline_power_w(baseline, [source]),
        power_mean_w=energy.joules / duration_s if energy and duration_s > 0 else None,
        power_max_w=part.power_max_w,
    )


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None
