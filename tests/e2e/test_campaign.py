"""A campaign through the installed command: run, looked at, failed, interrupted, resumed. The backend is simulated."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator import load_frame, load_results
from runners.contract.result import RunResult
from tests.e2e.commands import ORCHESTRATE, Project, kill

GRID = """
name: grid
model: any/model
workload: {prompts: 4, output_tokens: 8}
backends:
  simulated: {batch_size: [1, 4], tokens_per_s: 2000}
cycles: 2
"""

SLOW = """
name: slow
model: any/model
workload: {prompts: 50, output_tokens: 100}
backends:
  simulated: {tokens_per_s: 50, batch_size: [1, 2]}
measurement: {warmup: {iterations: 0}}
"""


def test_a_campaign_ends_with_its_table_and_is_not_repeated(project: Project) -> None:
    file = project.write("grid.yaml", GRID)
    first = project.run("campaign", str(file))
    assert first.returncode == 0, first.stderr
    assert "=== Cycle 2 of 2 ===" in first.stdout
    assert "J/token (simulated)" in first.stdout
    assert "no engine ran" in first.stdout
    results = load_results(project.results / "grid")
    assert {(result.cycle, result.experiment.options.batch_size) for result in results} == {
        (cycle, batch) for cycle in (1, 2) for batch in (1, 4)
    }
    before = {path: path.stat().st_mtime_ns for path in project.results.rglob("result.json")}
    second = project.run("campaign", str(file))
    assert second.returncode == 0
    assert "4 complete, 0 to run" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in project.results.rglob("result.json")} == before


def test_what_a_campaign_leaves_can_be_looked_at(project: Project) -> None:
    project.run("campaign", str(project.write("grid.yaml", GRID)), "-q")
    status = project.json("status", "grid")
    assert (status["runs"], status["completed"], status["in_use"]) == (4, 4, False)
    listed = project.json("results", "list", "grid")
    assert [RunResult.model_validate_json(json.dumps(result)).campaign for result in listed] == ["grid"] * 4
    run = listed[0]["run_id"]
    shown = project.run("results", "show", run)
    assert shown.returncode == 0, shown.stderr
    assert "energy_measured" in shown.stdout
    assert project.json("results", "show", run)["run_id"] == run
    ambiguous = project.run("results", "show", listed[0]["experiment_id"])
    assert ambiguous.returncode == 2
    assert "fits 2 runs" in ambiguous.stderr
    frame = load_frame(project.results / "grid")
    assert set(frame["simulated.batch_size"]) == {1, 4}
    assert (frame["energy_per_output_token_j"] > 0).all()


def test_json_lines_tell_the_whole_story(project: Project) -> None:
    done = project.run("campaign", str(project.write("grid.yaml", GRID)), "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "CampaignStarted"
    assert names[-1] == "CampaignEnded"
    assert names.count("RunCompleted") == 4
    assert all(Path(event["result"]).is_file() for event in events if event["event"] == "RunCompleted")


@pytest.mark.parametrize(
    ("options", "extra", "kind"),
    [
        ("fail: crash", "", "crashed"),
        ("fail: out_of_memory", "", "out_of_memory"),
        ("fail: hang", "timeout_s: 6", "timeout"),
        ("fail: hang", "silence_timeout_s: 4", "silent"),
    ],
)
def test_a_failed_run_is_said_recorded_and_tried_again(project: Project, options: str, extra: str, kind: str) -> None:
    file = project.write(
        "failing.yaml",
        f"""
name: failing
model: any/model
workload: {{prompts: 2, output_tokens: 4}}
failures: {{retries: 0}}
{extra}
backends:
  simulated: {{tokens_per_s: 2000}}
experiments:
  - {{backend: simulated, {options}, fail_attempts: 1}}
