"""Gaps, retries, the breaker and several at once, through the installed command with real runners."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation, uuid_of
from tests.e2e.commands import Project

QUICK = """
model: any/model
workload: {prompts: 1, output_tokens: 4}
measurement: {warmup: {iterations: 0}, baseline_s: 0, loaded_idle_s: 0}
"""


def events(project: Project, *arguments: str, **options: Any) -> tuple[int, list[dict[str, Any]], str]:
    done = project.run(*arguments, "--json", **options)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def requests(project: Project, campaign: str) -> list[dict[str, Any]]:
    """Of all complete runs, in the campaign's order."""
    found = (json.loads(path.read_text()) for path in project.results.glob(f"{campaign}/runs/*/*/request.json"))
    return sorted(found, key=lambda request: request["order_index"])


@pytest.fixture
def gpus(nvml_library: Path, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Makes a machine with simulated GPUs, or changes the one that is there."""

    def make(count: int = 1, **settings: Any) -> dict[str, str]:
        folder = tmp_path / "gpu"
        build(folder, Simulation(tuple(SimulatedGpu(uuid=uuid_of(index), **settings) for index in range(count))))
        return environment(folder, os.environ)

    return make


def test_a_gap_ends_early_once_the_gpu_is_cool_again(project: Project, gpus: Callable[..., dict[str, str]]) -> None:
    """Two gaps of an hour each: the test would not end if they were made in full."""
    file = project.write(
        "cool.yaml",
        f"name: cool\n{QUICK}\nbackends: {{simulated: {{tokens_per_s: [101, 102, 103]}}}}\n"
        "gpus: [0]\ngaps: {experiment_s: 3600, until_cool: true}\n",
    )
    host = project.start("campaign", str(file), "--json", environment=gpus(temperature_c=40))
    assert host.stdout
    seen: Counter[str] = Counter()
    for line in host.stdout:
        event = json.loads(line)
        seen[event["event"]] += 1
        if event["event"] == "RunStarted":
            gpus(temperature_c=80)
        elif event["event"] == "GapStarted":
            assert event["until_cool"]
            time.sleep(1.5)
            gpus(temperature_c=42)
        elif event["event"] == "GapEnded":
            assert event["ended_by"] == "cool"
    assert host.wait() == 0
    assert (seen["RunCompleted"], seen["GapStarted"], seen["GapEnded"]) == (3, 2, 2)
    gaps = [request["gap"] for request in requests(project, "cool")]
    assert gaps[0] is None
    assert [(gap["between"], gap["ended_by"]) for gap in gaps[1:]] == [("experiments", "cool")] * 2
    assert all(1.0 <= gap["duration_s"] < 3600 for gap in gaps[1:])


def test_on_the_cpu_gaps_are_made_in_full_and_move_when_runs_start(project: Project) -> None:
    file = project.write(
        "cpu.yaml",
        f"name: cpu\n{QUICK}\nbackends: {{simulated: {{tokens_per_s: [101, 102]}}}}\ncycles: 2\n"
        "gaps: {experiment_s: 1, cycle_s: 2, until_cool: true}\n",
    )
    code, told, errors = events(project, "campaign", str(file), environment={"CUDA_VISIBLE_DEVICES": ""})
    assert code == 0, errors
    (notice,) = [event for event in told if event["event"] == "Notice"]
    assert "until_cool: " in notice["text"]
    results = {
        (result["experiment_id"], result["cycle"]): result
        for path in project.results.glob("cpu/runs/*/*/result.json")
        for result in [json.loads(path.read_text())]
    }
    ordered = [
        (results[request["experiment_id"], request["cycle"]], request["gap"]) for request in requests(project, "cpu")
    ]
    for (before, _), (after, gap), planned_s in zip(ordered[:-1], ordered[1:], (1, 2, 1), strict=True):
        assert gap["duration_s"] >= planned_s
        began, ended = after["started_at"], before["ended_at"]
        assert _seconds(began) - _seconds(ended) >= planned_s
    assert [gap and gap["between"] for _, gap in ordered] == [None, "experiments", "cycles", "experiments"]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_four_at_once_each_on_its_gpu_and_all_of_it_on_record(
    project: Project, gpus: Callable[..., dict[str, str]]
) -> None:
    file = project.write(
        "four.yaml",
        f"name: four\n{QUICK}\nbackends: {{simulated: {{tokens_per_s: [101, 102, 103, 104], load_s: 1}}}}\n"
        "cycles: 4\nparallel: per-gpu\n",
    )
    code, told, errors = events(project, "campaign", str(file), environment=gpus(4), timeout_s=300)
    assert code == 0, errors
    assert [event["cycle"] for event in told if event["event"] == "CycleStarted"] == [1, 2, 3, 4]
    met: dict[str, list[str]] = {}
    neighbours = 0
    for path in project.results.glob("four/runs/*/*/result.json"):
        result = json.loads(path.read_text())
        request = json.loads((path.parent / "request.json").read_text())
        report = json.loads((path.parent / "host.json").read_text())
        assert request["concurrency_on_host"] == result["concurrency_on_host"] == 4
        (gpu,) = request["gpus"]
        assert [one["uuid"] for one in result["gpus"]] == [gpu["uuid"]]
        assert result["cpu_energy_j"] is None
        met.setdefault(result["experiment_id"], []).append(gpu["uuid"])
        checks = {check["name"]: check for check in report["checks"]}
        assert ("alone_on_host" in checks) == bool(report["neighbours"])
        assert all(gpu["uuid"] not in neighbour["gpus"] or neighbour["gpus"] for neighbour in report["neighbours"])
        neighbours += len(report["neighbours"])
    assert neighbours
    assert {tuple(sorted(gpus)) for gpus in met.values()} == {tuple(uuid_of(index) for index in range(4))}
    assert project.processes() == []


def test_a_run_that_crashes_twice_is_tried_again_and_comes_through(project: Project) -> None:
    file = project.write(
        "again.yaml",
        f"name: again\n{QUICK}\nbackends: {{simulated: {{tokens_per_s: 101}}}}\n"
        "experiments: [{backend: simulated, fail: crash, fail_attempts: 2, tokens_per_s: 102}]\norder: reversed\n"
        "failures: {retries: 2, backoff_s: 0.2}\n",
    )
    code, told, errors = events(project, "campaign", str(file), environment={"CUDA_VISIBLE_DEVICES": ""})
    assert code == 0, errors
    retried = [event for event in told if event["event"] == "RunRetried"]
    assert [(event["wait_s"], event["retries_left"]) for event in retried] == [(0.2, 1), (0.4, 0)]
    (path,) = [path for path in project.results.glob("again/runs/*/*/result.json") if _attempt(path) == 3]
    assert json.loads((path.parent / "request.json").read_text())["gap"]["duration_s"] >= 0.4
    assert len(list(project.results.glob("again/attempts/*/failure.json"))) == 2


def _attempt(result: Path) -> int:
    return int(json.loads(result.read_text())["attempt"])


@pytest.fixture
def ailing(project: Project) -> Path:
    """Twelve experiments that crash in their first two attempts."""
    speeds = ", ".join(str(100 + speed) for speed in range(12))
    return project.write(
        "ailing.yaml",
        f"name: ailing\n{QUICK}\nbackends: {{simulated: {{tokens_per_s: [{speeds}], fail: crash, fail_attempts: 2}}}}\n"
        "failures: {retries: 0, breaker: 3, breaker_pause_s: 0.2, breaker_probes: 2}\n",
    )


def test_a_machine_on_which_everything_crashes_is_left_alone_and_resume_goes_on(project: Project, ailing: Path) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": ""}
    code, told, errors = events(project, "campaign", str(ailing), environment=environment)
    assert code == 3
    assert "5 runs in a row failed of what ails the machine" in errors
    assert "orchestrate resume ailing" in errors
    opened = [event for event in told if event["event"] == "BreakerOpened"]
    assert [(event["pause_s"], event["probes_left"]) for event in opened] == [(0.2, 2), (0.4, 1)]
    status = project.json("status", "ailing")
    assert (status["completed"], status["failed"], status["pending"]) == (0, 5, 7)
    done = project.run("resume", "ailing", environment=environment)
    assert done.returncode == 3, "the same five crash once more"
    done = project.run("resume", "ailing", environment=environment)
    assert done.returncode in (1, 3)
    assert project.json("status", "ailing")["completed"] == 5
