"""Every named check: a run that passes it, one that fails it and says why, and what that makes of the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pynvml
import pytest

from runners.contract.request import RunRequest
from runners.contract.result import BaselineReport, Check, Mark, MeterSource, WarmupReport
from runners.contract.series import figures_of
from runners.harness.checks import ClocksEventReason, Evidence, checks_of, throttle_of, verdict_of
from runners.harness.recording import Recording, Tick
from runners.harness.requests import RequestRecord
from runners.meters.reading import Edge, Power, ReadError, Reading

GPU = "gpu:GPU-51000000-0000"
WINDOW = (2.0, 6.0)
POWER_W = 100.0
EVERY_CHECK = {
    *("energy_measured", "energy_counter", "energy_known", "window_long_enough"),
    *("counter_monotonic", "counter_moved", "no_edge_missed", "counter_agrees", "counter_timely"),
    *("power_within_limits", "no_read_errors", "samples_complete"),
    *("gpu_unchanged", "no_thermal_throttling", "no_power_capping", "clocks_steady", "temperature_steady"),
    *("phases_resolved", "warmup_converged", "baseline_fresh", "output_length"),
}

MakeRequest = Callable[..., RunRequest]


def gpu(**fields: Any) -> MeterSource:
    declared = {"name": GPU, "kind": "gpu", "method": "nvml", "scope": "gpu", "uuid": "GPU-1"}
    return MeterSource.model_validate({**declared, "resolution_j": 0.001, "power_limit_w": 800.0, **fields})


def recorded(
    source: MeterSource | None = None,
    edges: Sequence[tuple[float, float, float]] | None = None,
    power_w: Callable[[float], float] | None = lambda t_s: POWER_W,
    skip: Callable[[float], bool] = lambda t_s: False,
    errors: Sequence[ReadError] = (),
    notes: tuple[str, ...] = (),
    **state: Callable[[float], float],
) -> Recording:
    """Ten ticks a second for 9 s, and a counter that is updated as often, its moments known to a millisecond.

    Args:
        source: what is metered; None: a GPU.
        edges: updates in place of those of a steady 100 W: earliest, latest, joules.
        power_w: its power over time; None: it tells none.
        skip: ticks that are missing.
        errors: reads that were not answered.
        notes: why no better meter was used.
        state: what else a reading says over time.
    """
    one = source or gpu()
    counted = updates() if edges is None else edges
    ticks = []
    for number in range(91):
        t_s = number / 10
        if skip(t_s):
            continue
        readings = (Reading(t_s, one.name, **{name: value(t_s) for name, value in state.items()}),)
        powers = tuple(Power(one.name, at_s, power_w(at_s)) for at_s in (t_s, t_s + 0.05)) if power_w else ()
        before_s = ticks[-1].t_s if ticks else -1.0
        seen = tuple(Edge(one.name, *edge) for edge in counted if before_s < edge[1] <= t_s)
        ticks.append(Tick(t_s, number / 1000, 1000, readings, seen, powers, tuple(errors) if number == 30 else ()))
    return Recording((one,), notes, ticks)


def updates(
    joules_at: Callable[[float], float] = lambda t_s: POWER_W * t_s, period_s: float = 0.1, width_s: float = 0.001
) -> list[tuple[float, float, float]]:
    moments = [0.05 + n * period_s for n in range(int(8.9 / period_s))]
    return [(t_s - width_s / 2, t_s + width_s / 2, joules_at(t_s)) for t_s in moments]


def evidence(
    request: RunRequest,
    recording: Recording,
    window: tuple[float, float] = WINDOW,
    prefill_s: float | None = 0.5,
    lengths: tuple[int, ...] = (4, 4),
    warmup: WarmupReport | None = None,
    baseline: BaselineReport | None = None,
    gpu_changes: Sequence[str] = (),
) -> Evidence:
    marks = [
        Mark(phase="window", start_s=window[0], end_s=window[1]),
        Mark(phase="loaded_idle", start_s=0.5, end_s=1.5),
    ]
    if prefill_s:
        marks.append(Mark(phase="prefill", start_s=window[0], end_s=window[0] + prefill_s))
    series = recording.series()
    records = [
        RequestRecord(n, 0, *window[:1], None, window[1], 5, length, "", None, None) for n, length in enumerate(lengths)
    ]
    return Evidence(
        request=request,
        recording=recording,
        series=series,
        window=marks[0],
        figures=figures_of(series, marks),
        throttle=throttle_of(recording, marks[0]),
        records=records,
        warmup=warmup or WarmupReport(iterations=4, durations_s=[1.0] * 4, cv=0.0, converged=True),
        baseline=baseline or report(),
        marks=marks,
        gpu_changes=gpu_changes,
    )


def report(power_w: float = 80.0, age_s: float = 0.0, source: str = GPU) -> BaselineReport:
    return BaselineReport(
        power_w={source: power_w}, machine="m", measured_at=datetime(2026, 1, 2, tzinfo=UTC), duration_s=10, age_s=age_s
    )


STATE: dict[str, Callable[[float], float]] = {
    "throttle_reasons": lambda t_s: 0,
    "sm_clock_mhz": lambda t_s: 1755.0,
    "temperature_c": lambda t_s: 50.0,
}


def judged(make_request: MakeRequest, changes: dict[str, Any], fields: dict[str, Any]) -> list[Check]:
    return checks_of(evidence(make_request(), recorded(**{**STATE, **changes}), **fields))


def test_a_good_run_passes_every_check_and_says_what_was_seen(make_request: MakeRequest) -> None:
    checks = judged(make_request, {}, {})
    assert {check.name for check in checks} == EVERY_CHECK
    assert len(checks) == len(EVERY_CHECK)
    assert [check.name for check in checks if not check.passed] == []
    assert all(check.observed and check.hint is None for check in checks)
    assert verdict_of(checks) == "good"


def square_j(t_s: float, delay_s: float = 0.0) -> float:
    """80 and 480 W in turns of 0.37 s."""
    t_s -= delay_s
    turns, rest_s = divmod(t_s, 0.74)
    return turns * 0.37 * 560 + 480 * min(rest_s, 0.37) + 80 * max(rest_s - 0.37, 0)


def square_w(t_s: float) -> float:
    return 480.0 if t_s % 0.74 < 0.37 else 80.0


RESET = [*updates()[:40], *((a, b, e - 400) for a, b, e in updates()[40:])]
STUCK = [edge for edge in updates() if not 3 < edge[0] < 3.5]
MISSED = [(a - 0.2 if n == 30 else a, b, e) for n, (a, b, e) in enumerate(updates()) if n not in (28, 29)]

FAILING: dict[str, tuple[set[str], dict[str, Any], dict[str, Any], str, str]] = {
    "estimated": (
        {"energy_measured"},
        {"source": gpu(assumption="a guess", method="estimated")},
        {},
        "energy_measured",
        "estimated: a guess",
    ),
    "no counter": (
        {"energy_counter"},
        {"source": gpu(has_counter=False), "edges": []},
        {},
        "energy_counter",
        "has none: its power was integrated",
    ),
    "neither counter nor power": (
        {"energy_counter", "energy_known", "window_long_enough"},
        {"source": gpu(has_counter=False), "edges": [], "power_w": None},
        {},
        "energy_known",
        "no energy: gpu:GPU-51000000-0000 has no energy counter",
    ),
    "a short window": (
        {"window_long_enough"},
        {},
        {"window": (2.0, 2.95)},
        "window_long_enough",
        "0.95 s, 9.5 update periods of 0.1 s (at least 10)",
    ),
    "a slow counter": (
        {"window_long_enough"},
        {"edges": updates(period_s=0.5)},
        {},
        "window_long_enough",
        "4 s, 8.0 update periods of 0.5 s",
    ),
    "a reset": (
        {"counter_monotonic", "counter_moved"},
        {"edges": RESET},
        {},
        "counter_monotonic",
        "fell from 395 J to 5 J: it was reset",
    ),
    "a counter that never moved": (
        {"counter_moved"},
        {"edges": []},
        {},
        "counter_moved",
        "was updated 0 times",
    ),
    "a counter that stopped": (
        {"counter_moved"},
        {"edges": updates()[:50]},
        {},
        "counter_moved",
        "was not updated around the whole window",
    ),
    "a counter that began late": (
        {"counter_moved"},
        {"edges": updates()[25:]},
        {},
        "counter_moved",
        "was not updated around the whole window",
    ),
    "a counter that stood still": ({"counter_moved"}, {"edges": STUCK}, {}, "counter_moved", "stood still for 0.599 s"),
    "updates that were missed": (
        {"no_edge_missed"},
        {"edges": MISSED},
        {},
        "no_edge_missed",
        "1 of 38 updates came after one that was not seen",
    ),
    "power that disagrees": (
        {"counter_agrees"},
        {"power_w": lambda t_s: 93.0},
        {},
        "counter_agrees",
        "counter ÷ integral = 1.075 (1 ± 0.05)",
    ),
    "a counter that is late": (
        {"counter_timely"},
        {"edges": updates(lambda t_s: square_j(t_s, 0.3)), "power_w": square_w},
        {"baseline": report(70)},
        "counter_timely",
        "behind the power",
    ),
    "power beyond the limit, as it says itself": (
        {"power_within_limits"},
        {"power_w": lambda t_s: 801.0 if 3 <= t_s < 3.04 else POWER_W},
        {},
        "power_within_limits",
        "drew 801 W, and the bounds allow for 800 W",
    ),
    "power beyond the limit, as the counter says": (
        {"power_within_limits"},
        {"source": gpu(power_limit_w=90.0), "power_w": None},
        {},
        "power_within_limits",
        "and the bounds allow for 90 W",
    ),
    "a read that failed": (
        {"no_read_errors"},
        {"errors": [ReadError(GPU, 3.0, "Unknown Error"), ReadError(GPU, 3.1, "Timeout")]},
        {},
        "no_read_errors",
        "2 reads failed, the first: gpu:GPU-51000000-0000: Unknown Error",
    ),
    "samples that are missing": (
        {"samples_complete"},
        {"skip": lambda t_s: 3 < t_s < 3.6},
        {},
        "samples_complete",
        "36 samples in the window, 40 expected; the longest gap is 0.6 s",
    ),
    "settings that changed": (
        {"gpu_unchanged"},
        {},
        {"gpu_changes": ["power limit 700 W, before 600 W"]},
        "gpu_unchanged",
        "power limit 700 W, before 600 W",
    ),
    "heat": (
        {"no_thermal_throttling"},
        {"throttle_reasons": lambda t_s: 0x40 if 3 <= t_s < 4 else 0},
        {},
        "no_thermal_throttling",
        "held back by heat in 24% of the samples",
    ),
    "a power cap": (
        {"no_power_capping"},
        {"throttle_reasons": lambda t_s: 0x04},
        {},
        "no_power_capping",
        "held back by its power cap in 100% of the samples",
    ),
    "clocks that vary": (
        {"clocks_steady"},
        {"sm_clock_mhz": lambda t_s: 1755.0 if t_s < 4 else 1200.0},
        {},
        "clocks_steady",
        "span 46% of it",
    ),
    "a GPU that warms up": (
        {"temperature_steady"},
        {"temperature_c": lambda t_s: 40 + 5 * t_s},
        {},
        "temperature_steady",
        "is +15.5 °C against the first",
    ),
    "prefills that are too short": (
        {"phases_resolved"},
        {},
        {"prefill_s": 0.04},
        "phases_resolved",
        "a prefill takes 0.04 s on average, with an update period of 0.1 s",
    ),
    "a warm-up that gave up": (
        {"warmup_converged"},
        {},
        {"warmup": WarmupReport(iterations=10, durations_s=[1.0] * 10, cv=0.2, converged=False)},
        "warmup_converged",
        "10 batches; coefficient of variation of the last three 0.200",
    ),
    "an old baseline": (
        {"baseline_fresh"},
        {},
        {"baseline": report(age_s=4000)},
        "baseline_fresh",
        "80 W, 4000 s old",
    ),
    "a baseline above what was drawn later": (
        {"baseline_fresh"},
        {},
        {"baseline": report(120)},
        "baseline_fresh",
        "120 W, measured in this run; 100 W idle with the model loaded",
    ),
    "a baseline of something else": (
        {"baseline_fresh"},
        {},
        {"baseline": report(source="gpu:other")},
        "baseline_fresh",
        "unknown",
    ),
    "answers that are too short": (
        {"output_length"},
        {},
        {"lengths": (4, 3, 2)},
        "output_length",
        "2 of 3 answers have not 4 tokens but 2 to 4",
    ),
}
SUSPECT = {
    *("energy_known", "window_long_enough", "counter_monotonic", "counter_moved", "counter_agrees"),
    *("counter_timely", "power_within_limits", "gpu_unchanged", "no_thermal_throttling", "output_length"),
    "no_read_errors",
}


@pytest.mark.parametrize("case", FAILING)
def test_each_check_fails_on_its_own_and_says_why(make_request: MakeRequest, case: str) -> None:
    failing, changes, fields, name, observed = FAILING[case]
    checks = judged(make_request, changes, fields)
    failed = {check.name: check for check in checks if not check.passed}
    assert set(failed) == failing
    assert observed in failed[name].observed
    assert all(check.hint for check in failed.values())
    assert all(check.hint is None for check in checks if check.passed)
    assert {check.name for check in failed.values() if check.severity == "critical"} == failing & SUSPECT
    assert verdict_of(checks) == ("suspect" if failing & SUSPECT else "good")


def test_each_check_has_a_case_in_which_it_fails() -> None:
    assert set().union(*(failing for failing, *_ in FAILING.values())) == EVERY_CHECK


def test_a_late_counter_shows_only_where_power_varies(make_request: MakeRequest) -> None:
    prompt = judged(make_request, {"edges": updates(square_j), "power_w": square_w}, {"baseline": report(70)})
    assert [check.name for check in prompt if not check.passed] == []
    (timely,) = (check for check in prompt if check.name == "counter_timely")
    assert "the counter follows power within" in timely.observed
    steady = judged(make_request, {"edges": updates(lambda t_s: POWER_W * (t_s - 0.3))}, {})
    (untold,) = (check for check in steady if check.name == "counter_timely")
    assert untold.observed == "power varied too little, or too fast, to tell"


def test_few_power_readings_are_not_held_against_the_counter_as_strictly(make_request: MakeRequest) -> None:
    """A wave that the readings cannot resolve: off by 8 %, with a spread that says as much."""
    noisy = judged(make_request, {"power_w": lambda t_s: 40.0 if int(t_s * 20) % 3 else 157.0}, {})
    (agrees,) = (check for check in noisy if check.name == "counter_agrees")
    assert agrees.passed
    assert "(1 ± 0." in agrees.observed


def test_without_marks_of_prefill_or_a_baseline_their_checks_are_left_out(make_request: MakeRequest) -> None:
    seen = evidence(make_request(), recorded(**STATE), prefill_s=None)._replace(baseline=None)
    assert EVERY_CHECK - {check.name for check in checks_of(seen)} == {"phases_resolved", "baseline_fresh"}


def test_a_gpu_that_does_not_tell_its_state_is_not_judged_by_it(make_request: MakeRequest) -> None:
    checks = checks_of(evidence(make_request(), recorded()))
    assert EVERY_CHECK - {check.name for check in checks} == {
        *("no_thermal_throttling", "no_power_capping", "clocks_steady", "temperature_steady")
    }


def test_an_estimate_is_judged_as_such_and_stands_still_where_the_machine_idles(make_request: MakeRequest) -> None:
    source = MeterSource(name="machine", kind="machine", method="estimated", scope="machine", assumption="10 W a core")
    idle = [(a, b, min(e, 300.0)) for a, b, e in updates()]
    seen = recorded(source, idle, None, notes=("rapl not used: there is none",))
    checks = checks_of(evidence(make_request(), seen, baseline=report(source="machine")))
    by_name = {check.name: check for check in checks}
    assert set(by_name) == {
        *("energy_measured", "energy_known", "window_long_enough", "counter_monotonic", "counter_moved"),
        *("no_read_errors", "samples_complete", "phases_resolved", "warmup_converged", "baseline_fresh"),
        "output_length",
    }
    assert by_name["energy_measured"].observed == "estimated: 10 W a core; rapl not used: there is none"
    assert by_name["counter_moved"].passed
    assert by_name["window_long_enough"].severity == "warning"
    assert verdict_of(checks) == "good"


def test_rapl_is_held_to_the_checks_of_a_counter(make_request: MakeRequest) -> None:
    source = MeterSource(name="cpu:0", kind="cpu", method="rapl", scope="package", resolution_j=61e-6)
    checks = checks_of(evidence(make_request(), recorded(source, updates(), None), baseline=report(source="cpu:0")))
    assert {check.name for check in checks if not check.passed} == set()
    assert {check.name for check in checks if check.severity == "critical"} >= {"window_long_enough", "counter_moved"}
    short = checks_of(evidence(make_request(), recorded(source, updates(), None), window=(2, 2.5)))
    assert verdict_of(short) == "suspect"


def test_nothing_metered_is_suspect(make_request: MakeRequest) -> None:
    empty = Recording((), ("nvml not used",), recorded().ticks)
    checks = checks_of(evidence(make_request(), empty))
    failed = {check.name: check.observed for check in checks if not check.passed}
    assert failed["energy_known"] == "no energy: nothing was metered"
    assert verdict_of(checks) == "suspect"


@pytest.mark.parametrize(
    ("failed", "severity", "verdict"),
    [(False, "critical", "good"), (True, "warning", "good"), (True, "critical", "suspect")],
)
def test_the_verdict(failed: bool, severity: str, verdict: str) -> None:
    check = Check.model_validate({"name": "x", "passed": not failed, "severity": severity, "observed": ""})
    fine = Check(name="y", passed=True, severity="critical", observed="")
    assert verdict_of([fine, check]) == verdict


@pytest.mark.parametrize(
    ("mask", "thermal", "power"),
    [
        (0x1 | 0x2, 0, 0),
        (0x04, 0, 1),
        (0x08, 0, 0),
        (0x20, 1, 0),
        (0x40, 1, 0),
        (0x80, 0, 1),
        (0x08 | 0x40, 1, 0),
        (0x08 | 0x80, 0, 1),
        (0x04 | 0x20, 1, 1),
    ],
)
def test_what_holds_the_clocks_back_is_heat_or_power_as_nvml_says(mask: int, thermal: float, power: float) -> None:
    window = Mark(phase="window", start_s=1, end_s=4)
    throttle = throttle_of(recorded(throttle_reasons=lambda t_s: mask), window)
    assert throttle is not None
    assert (throttle.thermal, throttle.power) == (thermal, power)
    assert throttle_of(recorded(), window) is None


def test_the_reasons_are_called_and_numbered_as_in_pynvml() -> None:
    assert {reason.name: reason.value for reason in ClocksEventReason} == {
        reason.name: getattr(pynvml, f"nvmlClocksEventReason{reason.name}") for reason in ClocksEventReason
    }
