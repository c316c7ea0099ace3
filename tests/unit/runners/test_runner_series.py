"""From series and marks to the figures of a run: which one tells, what is summed, and what stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runners.contract.energy import CounterEdge, EnergyError, PowerReading
from runners.contract.joules import Counts, baseline_power_w, joules_of
from runners.contract.request import Gpu
from runners.contract.result import BaselineReport, Mark, MeterSource, RunResult
from runners.contract.series import Series, figures_of, mean_power_w, primary_of

COUNTS = Counts(requests=4, input_tokens=60, output_tokens=40)
SECONDS = 10


def source(name: str = "gpu:A", kind: str = "gpu", **fields: object) -> MeterSource:
    declared = {"name": name, "kind": kind, "method": "nvml" if kind == "gpu" else "rapl", "scope": kind, **fields}
    if kind == "gpu":
        declared.setdefault("uuid", name.removeprefix("gpu:"))
    return MeterSource.model_validate(declared)


def edges(power_w: float = 100.0, count: int = 10 * SECONDS + 1) -> list[CounterEdge]:
    """Updated ten times a second, each moment known exactly."""
    return [CounterEdge(n / 10, n / 10, n * power_w / 10) for n in range(count)]


def powers(power_w: float = 100.0) -> list[PowerReading]:
    return [PowerReading(n / 10, power_w) for n in range(10 * SECONDS + 1)]


def series(*made: Series) -> dict[str, Series]:
    return {one.source.name: one for one in made}


def marks(start_s: float = 1.0, end_s: float = 5.0, **phases: tuple[float, float]) -> list[Mark]:
    window = Mark(phase="window", start_s=start_s, end_s=end_s)
    return [window, *(Mark(phase=phase, start_s=a, end_s=b) for phase, (a, b) in phases.items())]


def window_energy(one: Series) -> tuple[float, str]:
    told = one.energy(1.0, 5.0)
    return told.energy.joules, told.basis


def test_the_counter_tells_before_the_power_does() -> None:
    assert window_energy(Series(source(), edges(100), powers(90))) == (pytest.approx(400), "counter")


@pytest.mark.parametrize(
    ("counted", "fault"),
    [
        ([*edges(count=30), CounterEdge(3, 3, 0.0), *edges(count=101)[31:]], "it was reset"),
        (edges(count=3), "was updated 3 times"),
        ([], "was updated 0 times"),
        (edges(count=40), None),
        (edges()[20:], None),
    ],
)
def test_power_is_integrated_where_the_counter_does_not_tell(counted: list[CounterEdge], fault: str | None) -> None:
    one = Series(source(), counted, powers(90))
    assert window_energy(one) == (pytest.approx(360), "power")
    assert (one.fault is None) == (fault is None)
    assert (fault or "") in (one.fault or "")
    assert one.counter_to_integral(1, 5) is None


def test_without_power_the_counters_fault_is_told() -> None:
    with pytest.raises(EnergyError, match="do not reach around"):
        Series(source(), edges(count=40), []).energy(1, 5)
    with pytest.raises(EnergyError, match="gpu:A: the energy counter was updated 0 times"):
        Series(source(), [], []).energy(1, 5)


def test_a_source_without_a_counter_is_no_fault() -> None:
    one = Series(source(has_counter=False), [], powers(90))
    assert (one.counter, one.fault) == (None, None)
    assert window_energy(one) == (pytest.approx(360), "power")


def test_an_estimate_claims_no_bounds() -> None:
    one = Series(source("machine", "machine", method="estimated"), edges(), [])
    assert one.energy(1.05, 5.05).energy == (pytest.approx(400), None, None)


def test_counter_to_integral() -> None:
    assert Series(source(), edges(100), powers(80)).counter_to_integral(1, 5) == pytest.approx(1.25)
    assert Series(source(), edges(100), []).counter_to_integral(1, 5) is None
    assert Series(source(), edges(100), powers(0)).counter_to_integral(1, 5) is None


def test_a_bare_counter_shows_its_power_by_difference() -> None:
    one = Series(source("cpu:0", "cpu"), edges(30), [])
    assert {round(reading.power_w, 6) for reading in one.power_over_time()} == {30}
    assert figures_of(series(one), marks()).power_max_w == pytest.approx(30)


def test_the_gpus_come_first_then_the_packages_then_the_machine() -> None:
    gpu, cpu, dram, machine = (
        source(),
        source("cpu:0", "cpu"),
        source("dram:0", "dram"),
        source("machine", "machine", method="estimated"),
    )
    assert primary_of([dram, cpu, gpu, machine]) == [gpu]
    assert primary_of([dram, cpu, machine]) == [cpu]
    assert primary_of([dram, machine]) == [machine]
    assert primary_of([dram]) == []


def test_gpus_are_summed_late_and_their_raw_parts_kept() -> None:
    a = Series(source("gpu:A", resolution_j=0.5), edges(100), powers(100))
    b = Series(source("gpu:B", power_limit_w=60), edges(40), powers(50))
    found = figures_of(series(a, b), marks(1.03, 5.03, prefill=(1.03, 2.03), decode=(2.03, 5.03)))
    assert found.energy is not None
    parts = [found.parts[name].window for name in ("gpu:A", "gpu:B")]
    assert all(part is not None for part in parts)
    for field in ("joules", "low", "high"):
        assert getattr(found.energy, field) == pytest.approx(sum(getattr(part.energy, field) for part in parts if part))
    assert (found.energy.joules, found.basis) == (pytest.approx(560), "counter")
    assert (found.prefill_j, found.decode_j) == (pytest.approx(140), pytest.approx(420))
    assert [part.prefill_j for part in found.parts.values()] == [pytest.approx(100), pytest.approx(40)]
    assert (found.power_mean_w, found.power_max_w) == (pytest.approx(140), pytest.approx(150))
    assert found.counter_to_integral == pytest.approx(140 / 150)
    assert found.period_s == pytest.approx(0.1)


def test_one_gpu_that_does_not_tell_leaves_the_sum_unknown_and_the_other_part_known() -> None:
    a, b = Series(source("gpu:A"), edges(100), powers()), Series(source("gpu:B"), [], [])
    found = figures_of(series(a, b), marks(prefill=(1, 2), decode=(2, 5)))
    assert (found.energy, found.basis, found.power_mean_w) == (None, None, None)
    assert (found.prefill_j, found.decode_j, found.counter_to_integral, found.period_s) == (None, None, None, None)
    assert "gpu:B" in (found.fault or "")
    assert found.parts["gpu:A"].window is not None
    assert found.parts["gpu:B"].window is None


def test_one_gpu_whose_counter_does_not_tell_makes_the_sum_one_of_integrated_power() -> None:
    a, b = Series(source("gpu:A"), edges(100), powers(100)), Series(source("gpu:B"), [], powers(40))
    found = figures_of(series(a, b), marks())
    assert found.energy is not None
    assert (found.energy.joules, found.basis) == (pytest.approx(560), "power")
    assert found.counter_to_integral is None


def test_the_slowest_counter_counts() -> None:
    slow = [CounterEdge(n / 2, n / 2, n * 50.0) for n in range(21)]
    found = figures_of(series(Series(source("gpu:A"), edges(), []), Series(source("gpu:B"), slow, [])), marks())
    assert found.period_s == pytest.approx(0.5)


def test_of_integrated_power_the_longest_gap_is_the_period() -> None:
    gapped = [reading for reading in powers() if not 3 < reading.t_s < 3.6]
    found = figures_of(series(Series(source(has_counter=False), [], gapped)), marks())
    assert found.period_s == pytest.approx(0.6)


def test_several_batches_add_up_and_one_unknown_leaves_the_phase_unknown() -> None:
    window = marks()
    both = [*window, *(Mark(phase="prefill", start_s=t, end_s=t + 0.5) for t in (1.0, 3.0))]
    one = Series(source(), edges(100), [])
    assert figures_of(series(one), both).prefill_j == pytest.approx(100)
    beyond = [*both, Mark(phase="prefill", start_s=9.5, end_s=11)]
    assert figures_of(series(one), beyond).prefill_j is None
    assert figures_of(series(one), window).decode_j is None


def test_power_of_several_gpus_is_summed_at_the_same_moment() -> None:
    """They take turns: together never more than 300 W."""
    a = [PowerReading(n / 10, 250.0 if n % 20 < 10 else 50.0) for n in range(101)]
    b = [PowerReading(n / 10, 50.0 if n % 20 < 10 else 250.0) for n in range(101)]
    made = series(Series(source("gpu:A"), edges(), a), Series(source("gpu:B"), edges(), b))
    assert figures_of(made, marks()).power_max_w == pytest.approx(300)


def test_cpu_dram_and_platform_stand_beside_the_gpus() -> None:
    made = series(
        Series(source(), edges(100), powers()),
        Series(source("cpu:0", "cpu"), edges(20), []),
        Series(source("cpu:1", "cpu"), edges(30), []),
        Series(source("dram:0", "dram"), edges(5), []),
    )
    found = figures_of(made, marks())
    assert (found.cpu_j, found.dram_j, found.psys_j) == (pytest.approx(200), pytest.approx(20), None)
    assert found.energy is not None
    assert found.energy.joules == pytest.approx(400)


def test_nothing_that_was_metered_is_said_so() -> None:
    found = figures_of({}, marks())
    assert (found.energy, found.fault, found.period_s, found.power_max_w) == (None, "nothing was metered", None, None)
    assert found.loaded_idle_power_w is None


def test_mean_power_over_a_phase() -> None:
    one = Series(source(), edges(100), powers())
    assert mean_power_w(one, marks(loaded_idle=(0.5, 2.5)), "loaded_idle") == pytest.approx(100)
    assert mean_power_w(one, marks(), "loaded_idle") is None
    assert mean_power_w(one, marks(loaded_idle=(2, 2)), "loaded_idle") is None
    assert mean_power_w(one, marks(loaded_idle=(9, 12)), "loaded_idle") is None


def report(**power_w: float) -> BaselineReport:
    return BaselineReport(
        power_w={f"gpu:{name}": power for name, power in power_w.items()},
        machine="m",
        measured_at=datetime(2026, 1, 2, tzinfo=UTC),
        duration_s=10,
        age_s=0,
    )


GPUS = [Gpu(index=0, uuid="A", name="One"), Gpu(index=1, uuid="B", name="Other")]


def test_the_fields_of_a_result_follow_from_series_marks_counts_and_baseline() -> None:
    made = series(Series(source("gpu:A"), edges(100), powers()), Series(source("gpu:B"), edges(60), powers(60)))
    found = joules_of(
        made, marks(loaded_idle=(0.1, 0.9), prefill=(1, 2), decode=(2, 5)), COUNTS, report(A=30, B=20), GPUS
    )
    assert set(found) <= set(RunResult.model_fields)
    assert found["energy_j"] == pytest.approx(640)
    assert (found["energy_method"], found["energy_scope"], found["energy_basis"]) == ("nvml", "gpu", "counter")
    assert (found["energy_period_s"], found["energy_periods"]) == (pytest.approx(0.1), pytest.approx(40))
    assert (found["baseline_power_w"], found["energy_adjusted_j"]) == (50, pytest.approx(640 - 4 * 50))
    assert found["loaded_idle_power_w"] == pytest.approx(160)
    assert found["energy_per_output_token_j"] == pytest.approx(16)
    assert found["energy_per_total_token_j"] == pytest.approx(6.4)
    assert found["energy_per_request_j"] == pytest.approx(160)
    assert found["tokens_per_j"] == pytest.approx(1 / 16)
    assert (found["energy_prefill_j"], found["energy_decode_j"]) == (pytest.approx(160), pytest.approx(480))
    assert found["cpu_energy_j"] is None
    assert [(gpu.uuid, gpu.name, gpu.energy_j, gpu.baseline_power_w) for gpu in found["gpus"]] == [
        ("A", "One", pytest.approx(400), 30),
        ("B", "Other", pytest.approx(240), 20),
    ]
    assert [gpu.energy_decode_j for gpu in found["gpus"]] == [pytest.approx(300), pytest.approx(180)]


def test_what_is_not_known_is_null_and_never_0() -> None:
    made = series(Series(source("gpu:A"), [], []))
    found = joules_of(made, marks(prefill=(1, 2)), COUNTS, report(A=30), GPUS)
    known = {name: value for name, value in found.items() if value is not None}
    assert set(known) == {"baseline_power_w", "gpus"}
    (gpu,) = found["gpus"]
    assert set(gpu.model_dump(exclude_none=True)) == {"uuid", "name", "baseline_power_w"}
    nothing = joules_of({}, marks(), COUNTS, None, [])
    assert {name for name, value in nothing.items() if value is not None} == {"gpus"}
    assert nothing["gpus"] == []


def test_no_tokens_have_no_energy_each() -> None:
    made = series(Series(source(), edges(100), powers()))
    found = joules_of(made, marks(), Counts(0, 0, 0), None, GPUS)
    assert found["energy_j"] == pytest.approx(400)
    assert found["energy_per_output_token_j"] is found["energy_per_request_j"] is None
    assert (found["baseline_power_w"], found["energy_adjusted_j"]) == (None, None)


@pytest.mark.parametrize(
    ("powers_w", "expected_w"),
    [({"A": 30.0, "B": 20.0}, 50), ({"A": 30.0}, None), ({"A": 0.0, "B": 0.0}, 0), ({}, None)],
)
def test_a_baseline_counts_only_where_each_source_has_one(powers_w: dict[str, float], expected_w: float | None) -> None:
    assert baseline_power_w(report(**powers_w), [source("gpu:A"), source("gpu:B")]) == expected_w
    assert baseline_power_w(None, [source("gpu:A")]) is None
