"""Other tenants of a GPU, seen through the real pynvml on a simulated NVML, by the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.reading import load_result, read_host_report
from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.settings import Fault, Process, SimulatedGpu, Simulation
from runners.contract.host import NO_OTHER_PROCESS
from runners.contract.paths import ADHOC, FAILURE
from tests.e2e.commands import Project, kill

GIB = 2**30
WAITS = "import sys; sys.stdin.read()"
FLAGS = ("run", "--backend=simulated", "--model=org/m", "--warmup-iterations=0", "--baseline-s=0")
GPU = "--gpu=0"
SHORT = ("--prompts=1", "--output-tokens=10")
LONG = ("--prompts=1", "--output-tokens=7000", "--tokens-per-s=1000")
CAMPAIGN = """\
name: shared
model: org/m
gpus: [0]
backends: {{simulated: {{tokens_per_s: 1000}}}}
workload: {{prompts: 1, output_tokens: {output_tokens}}}
measurement: {{warmup: {{iterations: 0}}, baseline_s: 0}}
"""

Simulate = Callable[..., dict[str, str]]


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Makes a machine with one simulated GPU, which begins now; returns what its processes have to set."""

    def make(**settings: Any) -> dict[str, str]:
        build(tmp_path / "gpu", Simulation((SimulatedGpu(**settings),)))
        return environment(tmp_path / "gpu", os.environ)

    return make


@pytest.fixture
def stranger() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate()


def runs(project: Project, campaign: str) -> list[Path]:
    return sorted((project.results / campaign / "runs").glob("*/*"))


def check(run: Path) -> Any:
    (found,) = (check for check in load_result(run).checks if check.name == NO_OTHER_PROCESS)
    return found


def test_a_gpu_in_use_is_refused_naming_who_uses_it(project: Project, simulate: Simulate, stranger: int) -> None:
    done = project.run(*FLAGS, GPU, *SHORT, environment=simulate(processes=(Process(stranger, 2 * GIB),)))
    assert done.returncode == 3
    assert f"GPU 0 is in use by process {stranger} (python" in done.stderr
    assert "2.0 GiB" in done.stderr
    assert f"ps -p {stranger}" in done.stderr
    assert not (project.results / ADHOC / "attempts").is_dir() or not os.listdir(project.results / ADHOC / "attempts")


def test_a_campaign_stops_there_and_goes_on_once_the_gpu_is_free(
    project: Project, simulate: Simulate, stranger: int
) -> None:
    project.write("c.yaml", CAMPAIGN.format(output_tokens=10))
    done = project.run("campaign", "c.yaml", environment=simulate(processes=(Process(stranger, 2 * GIB),)))
    assert done.returncode == 3
    assert "then `orchestrate resume shared`" in done.stderr
    status = project.json("status", "shared")
    assert status["pending"] == 1
    again = project.run("resume", "shared", environment=simulate())
    assert again.returncode == 0, again.stderr


def test_memory_of_a_process_that_ended_is_waited_for(project: Project, simulate: Simulate) -> None:
    done = project.run(*FLAGS, GPU, *SHORT, environment=simulate(processes=(Process(2**22 + 1, 2 * GIB, to_s=4),)))
    assert done.returncode == 0, done.stderr
    assert f"waiting up to 30 s: GPU 0 is in use by process {2**22 + 1} (2.0 GiB)" in done.stdout
    assert check(runs(project, ADHOC)[0]).passed


def test_a_run_on_the_cpu_does_not_look(project: Project, simulate: Simulate, stranger: int) -> None:
    busy = simulate(processes=(Process(stranger, 2 * GIB),))
    done = project.run(*FLAGS, *SHORT, environment={**busy, "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stderr
    assert read_host_report(runs(project, ADHOC)[0]) is None


def test_somebody_who_comes_while_it_runs_makes_it_suspect(project: Project, simulate: Simulate, stranger: int) -> None:
    gpu = simulate(processes=(Process(stranger, 2 * GIB, from_s=3),))
    done = project.run(*FLAGS, GPU, *LONG, environment=gpu)
    assert done.returncode == 0, done.stderr
    (run,) = runs(project, ADHOC)
    found = check(run)
    assert (found.passed, found.severity, load_result(run).verdict) == (False, "critical", "suspect")
    assert f"process {stranger} (python" in found.observed
    assert "FAILED (critical)" in done.stdout
    assert NO_OTHER_PROCESS not in (run / "result.json").read_text(), "the runner's own file stays as it is"


def test_a_run_that_nobody_disturbs_says_so(project: Project, simulate: Simulate) -> None:
    done = project.run(*FLAGS, GPU, *SHORT, environment=simulate())
    assert done.returncode == 0, done.stderr
    (run,) = runs(project, ADHOC)
    assert check(run).passed


def test_what_the_run_itself_started_is_nobody_else_even_after_the_orchestrator_was_killed(
    project: Project, simulate: Simulate, stranger: int
) -> None:
    project.write("c.yaml", CAMPAIGN.format(output_tokens=7000))
    host = project.start("campaign", "c.yaml", environment=simulate())
    runner = project.wait_for_runner(host, phase="window")
    kill(host)
    (attempt,) = (project.results / "shared" / "attempts").iterdir()
    assert "killed before the run ended" in read_host_report(attempt).checks[0].observed
    again = project.run(
        "resume", "shared", environment=simulate(processes=tuple(Process(pid, GIB) for pid in (runner.pid, stranger)))
    )
    assert again.returncode == 0, again.stderr
    (run,) = runs(project, "shared")
    report = read_host_report(run)
    assert [other.pid for other in report.others] == [stranger]
    assert load_result(run).verdict == "suspect"


def test_a_gpu_that_is_lost_is_refused(project: Project, simulate: Simulate) -> None:
    gpu = simulate(faults=(Fault("lost"),))
    done = project.run(*FLAGS, GPU, *SHORT, environment=gpu)
    assert done.returncode == 3
    assert "lost" in done.stderr.lower()
    assert not list(project.results.glob(f"{ADHOC}/attempts/*/{FAILURE}"))
