"""The library in NVML's place, asked by the real pynvml in processes of their own, held against the exact energies.

No test waits for a moment: each reading lies between two looks at the clock, and must be one that fits there.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.system.simulated_gpu.curves import Curve, Step, inference, square
from orchestrator.system.simulated_gpu.settings import (
    Change,
    Fault,
    FaultKind,
    Process,
    SimulatedGpu,
    Simulation,
    Throttle,
    uuid_of,
)

Simulate = Callable[[Simulation, float], dict[str, str]]

STEADY = Curve((Step(1.0, 100.0),))

PRELUDE = """
import json, sys, time
import pynvml as n

def code_of(function, *arguments):
    try:
        function(*arguments)
    except n.NVMLError as error:
        return error.value
    return 0

n.nvmlInit()
gpus = [n.nvmlDeviceGetHandleByIndex(index) for index in range(n.nvmlDeviceGetCount())]
gpu = gpus[0] if gpus else None
"""
POLL = """
readings = []
changes = int(sys.argv[1])
while changes >= 0:
    before = time.monotonic()
    value = n.nvmlDeviceGetTotalEnergyConsumption(gpu)
    after = time.monotonic()
    changes -= not readings or value != readings[-1][2]
    readings.append((before, after, value))
answer = readings
"""


class Reading(NamedTuple):
    """A value of the counter, and the looks at the clock before and after it."""

    before_s: float
    after_s: float
    energy_mj: int


def start(environment: dict[str, str], code: str, *arguments: str) -> subprocess.Popen[str]:
    text = f"{PRELUDE}\n{code}\nprint(json.dumps(answer))"
    argv = [sys.executable, "-c", text, *arguments]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer_of(process: subprocess.Popen[str]) -> Any:
    said, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return json.loads(said)


def ask(environment: dict[str, str], expression: str) -> Any:
    return answer_of(start(environment, f"answer = {expression}"))


def readings_of(process: subprocess.Popen[str]) -> list[Reading]:
    return [Reading(*reading) for reading in answer_of(process)]


def last_update_s(gpu: SimulatedGpu, t_s: float) -> float:
    """By the format: updates come at phase + k × period, in seconds since the origin."""
    number = math.floor((t_s - gpu.counter_phase_s) / gpu.counter_period_s)
    return gpu.counter_phase_s + number * gpu.counter_period_s


def shown_j(gpu: SimulatedGpu, t_s: float) -> float:
    """What a counter without faults shows, but for its offset."""
    return gpu.curve.energy_j(0.0, last_update_s(gpu, t_s) - gpu.counter_delay_s)


def assert_plays(gpu: SimulatedGpu, origin_s: float, readings: list[Reading]) -> None:
    """Each reading is what the counter shows at some moment of the call; the offset is the same for all."""
    slack_s = 1e-6  # of the clock's doubles, at an edge
    offsets = [
        (
            reading.energy_mj / 1000 - shown_j(gpu, reading.after_s - origin_s + slack_s),
            reading.energy_mj / 1000 - shown_j(gpu, reading.before_s - origin_s - slack_s),
        )
        for reading in readings
    ]
    assert max(low for low, _ in offsets) <= min(high for _, high in offsets) + 0.0011, "one offset fits all readings"


@pytest.mark.parametrize(
    "gpu",
    [
        SimulatedGpu(counter_period_s=0.02),
        SimulatedGpu(counter_period_s=0.1, counter_phase_s=0.077),
        SimulatedGpu(counter_period_s=0.02, counter_delay_s=0.035),
        SimulatedGpu(counter_period_s=0.02, curve=inference()),
        SimulatedGpu(counter_period_s=0.05, curve=square(0, 700, 0.013)),
    ],
    ids=["20 ms", "phase", "delay", "inference", "fast wave"],
)
@pytest.mark.parametrize("age_s", [0.5, 3e6], ids=["young", "of a month"])
def test_the_counter_moves_at_its_updates_and_holds_the_exact_energy(
    gpu: SimulatedGpu, age_s: float, simulate: Simulate
) -> None:
    origin_s = time.monotonic() - age_s
    readings = readings_of(start(simulate(Simulation((gpu,)), origin_s), POLL, "6"))
    assert len({reading.energy_mj for reading in readings}) >= 6
    assert_plays(gpu, origin_s, readings)


def test_the_model_that_readings_are_held_against_is_not_met_by_any_reading(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.02)
    origin_s = time.monotonic()
    readings = readings_of(start(simulate(Simulation((gpu,)), origin_s), POLL, "6"))
    for wrong in (
        replace(gpu, counter_phase_s=0.003),
        replace(gpu, counter_period_s=0.021),
        replace(gpu, curve=square(81.0, 600.0)),
    ):
        with pytest.raises(AssertionError, match="one offset"):
            assert_plays(wrong, origin_s, readings)


def test_before_the_origin_the_power_is_steady(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.02, curve=replace(square(), before_w=50.0))
    origin_s = time.monotonic() + 1000
    readings = readings_of(start(simulate(Simulation((gpu,)), origin_s), POLL, "4"))
    assert_plays(gpu, origin_s, readings)
    values = sorted({reading.energy_mj for reading in readings})
    assert all(abs((b - a) % 1000) <= 1 or (b - a) % 1000 == 999 for a, b in pairwise(values)), "whole updates of 1 J"


def test_jitter_displaces_each_update_by_up_to_its_bound(simulate: Simulate) -> None:
    curve = Curve((Step(1.0, 50.0),))
    gpu = SimulatedGpu(counter_period_s=0.02, counter_jitter_s=0.008, counter_phase_s=0.0, curve=curve)
    origin_s = time.monotonic() - 10
    environment = simulate(Simulation((gpu,)), origin_s)
    first, second = (readings_of(start(environment, POLL, "12")) for _ in range(2))
    # At 50 W a period takes 1 J, and the offset is whole: so the value tells by how much its update was displaced.
    values = {reading.energy_mj / 1000 for reading in first + second}
    displaced = [math.remainder(value / 50.0, gpu.counter_period_s) for value in values]
    assert max(map(abs, displaced)) <= 0.008 + 1e-5
    assert max(displaced) - min(displaced) > 0.001
    for one, next_one in pairwise(first + second):
        assert next_one.energy_mj >= one.energy_mj


def test_two_processes_see_one_counter(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.01, counter_jitter_s=0.004)
    environment = simulate(Simulation((gpu,)), time.monotonic() - 3)
    both = [start(environment, POLL, "60") for _ in range(2)]
    readings = sorted(reading for process in both for reading in readings_of(process))
    latest_ended = readings[0]
    for reading in readings:
        if latest_ended.after_s < reading.before_s:
            assert latest_ended.energy_mj <= reading.energy_mj
        latest_ended = max(latest_ended, reading, key=lambda each: each.after_s)


def test_several_threads_of_a_process_are_answered_right(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.01)
    origin_s = time.monotonic() - 3
    code = """