""",
    )
    done = project.run("campaign", str(file))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f": {kind}: " in done.stdout
    assert "1 of 2 runs failed" in done.stdout
    assert project.processes() == []
    status = project.json("status", "failing")
    assert [(run["status"], run["failure_kind"]) for run in status["run_list"]] == [
        ("completed", None),
        ("failed", kind),
    ]
    (failure,) = project.results.glob("failing/attempts/*/failure.json")
    assert json.loads(failure.read_text())["kind"] == kind
    dry = project.run("resume", "--dry-run")
    assert "1 run left" in dry.stdout
    resumed = project.run("resume")
    assert resumed.returncode == 0, resumed.stdout
    status = project.json("status", "failing")
    assert [(run["status"], run["attempts"]) for run in status["run_list"]] == [("completed", 1), ("completed", 2)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_stops_the_run_and_resume_goes_on(project: Project, number: int, code: int) -> None:
    host = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    project.wait_for_runner(host, phase="window")
    host.send_signal(number)
    output, _ = host.communicate(timeout=60)
    assert host.returncode == code, output
    assert "orchestrate resume slow" in output
    assert project.processes() == []
    status = project.json("status", "slow")
    assert (status["pending"], status["running"], status["failed"]) == (2, 0, 0)
    (failure,) = project.results.glob("slow/attempts/*/failure.json")
    assert json.loads(failure.read_text())["kind"] == "interrupted"


def test_a_runner_left_alive_is_adopted_and_finishes(project: Project) -> None:
    file = project.write("alive.yaml", SLOW.replace("slow", "alive").replace("prompts: 50", "prompts: 2"))
    host = project.start("campaign", str(file))
    runner = project.wait_for_runner(host, phase="window")
    kill(host)
    resumed = project.run("resume", "alive")
    assert resumed.returncode == 0, resumed.stderr
    assert "found alive" in resumed.stdout
    assert not runner.is_running()
    assert [run["attempts"] for run in project.json("status", "alive")["run_list"]] == [1, 1]


def test_a_second_orchestrator_is_refused(project: Project) -> None:
    host = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    project.wait_for_runner(host, phase="window")
    second = project.run("resume", "slow")
    assert second.returncode == 4
    assert f"process {host.pid} on " in second.stderr
    assert project.json("status", "slow")["in_use"] is True
    host.send_signal(signal.SIGINT)
    host.communicate(timeout=60)


def test_a_token_reaches_the_runner_and_no_file(project: Project) -> None:
    secret = "hf_this_must_stay_secret"
    file = project.write("slow.yaml", SLOW)
    host = project.start("campaign", str(file), "-v", environment={"HF_TOKEN": secret})
    runner = project.wait_for_runner(host, phase="window")
    assert runner.environ()["HF_TOKEN"] == secret
    assert not any(secret in argument for process in project.processes() for argument in process.cmdline())
    host.send_signal(signal.SIGINT)
    output, _ = host.communicate(timeout=60)
    assert secret not in output
    holding = [path for path in project.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert holding == []


def test_a_single_run_lands_in_adhoc_each_time_anew(project: Project) -> None:
    flags = ["run", "--backend", "simulated", "--model", "any/model", "--prompts", "4", "--output-tokens", "8"]
    for _ in range(2):
        done = project.run(*flags, "--batch-size", "2", "--tokens-per-s", "2000")
        assert done.returncode == 0, done.stderr
    assert sorted(result.cycle for result in load_results(project.results / "adhoc")) == [1, 2]
    failed = project.run(*flags, "--fail", "crash")
    assert failed.returncode == 1
    assert "crashed: the runner was killed by SIGKILL" in failed.stderr


def test_on_a_terminal_progress_moves_and_the_table_fits(project: Project) -> None:
    file = project.write("grid.yaml", GRID)
    reading, writing = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    host = subprocess.Popen(
        [ORCHESTRATE, "campaign", str(file)], cwd=project.folder, stdout=writing, stderr=writing, env=environment
    )
    os.close(writing)
    shown = bytearray()
    while True:
        try:
            chunk = os.read(reading, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(reading)
    assert host.wait() == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "4/4" in text.replace(" ", "") or "3/4" in text.replace(" ", "")
    assert "J/token" in text


def test_output_that_nobody_reads_any_more_is_no_traceback(project: Project) -> None:
    project.run("campaign", str(project.write("grid.yaml", GRID)), "-q")
    reader = project.start("results", "list", "grid", "--json")
    assert reader.stdout is not None
    reader.stdout.close()
    assert reader.wait(timeout=60) == 128 + signal.SIGPIPE


def test_a_prompt_file_that_changed_is_noticed(project: Project) -> None:
    prompts = project.write("prompts.jsonl", '{"prompt": "one"}\n{"prompt": "two"}\n')
    file = project.write(
        "prompted.yaml",
        """
name: prompted
model: any/model
workload: {dataset: prompts.jsonl, prompts: 2, output_tokens: 4}
backends:
  simulated: {tokens_per_s: 2000, fail: crash}
""",
    )
    assert project.run("campaign", str(file)).returncode == 1
    prompts.write_text('{"prompt": "other"}\n{"prompt": "two"}\n')
    resumed = project.run("resume", "prompted")
    assert resumed.returncode == 2
    assert "is not what campaign 'prompted' began with" in resumed.stderr


def test_interrupting_between_runs_loses_nothing(project: Project) -> None:
    host = project.start("campaign", str(project.write("grid.yaml", GRID)))
    while not (project.results / "grid" / "campaign.json").exists():
        assert host.poll() is None
        time.sleep(0.01)
    time.sleep(0.15)
    host.send_signal(signal.SIGINT)
    host.communicate(timeout=60)
    assert host.returncode in (0, 130)
    assert project.processes() == []
    assert project.run("campaign", str(project.folder / "grid.yaml"), "-q").returncode == 0
    assert project.json("status", "grid")["completed"] == 4


SINGLE = ("run", "--backend", "simulated", "--model", "any/model", "--prompts", "1", "--warmup-iterations", "0")
LONG = (*SINGLE, "--output-tokens", "3000", "--tokens-per-s", "100")


def test_single_runs_are_one_at_a_time(project: Project) -> None:
    host = project.start(*LONG)
    project.wait_for_runner(host, phase="window")
    refused = project.run(*SINGLE)
    assert refused.returncode == 4
    assert "in use by process" in refused.stderr
    host.terminate()
    host.communicate()


def test_what_a_killed_single_run_left_is_stopped_by_the_next(project: Project) -> None:
    host = project.start(*LONG)
    runner = project.wait_for_runner(host, phase="window")
    kill(host)
    done = project.run(*SINGLE)
    assert done.returncode == 0, done.stderr
    assert not runner.is_running()
    assert project.processes() == []


def test_nothing_is_measured_beside_a_run_that_nobody_watches(project: Project) -> None:
    host = project.start(*LONG)
    runner = project.wait_for_runner(host, phase="window")
    kill(host)
    file = project.write("grid.yaml", GRID)
    refused = project.run("campaign", str(file))
    assert refused.returncode == 3
    assert f"still at work in process {runner.pid}" in refused.stderr
    kill(runner)
