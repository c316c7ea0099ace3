"""`make gpu-check` without a GPU: beside a simulated one, everything on the CPU."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.system.simulated_gpu.curves import Curve, Step
from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation
from runners.contract.energy import Counter, CounterEdge
from runners.contract.request import Gpu
from tests.gpu.check import overhead, repeat
from tests.gpu.check.counter import averaging_of, cut, missed_of
from tests.gpu.check.model import shape_of
from tests.gpu.check.parts import survived
from tests.gpu.check.recorded import Recorded, Stretch
from tests.gpu.check.report import Expectation, Part, Table, all_met, at_least, at_most, page
from tests.gpu.check.watch import Answer

REPOSITORY = Path(__file__).parents[2]
PERIOD_S = 0.04
CURVE = Curve((Step(0.37, 300.0), Step(0.21, 120.0)))
MEAN_W = (0.37 * 300 + 0.21 * 120) / 0.58
SHORTEST = ("--seconds", "2", "--runs", "2", "--pairs", "1")
Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(simulate: Callable[[Simulation, float], dict[str, str]]) -> Check:
    """Runs it beside a simulated GPU."""
    environment = simulate(Simulation((SimulatedGpu(curve=CURVE, counter_period_s=PERIOD_S),)), time.monotonic())

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.gpu.check", *map(str, arguments)],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def rows(text: str) -> dict[str, list[str]]:
    """Rows of all tables by their first cell; the first row of a name."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            found.setdefault(name.strip(), cells)
    return found