from concurrent.futures import ThreadPoolExecutor

def poll(_):
    found = []
    for _ in range(300):
        n.nvmlInit()
        before = time.monotonic()
        value = n.nvmlDeviceGetTotalEnergyConsumption(gpu)
        found.append((before, time.monotonic(), value))
        n.nvmlShutdown()
    return found

with ThreadPoolExecutor(4) as pool:
    answer = sum(pool.map(poll, range(4)), [])
"""
    readings = readings_of(start(simulate(Simulation((gpu,)), origin_s), code))
    assert len(readings) == 1200
    assert_plays(gpu, origin_s, readings)


def test_a_call_takes_its_time_and_tells_of_its_middle(simulate: Simulate) -> None:
    call_s = 0.01
    gpu = SimulatedGpu(counter_period_s=0.0001, counter_phase_s=0.0, curve=STEADY)
    origin_s = time.monotonic()
    readings = readings_of(start(simulate(Simulation((gpu,), call_s=call_s), origin_s), POLL, "20"))
    anchor_j = min(reading.energy_mj / 1000 - 100.0 * (reading.after_s - origin_s) for reading in readings)
    offset_j = round(anchor_j + 100.0 * call_s / 2)  # the offset is whole
    for reading in readings:
        assert reading.after_s - reading.before_s >= call_s
        told_s = (reading.energy_mj / 1000 - offset_j) / 100.0 + origin_s
        assert reading.before_s + call_s / 2 - 0.0002 <= told_s <= reading.after_s


def test_power_is_the_mean_over_the_window_before_its_refresh(simulate: Simulate) -> None:
    gpu = SimulatedGpu(curve=square(period_s=0.6), power_period_s=0.1, power_window_s=0.04)
    origin_s = time.monotonic() - 5
    code = """
answer = []
for _ in range(300):
    before = time.monotonic()
    usage = n.nvmlDeviceGetPowerUsage(gpu)
    fields = n.nvmlDeviceGetFieldValues(gpu, [185, 186, 83])
    after = time.monotonic()
    answer.append((before, after, usage, *(field.value.uiVal for field in fields[:2]), fields[2].value.ullVal))
    time.sleep(0.004)
