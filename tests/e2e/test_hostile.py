"""What users and machines do to it: shadowed modules, closed pipes, copied folders, closed terminals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.commands import ORCHESTRATE, Project, kill

QUICK = """
name: quick
model: any/model
workload: {prompts: 2, output_tokens: 4}
backends:
  simulated: {tokens_per_s: 2000, batch_size: [1, 2]}
"""
SLOW = QUICK.replace("quick", "slow").replace("2000", "5").replace("output_tokens: 4", "output_tokens: 100")
SLOW += "measurement: {warmup: {iterations: 0}}\nfailures: {retries: 0}\n"


def test_modules_in_the_users_folder_are_not_ours(project: Project) -> None:
    project.write("random.py", "raise SystemExit('imported by mistake')")
    (project.folder / "runners").mkdir()
    project.write("runners/__init__.py", "raise SystemExit('imported by mistake')")
    done = project.run("campaign", str(project.write("quick.yaml", QUICK)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pipe_that_closes_leaves_no_runner_behind(project: Project) -> None:
    file = project.write("slow.yaml", SLOW)
    for arguments in (["campaign", str(file), "--json"], ["campaign", str(file), "-v"]):
        host = project.start(*arguments)
        assert host.stdout is not None
        host.stdout.readline()
        host.stdout.close()
        assert host.wait(timeout=60) == 128 + signal.SIGPIPE
        assert project.processes() == []


def test_a_terminal_that_closes_stops_the_run(project: Project) -> None:
    host = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    project.wait_for_runner(host, phase="window")
    host.send_signal(signal.SIGHUP)
    host.communicate(timeout=60)
    assert host.returncode == 128 + signal.SIGHUP
    assert project.processes() == []
    assert project.json("status", "slow")["pending"] == 2


def test_results_under_another_name_are_not_taken_for_another_campaign(project: Project) -> None:
    project.run("campaign", str(project.write("quick.yaml", QUICK)), "-q")
    shutil.copytree(project.results / "quick", project.results / "copy")
    for command in (["resume", "copy"], ["status", "copy"]):
        done = project.run(*command)
        assert done.returncode == 2
        assert "holds results of campaign 'quick'" in done.stderr


def test_two_projects_that_share_results_do_not_share_a_campaign(project: Project, tmp_path: Path) -> None:
    project.write(".orchestrate.yaml", f"results_dir: {tmp_path / 'shared'}\n")
    other = Project(tmp_path / "other")
    other.write(".orchestrate.yaml", f"results_dir: {tmp_path / 'shared'}\n")
    first = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    deadline = time.monotonic() + 30
    while not list((tmp_path / "shared").glob("slow/attempts/*/events.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    second = other.run("campaign", str(other.write("slow.yaml", SLOW)))
    assert second.returncode == 4
    assert f"process {first.pid} on " in second.stderr
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)


def test_a_broken_result_is_named_and_the_others_are_shown(project: Project) -> None:
    file = project.write("quick.yaml", QUICK)
    project.run("campaign", str(file), "-q")
    broken = next(project.results.glob("quick/runs/*/c001/result.json"))
    broken.write_text(broken.read_text()[:100])
    again = project.run("campaign", str(file))
    assert again.returncode == 0
    assert "J/token" in again.stdout
    assert f"left out: {broken}" in again.stdout
    listed = project.run("results", "list", "quick", "--json")
    assert len(json.loads(listed.stdout)) == 1
    assert str(broken) in listed.stderr


def test_a_run_folder_that_was_emptied_is_run_again(project: Project) -> None:
    file = project.write("quick.yaml", QUICK)
    project.run("campaign", str(file), "-q")
    emptied = next(project.results.glob("quick/runs/*/c001"))
    shutil.rmtree(emptied)
    emptied.mkdir()
    again = project.run("campaign", str(file))
    assert again.returncode == 0
    assert "1 complete, 1 to run" in again.stdout
    assert (emptied / "result.json").is_file()


def test_results_that_vanish_during_a_run_are_no_fault_of_ours(project: Project) -> None:
    host = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    runner = project.wait_for_runner(host, phase="window")
    shutil.rmtree(project.results)
    kill(runner)
    output, _ = host.communicate(timeout=60)
    assert host.returncode in (1, 3), output
    assert "Traceback" not in output
    assert project.processes() == []


def test_a_runner_killed_by_a_signal_without_a_name(project: Project) -> None:
    host = project.start("campaign", str(project.write("slow.yaml", SLOW)))
    os.kill(project.wait_for_runner(host, phase="window").pid, 40)
    kill(project.wait_for_runner(host, phase="window"))
    output, _ = host.communicate(timeout=60)
    assert host.returncode == 1, output
    assert "killed by signal 40" in output


def test_a_narrow_terminal_cuts_no_figure(project: Project) -> None:
    project.run("campaign", str(project.write("quick.yaml", QUICK)), "-q")
    rates = [f"{result['output_tokens_per_s']:,.0f}" for result in project.json("results", "list", "quick")]
    for columns in ("20", "40", "200"):
        command = f"stty cols {columns}; {ORCHESTRATE} results list quick"
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            cwd=project.folder,
            env={**os.environ, "TERM": "xterm"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert all(rate in done.stdout for rate in rates if len(rate) > 4)
        assert "simulated" in done.stdout
    piped = project.run("results", "list", "quick", environment={"COLUMNS": "20"})
    assert all(rate in piped.stdout for rate in rates if len(rate) > 4)


def test_ascii_terminals_get_what_they_can_show(project: Project) -> None:
    done = project.run("campaign", str(project.write("quick.yaml", QUICK)), environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "J/token" in done.stdout


def test_odd_paths_are_refused_in_words(project: Project) -> None:
    os.mkfifo(project.folder / "pipe")
    for command in (["campaign", "/dev/zero"], ["campaign", "pipe"], ["results", "show", "x" * 5000]):
        done = project.run(*command)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
