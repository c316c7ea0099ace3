"""Power curves and their energy, and settings that make sense; the library itself is tried in tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputError, MachineError
from orchestrator.system.simulated_gpu.build import compile_library, environment, simulated_folder
from orchestrator.system.simulated_gpu.curves import BUILT_IN, Curve, Step, inference, parse_curve, square
from orchestrator.system.simulated_gpu.settings import (
    Change,
    Fault,
    Process,
    SimulatedGpu,
    Simulation,
    Throttle,
    render,
    uuid_of,
)
from runners.contract.request import Gpu

SQUARE = Curve((Step(0.5, 600.0), Step(1.5, 80.0)), before_w=50.0)
steps = st.builds(Step, st.floats(1e-3, 10.0), st.floats(0.0, 1000.0))
curves = st.builds(Curve, st.lists(steps, min_size=1, max_size=6).map(tuple), st.floats(0.0, 1000.0))
moments = st.floats(-100.0, 1e6)


@pytest.mark.parametrize(
    ("start_s", "end_s", "energy_j"),
    [
        (0.0, 0.5, 300.0),
        (0.25, 0.75, 150.0 + 20.0),
        (0.0, 2.0, 420.0),
        (1.0, 1001.0, 500 * 420.0),
        (-2.0, 0.0, 100.0),
        (-1.0, 0.5, 350.0),
        (3.0, 1.0, -420.0),
        (1e6, 1e6 + 0.5, 300.0),
    ],
)
def test_the_energy_of_a_square_wave(start_s: float, end_s: float, energy_j: float) -> None:
    assert SQUARE.energy_j(start_s, end_s) == pytest.approx(energy_j, rel=1e-12)
    assert SQUARE.energy_j(start_s + 77.0, end_s + 77.0, origin_s=77.0) == pytest.approx(energy_j, rel=1e-9)


@given(curves, moments, moments, moments)
def test_energy_adds_up_and_stays_between_lowest_and_highest_power(curve: Curve, a: float, b: float, c: float) -> None:
    start_s, middle_s, end_s = sorted((a, b, c))
    whole_j = curve.energy_j(start_s, end_s)
    slack_j = 1e-9 * curve.highest_w * (abs(start_s) + abs(end_s) + 1)
    assert curve.energy_j(start_s, middle_s) + curve.energy_j(middle_s, end_s) == pytest.approx(whole_j, abs=slack_j)
    assert curve.lowest_w * (end_s - start_s) - slack_j <= whole_j <= curve.highest_w * (end_s - start_s) + slack_j


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_curves_stay_below_the_limit_of_a_gpu(name: str) -> None:
    gpu = SimulatedGpu(curve=BUILT_IN[name]())
    assert 0 < gpu.curve.lowest_w < gpu.curve.highest_w <= gpu.power_limit_w


def test_inference_is_the_same_each_time_and_has_gaps() -> None:
    assert inference() == inference()
    assert inference(seed=2) != inference()
    powers = [step.power_w for step in inference(requests=3).steps]
    assert sum(power > 500 for power in powers) == sum(power < 100 for power in powers) == 3


def test_a_curve_from_a_file() -> None:
    text = ["# a square", "0.5:600  # high", "", "1.5:80 1:0"]
    assert parse_curve(text) == Curve((Step(0.5, 600.0), Step(1.5, 80.0), Step(1.0, 0.0)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "without steps"),
        ("1:5\n2", "line 2: '2' is not a step"),
        ("x:1", "line 1: 'x:1' is not a step"),
        ("0:100", "a step of 0 s"),
        ("inf:100", "a step of inf s"),
        ("nan:100", "a step of nan s"),
        ("1:-5", "a power of -5 W"),
        ("1:nan", "a power of nan W"),
    ],
)
def test_no_curve(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_curve(text.splitlines())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: square(low_w=600, high_w=80), "low power is above"),
        (lambda: square(period_s=0), "a step of 0 s"),
        (lambda: SimulatedGpu(counter_period_s=0), "counter_period_s 0 is not from"),
        (lambda: SimulatedGpu(power_window_s=-1), "power_window_s -1 is not from"),
        (lambda: SimulatedGpu(counter_period_s=0.02, counter_jitter_s=0.01), "less than half"),
        (lambda: SimulatedGpu(power_limit_w=300), "draws up to 600 W, above the limit of 300 W"),
        (lambda: SimulatedGpu(utilisation=101), "utilisation 101 is not from 0 to 100"),
        (lambda: SimulatedGpu(memory_total_bytes=1), "more than memory_total_bytes"),
        (lambda: SimulatedGpu(name="NVIDIA H100"), 'begins with "Simulated "'),
        (lambda: SimulatedGpu(uuid="MIG-1"), "begins with GPU-"),
        (lambda: SimulatedGpu(faults=(Fault("stuck", 2, 1),)), "ends before it begins"),
        (lambda: SimulatedGpu(faults=(Fault("stuck", -1e10),)), "at most 1e"),
        (lambda: SimulatedGpu(faults=(Fault("reset"),)), "happens at a moment"),
        (lambda: SimulatedGpu(changes=(Change("temperature_c", 999, 0),)), "a change of temperature_c 999"),
        (lambda: Simulation(()), "without GPUs"),
        (lambda: Simulation((SimulatedGpu(), SimulatedGpu())), "the same uuid"),
        (lambda: Simulation(call_s=-1), "call_s -1"),
    ],
)
def test_settings_that_make_no_sense(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make()


def test_what_is_written_for_the_library() -> None:
    gpu = SimulatedGpu(
        curve=Curve((Step(0.5, 600.0), Step(1.5, 80.0)), before_w=50.0),
        mig=True,
        throttles=(Throttle(64, 1.0, 2.0),),
        processes=(Process(42, 1024),),
        changes=(Change("temperature_c", 90.0, 3.0),),
        faults=(Fault("lost", 5.0),),
    )
    text = render(Simulation((gpu, replace(gpu, uuid=uuid_of(1))), call_s=5e-05), origin_s=12.25)
    lines = text.splitlines()
    assert lines[:3] == ["origin_s 12.25", "call_s 5e-05", "[gpu]"]
    assert lines.count("[gpu]") == 2
    one = text.split("[gpu]\n")[1].splitlines()
    assert {
        f"uuid {uuid_of(0)}",
        "name Simulated H100",
        "curve 0.5:600.0 1.5:80.0",
        "before 50.0",
        "counter_period_s 0.1",
        "mig 1",
        "throttle 64 1.0 2.0",
        "process 42 1024 -inf inf",
        "temperature_c 45.0",
        "temperature_c 90.0 3.0 inf",
        "fault lost 5.0 inf",
    } <= set(one)
    assert one.index("temperature_c 45.0") < one.index("temperature_c 90.0 3.0 inf"), "the last that holds wins"


def test_its_folder_comes_first_and_once() -> None:
    folder = Path("/simulated")
    added = environment(folder, {"LD_LIBRARY_PATH": "/lib1::/simulated:/lib2"})
    assert added == {"LD_LIBRARY_PATH": "/simulated:/lib1:/lib2", "ORCHESTRATE_SIMULATED_GPU": "/simulated"}
    assert environment(folder, {})["LD_LIBRARY_PATH"] == "/simulated"


def test_no_compiler_is_said_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(MachineError, match="needs a C compiler") as caught:
        compile_library(tmp_path / "folder")
    assert caught.value.hint is not None
    assert "apt-get install gcc libc6-dev" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'math.h: No such file' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(MachineError, match=r"math\.h: No such file"):
        compile_library(tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_folder_that_is_not_whole_is_not_given_to_a_container(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"there is no libnvidia-ml\.so\.1 in it"):
        simulated_folder({"ORCHESTRATE_SIMULATED_GPU": str(tmp_path)})


@pytest.mark.parametrize(("name", "simulated"), [("Simulated H100", True), ("NVIDIA H100", False)])
def test_a_gpu_is_known_by_its_name(name: str, simulated: bool) -> None:
    assert Gpu(index=0, uuid="GPU-1", name=name).simulated is simulated