"""
    answered = answer_of(start(simulate(Simulation((gpu,)), origin_s), code))

    def mean_mw(t_s: float, period_s: float, window_s: float) -> int:
        end_s = math.floor((t_s - origin_s) / period_s) * period_s
        return round(gpu.curve.energy_j(end_s - window_s, end_s) / window_s * 1000)

    told_apart = 0
    for before_s, after_s, usage, average, instant, _ in answered:
        refreshed = {mean_mw(t_s, 0.1, 0.04) for t_s in (before_s - 1e-6, after_s + 1e-6)}
        if len(refreshed) == 1:
            assert {usage, average} <= {value + slack for value in refreshed for slack in (-1, 0, 1)}
        if after_s - before_s < 0.001:
            around = [mean_mw(before_s + step * 0.0005, 0.001, 0.001) for step in range(-3, 5)]
            assert min(around) - 1 <= instant <= max(around) + 1
            told_apart += instant != usage
    assert told_apart, "instant and average power are not the same thing"
    energies = [energy for *_, energy in answered]
    assert energies == sorted(energies)
    assert energies[0] < energies[-1]


def test_fields_of_other_scopes_and_unknown_ones_are_not_supported(simulate: Simulate) -> None:
    environment = simulate(Simulation(), time.monotonic())
    asked = "[83, (186, 0), (186, 1), (186, 2), (185, 2), 82]"
    codes = ask(environment, f"[value.nvmlReturn for value in n.nvmlDeviceGetFieldValues(gpu, {asked})]")
    assert codes == [0, 0, 3, 3, 3, 3]


READ_ENERGY = "code_of(n.nvmlDeviceGetTotalEnergyConsumption, gpu)"
READ_POWER = "code_of(n.nvmlDeviceGetPowerUsage, gpu)"
READ_FIELDS = "[value.nvmlReturn for value in n.nvmlDeviceGetFieldValues(gpu, [83, 185, 186])]"
READ_NAME = "code_of(n.nvmlDeviceGetName, gpu)"


@pytest.mark.parametrize(
    ("kind", "energy", "power"), [("error", 999, 999), ("permission", 4, 4), ("missing", 3, 0), ("power_missing", 0, 3)]
)
def test_faults_of_reading(kind: FaultKind, energy: int, power: int, simulate: Simulate) -> None:
    gpu = SimulatedGpu(faults=(Fault(kind, -5.0, math.inf),))
    code = f"[{READ_ENERGY}, {READ_POWER}, {READ_FIELDS}, {READ_NAME}]"
    during = ask(simulate(Simulation((gpu,)), time.monotonic()), code)
    assert during == [energy, power, [energy, power, power], 0]
    before = ask(simulate(Simulation((gpu,)), time.monotonic() + 1000), code)
    assert before == [0, 0, [0, 0, 0], 0]
    over = replace(gpu, faults=(Fault(kind, -500.0, -100.0),))
    assert ask(simulate(Simulation((over,)), time.monotonic()), code) == [0, 0, [0, 0, 0], 0]


def test_a_lost_gpu_answers_nothing_and_the_others_do(simulate: Simulate) -> None:
    lost = SimulatedGpu(uuid=uuid_of(1), faults=(Fault("lost"),))
    environment = simulate(Simulation((SimulatedGpu(), lost)), time.monotonic())
    code = """
n.nvmlInit()
answer = [code_of(n.nvmlDeviceGetHandleByIndex, 0), code_of(n.nvmlDeviceGetHandleByIndex, 1),
          code_of(n.nvmlDeviceGetHandleByUUID, sys.argv[1]), n.nvmlDeviceGetCount()]
"""
    prelude = (
        "import sys, json\nimport pynvml as n\n" + PRELUDE[PRELUDE.index("def code_of") :].split("n.nvmlInit()")[0]
    )
    argv = [sys.executable, "-c", f"{prelude}{code}\nprint(json.dumps(answer))", uuid_of(1)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, 15, 15, 2]


def test_a_gpu_that_is_lost_in_the_middle(simulate: Simulate) -> None:
    environment = simulate(Simulation((SimulatedGpu(faults=(Fault("lost", 0.0),)),)), time.monotonic())
    # The process itself lets the loss come, when it is ready for it.
    begin = """