@pytest.mark.engine
def test_it_writes_a_page_with_all_of_its_parts(check: Check, tmp_path: Path) -> None:
    done = check(*SHORTEST, "--output", tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    seen = rows(text)

    assert done.returncode == ("**Not all is as it should be.**" in text), done.stderr
    assert text.startswith("# Simulated H100: the GPU and its meter (simulated)\n")
    headers = re.findall(r"^\| (.*?) \|.*\n\| ---", text, re.MULTILINE)
    assert len(headers) == 10
    assert all(header.endswith("(simulated)") for header in headers)
    assert len(re.findall(r"^## \d\. ", text, re.MULTILINE)) == 6
    assert "This part failed" not in text
    assert str(tmp_path) not in text
    assert "gpu-check-" not in text, "no temporary folder on the page"

    learned_ms = float(seen["period, as the sampler learned it"][0].split()[0])
    assert learned_ms == pytest.approx(1e3 * PERIOD_S, rel=0.05)
    assert seen["instant (field 186)"][0] == "yes"
    mean_w, by_instant = seen["steady"][:2]
    assert float(mean_w.split()[0]) == pytest.approx(MEAN_W, rel=0.15)
    assert float(by_instant) == pytest.approx(1, abs=0.1)
    assert seen["runs that are complete and good"][-2].endswith("of 2")
    assert {seen["1"][0], seen["2"][0]} != {"–"}
    for fault in ("a GPU that does not exist", "a window that is too short", "the sampler is killed in the window"):
        assert seen[fault][-1] == "yes", seen[fault]
    assert "not tried" in seen["the power limit is lowered in the window"][-1]
    assert not (REPOSITORY / "docs" / "validation" / "simulated-h100.md").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 2, "Simulated H100 is simulated, and docs/validation is for real GPUs"),
        (("--output", REPOSITORY / "docs" / "validation" / "a.md"), 2, "docs/validation is for real GPUs"),
        (("--gpu", "7"), 3, "there is no GPU 7 here: 1 are visible"),
        (("--runs", "0"), 2, "0 is not a number from 1"),
        (("--seconds", "-1"), 2, "-1 is not a number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(check: Check, arguments: tuple[str, ...], code: int, reason: str) -> None:
    done = check(*arguments)
    assert (done.returncode, reason in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_driver_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: NVML")


def test_a_page_is_honest() -> None:
    assert at_most("a", 1, 1.0).met
    assert not at_most("a", 1, 1.01).met
    assert at_least("a", 1, None).met is None
    fine = Part("fine", expectations=[Expectation("x", "1", "1", True)])
    assert all_met([fine])
    for other in (
        Part("p", expectations=[Expectation("y", "1", "2", False)]),
        Part("p", expectations=[Expectation("y", "1", "–", None)]),
        Part("p", failure="it | broke"),
    ):
        assert not all_met([fine, other])
        text = page("GPU", Table(("", "value"), []), [fine, other], simulated=False)
        assert "Not all is as it should be" in text
        assert "simulated" not in text
    assert "**This part failed:** it \\| broke" in text


def test_a_part_that_fails_leaves_a_part_that_says_so() -> None:
    def broken() -> Part:
        raise OSError("the disk is full")

    fine = Part("fine")
    assert survived("fine", lambda: fine) is fine
    assert survived("broken", broken) == Part("broken", failure="OSError: the disk is full")


def test_throughput_and_repetitions_are_judged() -> None:
    slow = overhead.part_of([{"off": 100.0, "on": 90.0 + number, "cpu": 0.02} for number in range(8)])
    assert [one.met for one in slow.expectations] == [False, False]
    assert "median 0.9350" in slow.notes[0]
    assert "confidence at least 95 %" in slow.notes[0]
    none = repeat.part_of([], 10, ["run 1: nothing"], cut_short=True)
    assert [one.met for one in none.expectations] == [False, None]
    assert none.notes == ["run 1: nothing", "the others were left out: the time was up, or none succeeded"]


def edges(count: int, power_w: float = 100.0, period_s: float = 0.1) -> list[CounterEdge]:
    return [CounterEdge(k * period_s - 1e-4, k * period_s + 1e-4, k * period_s * power_w) for k in range(count)]


def test_windows_are_cut_and_missed_updates_counted() -> None:
    counter = Counter(edges(101), power_limit_w=200.0)
    windows = cut(counter, 0.5, 9.5, 3.0)
    assert len(windows) == 200
    assert all(joules == pytest.approx(300, rel=1e-3) and 0 < half < 0.05 for joules, half in windows)
    assert cut(counter, 0.5, 9.5, 10.0) == []
    assert missed_of(edges(50), 0.1) == 0
    assert missed_of([edge for number, edge in enumerate(edges(50)) if number not in (7, 8, 20)], 0.1) == 3


@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_over_how_long_a_reading_is_a_mean_is_found(seconds: float) -> None:
    def joules(t_s: float) -> float:
        whole, rest_s = divmod(t_s, 1.3)
        return 100 * t_s + 400 * (0.6 * whole + min(rest_s, 0.6))

    def mean_w(t_s: float, over_s: float) -> float:
        return (joules(t_s) - joules(t_s - over_s)) / over_s

    answers = [
        Answer(k / 1000, k, mean_w(round(k / 1000 // 0.1 * 0.1, 6), seconds), None, mean_w(k / 1000, 1e-3))
        for k in range(1500, 12_000)
    ]
    recorded = SimpleNamespace(answers=answers, bursty=lambda: [Stretch("bursts", 3.0, 11.0)])
    recorded.powers = lambda kind: Recorded.powers(recorded, kind)  # type: ignore[arg-type]
    found = averaging_of(recorded)  # type: ignore[arg-type]
    assert found is not None
    assert found.seconds == seconds
    assert found.explained > 0.95


@pytest.mark.parametrize("parameters", [200_000, 3e8, 1.2e9, 8e9])
def test_a_model_has_about_as_many_parameters_as_asked(parameters: float) -> None:
    vocabulary, hidden, layers = shape_of(int(parameters))
    assert hidden % 64 == 0
    assert vocabulary * hidden + 16 * layers * hidden**2 == pytest.approx(parameters, rel=0.7 if layers < 4 else 0.1)


def test_a_gpus_name_makes_a_files_name() -> None:
    from tests.gpu.check.machine import slug_of

    assert slug_of(Gpu(index=0, uuid="GPU-1", name="NVIDIA H100 80GB HBM3")) == "nvidia-h100-80gb-hbm3"