import os, pathlib, time
conf = pathlib.Path(os.environ["ORCHESTRATE_SIMULATED_GPU"], "gpus.conf")
lost_at = time.monotonic() + 1.0
conf.write_text("\\n".join([f"origin_s {lost_at!r}", *conf.read_text().splitlines()[1:]]))
"""
    poll = """
codes = []
while not codes or codes[-1][1] == 0:
    before = time.monotonic()
    code = max(code_of(call, gpu) for call in (n.nvmlDeviceGetTotalEnergyConsumption, n.nvmlDeviceGetMemoryInfo))
    codes.append((time.monotonic() >= lost_at, code, before < lost_at))
    time.sleep(0.01)
after = [code_of(n.nvmlDeviceGetFieldValues, gpu, [83]), code_of(n.nvmlDeviceGetUUID, gpu)]
print(json.dumps([codes[0], codes[-1], after]))
"""
    argv = [sys.executable, "-c", begin + PRELUDE + poll]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    first, last, after = json.loads(done.stdout)
    assert first[1:] == [0, True]
    assert last[:2] == [True, 15]
    assert after == [15, 15]


def test_a_stuck_counter_holds_the_value_of_its_last_update_before(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.02, counter_phase_s=0.0, curve=STEADY, faults=(Fault("stuck", -5.0),))
    origin_s = time.monotonic()
    code = "answer = [n.nvmlDeviceGetTotalEnergyConsumption(gpu) for _ in range(30) if not time.sleep(0.005)]"
    (held_mj,) = set(answer_of(start(simulate(Simulation((gpu,)), origin_s), code)))
    free = replace(gpu, faults=())
    reading, *_ = readings_of(start(simulate(Simulation((free,)), origin_s), POLL, "0"))
    offset_j = round(reading.energy_mj / 1000 - shown_j(free, reading.before_s - origin_s), 0)
    assert held_mj / 1000 - offset_j == pytest.approx(100.0 * -5.02, abs=0.002)


def test_a_counter_that_was_stuck_jumps_by_what_was_drawn_meanwhile(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.02, faults=(Fault("stuck", -9.0, -4.0),))
    origin_s = time.monotonic()
    both = [
        readings_of(start(simulate(Simulation((of,)), origin_s), POLL, "4")) for of in (gpu, replace(gpu, faults=()))
    ]
    assert_plays(gpu, origin_s, [*both[0], *both[1]])


def test_a_counter_that_restarts_from_zero(simulate: Simulate) -> None:
    gpu = SimulatedGpu(counter_period_s=0.02, curve=STEADY, faults=(Fault("reset", -3.0),))
    origin_s = time.monotonic()
    reading, *_ = readings_of(start(simulate(Simulation((gpu,)), origin_s), POLL, "0"))
    drawn_j = [100.0 * (t_s - origin_s + 3.0) for t_s in (reading.before_s - 0.021, reading.after_s)]
    assert drawn_j[0] <= reading.energy_mj / 1000 <= drawn_j[1]
    later = replace(gpu, faults=(Fault("reset", 1e6),))
    (reading, *_) = readings_of(start(simulate(Simulation((later,)), origin_s), POLL, "0"))
    assert reading.energy_mj >= 1_000_000, "an offset that tells nothing, until then"


def test_what_else_a_gpu_says(simulate: Simulate) -> None:
    gpu = SimulatedGpu(
        power_limit_w=650.0,
        memory_used_bytes=1000,
        temperature_c=61.0,
        utilisation=73.0,
        mig=False,
        throttles=(Throttle(0x40), Throttle(0x4, -10.0, 1e6), Throttle(0x8, 1e6)),
        processes=(Process(4242, 5000), Process(7, 100, 1e6)),
        changes=(Change("sm_clock_mhz", 900.0, -10.0), Change("memory_clock_mhz", 1.0, 1e6)),
    )
    environment = simulate(Simulation((gpu,)), time.monotonic())
    told = ask(
        environment,
        """{
    "driver": n.nvmlSystemGetDriverVersion(), "cuda": n.nvmlSystemGetCudaDriverVersion_v2(),
    "name": n.nvmlDeviceGetName(gpu), "uuid": n.nvmlDeviceGetUUID(gpu), "index": n.nvmlDeviceGetIndex(gpu),
    "memory": [n.nvmlDeviceGetMemoryInfo(gpu).used, n.nvmlDeviceGetMemoryInfo(gpu, version=n.nvmlMemory_v2).used],
    "free": n.nvmlDeviceGetMemoryInfo(gpu).free + 6000 - n.nvmlDeviceGetMemoryInfo(gpu).total,
    "temperature": [n.nvmlDeviceGetTemperature(gpu, 0), n.nvmlDeviceGetTemperatureV(gpu, 0)],
    "clocks": [n.nvmlDeviceGetClockInfo(gpu, kind) for kind in (0, 1, 2)],
    "highest": [n.nvmlDeviceGetMaxClockInfo(gpu, kind) for kind in (1, 2)],
    "reasons": [n.nvmlDeviceGetCurrentClocksEventReasons(gpu), n.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)],
    "limits": [n.nvmlDeviceGetPowerManagementLimit(gpu), n.nvmlDeviceGetEnforcedPowerLimit(gpu),
               n.nvmlDeviceGetPowerManagementDefaultLimit(gpu), *n.nvmlDeviceGetPowerManagementLimitConstraints(gpu)],
    "utilisation": n.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "processes": [[process.pid, process.usedGpuMemory] for process in n.nvmlDeviceGetComputeRunningProcesses(gpu)],
    "graphics": n.nvmlDeviceGetGraphicsRunningProcesses(gpu),
    "mig": n.nvmlDeviceGetMigMode(gpu), "ecc": n.nvmlDeviceGetEccMode(gpu),
    "modes": [n.nvmlDeviceGetPersistenceMode(gpu), n.nvmlDeviceGetComputeMode(gpu),
              n.nvmlDeviceGetPerformanceState(gpu)],
    "capability": n.nvmlDeviceGetCudaComputeCapability(gpu), "architecture": n.nvmlDeviceGetArchitecture(gpu),
    "by bus": n.nvmlDeviceGetIndex(n.nvmlDeviceGetHandleByPciBusId(n.nvmlDeviceGetPciInfo(gpu).busId)) == 0,
    "unknown": [code_of(n.nvmlDeviceGetSerial, gpu), code_of(n.nvmlDeviceGetHandleByUUID, "GPU-1"),
                code_of(n.nvmlDeviceGetHandleByIndex, 1)],
}""",
    )
    assert told == {
        "driver": "999.0-simulated",
        "cuda": 12080,
        "name": "Simulated H100",
        "uuid": uuid_of(0),
        "index": 0,
        "memory": [6000, 6000],
        "free": 0,
        "temperature": [61, 61],
        "clocks": [900, 900, 2619],
        "highest": [1980, 2619],
        "reasons": [0x44, 0x44],
        "limits": [650000, 650000, 650000, 100000, 650000],
        "utilisation": 73,
        "processes": [[4242, 5000]],
        "graphics": [],
        "mig": [0, 0],
        "ecc": [1, 1],
        "modes": [1, 0, 0],
        "capability": [9, 0],
        "architecture": 9,
        "by bus": True,
        "unknown": [13, 6, 2],
    }


def test_mig_hides_utilisation(simulate: Simulate) -> None:
    environment = simulate(Simulation((SimulatedGpu(mig=True),)), time.monotonic())
    told = ask(environment, "[n.nvmlDeviceGetMigMode(gpu), code_of(n.nvmlDeviceGetUtilizationRates, gpu)]")
    assert told == [[1, 1], 3]


UUIDS = "[[n.nvmlDeviceGetIndex(each), n.nvmlDeviceGetUUID(each)] for each in gpus]"


def test_several_gpus_each_with_its_own_curve(simulate: Simulate) -> None:
    gpus = tuple(
        SimulatedGpu(uuid=uuid_of(index), counter_period_s=0.01, curve=Curve((Step(1.0, 100.0 * (index + 1)),)))
        for index in range(3)
    )
    environment = simulate(Simulation(gpus), time.monotonic())
    assert ask(environment, UUIDS) == [[index, uuid_of(index)] for index in range(3)]
    assert ask(environment, "[n.nvmlDeviceGetPowerUsage(each) for each in gpus]") == [100_000, 200_000, 300_000]


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        (uuid_of(2), [2]),
        (f"{uuid_of(2)},{uuid_of(1)}", [1, 2]),
        ("all", [0, 1, 2]),
        ("GPU-of-another-machine", [0, 1, 2]),
        (f"{uuid_of(1)}0", [0, 1, 2]),
    ],
)
def test_a_container_sees_the_gpus_that_are_named_to_it(named: str, seen: list[int], simulate: Simulate) -> None:
    gpus = tuple(SimulatedGpu(uuid=uuid_of(index)) for index in range(3))
    environment = {**simulate(Simulation(gpus), time.monotonic()), "NVIDIA_VISIBLE_DEVICES": named}
    assert ask(environment, UUIDS) == [[index, uuid_of(of)] for index, of in enumerate(seen)]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "", "no [gpu]"),
        ("curve 1:2\n", ":1", "no such setting before the first [gpu]: curve"),
        ("origin_s soon\n", ":1", "soon is not a number"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\ncolour red\n", ":4", "no such setting of a GPU: colour"),
        ("[gpu]\nuuid GPU-1\ncurve 1:x\n", ":3", "x is not a number"),
        ("[gpu]\nuuid GPU-1\ncurve 1\n", ":3", "1 is not DURATION:WATTS"),
        ("[gpu]\nuuid GPU-1\ncurve\n", ":3", "a curve without steps"),
        ("[gpu]\nuuid GPU-1\n", ":1", "a GPU needs a curve"),
        ("[gpu]\ncurve 1:2\n", ":1", "a GPU needs a uuid"),
        ("# c\n\n[gpu]\nuuid GPU-1\nname H100\ncurve 1:2\n", ":3", 'begins with "Simulated "'),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\n[gpu]\nuuid GPU-1\ncurve 1:2\n", ":4", "a second GPU with the uuid GPU-1"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\ncounter_period_s 0\n", ":4", "0 is not a number from 1e-06"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\ncounter_jitter_s 0.05\n", ":1", "less than half"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\nfault melted 0 1\n", ":4", "no such fault: melted"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\nfault stuck 2 1\n", ":4", "ends before it begins"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\nfault stuck -1e10 inf\n", ":4", "-1e10 is not a number from -1e+09"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\nfault reset -inf inf\n", ":4", "a reset happens at a moment"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\nmig 1 2\n", ":4", "2 is one word too many"),
        ("[gpu]\nuuid GPU-1\ncurve 1:2\ntemperature_c nan\n", ":4", "nan is not a number"),
    ],
)
def test_a_file_that_is_wrong_is_named_once_with_the_line(
    text: str, place: str, reason: str, simulate: Simulate, tmp_path: Path
) -> None:
    environment = simulate(Simulation(), time.monotonic())
    conf = tmp_path / "simulated-gpu" / "gpus.conf"
    conf.write_text(text)
    code = "import pynvml as n\nfor _ in 1, 2:\n try: n.nvmlInit()\n except n.NVMLError as error: print(error.value)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "999\n999\n"
    assert done.stderr.startswith(f"simulated GPU: {conf}{place}: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("folder", "reason"), [("", "not set"), ("/nowhere", "/nowhere/gpus.conf: cannot be read")])
def test_a_file_that_is_not_there_is_named(folder: str, reason: str, simulate: Simulate) -> None:
    environment = {**simulate(Simulation(), time.monotonic()), "ORCHESTRATE_SIMULATED_GPU": folder}
    code = "import pynvml as n; n.nvmlInit()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert reason in done.stderr
    assert "NVMLError_Unknown" in done.stderr


def test_numbers_are_read_alike_in_every_locale(simulate: Simulate) -> None:
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    comma = [name for name in listed if re.match(r"(de|fr|es|it|pt|ru|pl|nl)_", name)]
    code = f"import locale\nfor name in {comma!r}: locale.setlocale(locale.LC_ALL, name)\n"
    gpu = SimulatedGpu(curve=Curve((Step(0.5, 123.5),)))
    environment = simulate(Simulation((gpu,)), time.monotonic())
    text = f"{code}{PRELUDE}\nprint(n.nvmlDeviceGetPowerUsage(gpu))"
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "123500\n"


def test_the_library_loads_where_the_c_library_is_old(nvml_library: Path) -> None:
    """Containers may have an older one than this machine: CentOS 7 had 2.17, the oldest that wheels are made for."""
    needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", nvml_library.read_bytes())
    assert needed
    assert max((int(major), int(minor)) for major, minor in needed) <= (2, 17)


def test_it_is_compiled_again_only_if_its_source_changed(
    nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.system.simulated_gpu import build

    assert build.compile_library(tmp_path).stat().st_ino == build.compile_library(tmp_path).stat().st_ino
    before = (tmp_path / build.LIBRARY).stat().st_ino
    changed = tmp_path / "nvml.c"
    changed.write_text(build._SOURCE.read_text() + "\n")
    monkeypatch.setattr(build, "_SOURCE", changed)
    assert build.compile_library(tmp_path).stat().st_ino != before
    assert os.access(tmp_path / build.LIBRARY, os.X_OK)
