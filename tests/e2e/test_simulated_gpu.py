"""`orchestrate simulate-gpu` and what runs under it, through the installed command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.system.simulated_gpu.settings import uuid_of
from tests.builders import cli
from tests.e2e.commands import ORCHESTRATE, Project

pytestmark = pytest.mark.usefixtures("nvml_library")

POWER = "import pynvml as n; n.nvmlInit(); print(n.nvmlDeviceGetPowerUsage(n.nvmlDeviceGetHandleByIndex(0)))"
CAMPAIGN = """
name: on-a-gpu
model: demo:smollm2-135m
workload: {prompts: 4, input_tokens: 16, output_tokens: 16}
backends:
  pytorch: {batch_size: 4}
"""


def test_the_doctor_names_the_gpus_as_simulated(project: Project) -> None:
    done = project.run("simulate-gpu", "--gpus", "2", "--", ORCHESTRATE, "doctor", "--json", timeout_s=300)
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert found["GPU"]["status"] == "ok"
    assert found["GPU"]["seen"].startswith("0: Simulated H100, 1: Simulated H100; simulated, none is measured")
    assert found["CUDA"]["status"] == found["NVIDIA container toolkit"]["status"] == "not needed"
    assert done.stderr == "simulated GPU: 2 × Simulated H100; what it draws is made up\n"


def test_the_exit_code_is_that_of_the_command() -> None:
    assert cli("simulate-gpu", "sh", "-c", "exit 7").returncode == 7


def test_without_a_command_a_shell_is_told_what_to_set() -> None:
    Path("steady.txt").write_text("# steady\n1:123\n")
    exports = cli("simulate-gpu", "--curve", "steady.txt").stdout
    done = subprocess.run(
        ["sh", "-c", f'{exports}\n"$0" -c "$1"', sys.executable, POWER], capture_output=True, text=True, check=True
    )
    assert done.stdout == "123000\n"


def test_a_config_of_ones_own_begins_when_the_command_does() -> None:
    text = f"[gpu]\nuuid {uuid_of(0)}\ncurve 1000:400\nbefore 7\n"
    Path("ours.conf").write_text(text)
    assert cli("simulate-gpu", "--config", "ours.conf", "--", sys.executable, "-c", POWER).stdout != "7000\n"
    Path("ours.conf").write_text(f"origin_s 1e9\n{text}")
    assert cli("simulate-gpu", "--config", "ours.conf", "--", sys.executable, "-c", POWER).stdout == "7000\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--gpus", "0"], "0 is not in the range"),
        (["--curve", "nowhere.txt"], "--curve nowhere.txt: nowhere.txt cannot be read: No such file"),
        (["--curve", "bad.txt"], "--curve bad.txt: line 2: 'x' is not a step"),
        (["--counter-period-s", "0"], "counter_period_s 0 is not from"),
        (["--config", "bad.conf"], "bad.conf:3: no such setting of a GPU: colour"),
        (["--config", "bad.conf", "--gpus", "2"], "--config says everything"),
        (["--", "there-is-no-such-command"], "there-is-no-such-command cannot be started: No such file"),
        (["--project-dir", "nowhere"], "there is no folder"),
    ],
)
def test_bad_input(arguments: list[str], reason: str) -> None:
    Path("bad.txt").write_text("1:5\nx\n")
    Path("bad.conf").write_text(f"[gpu]\nuuid {uuid_of(0)}\ncolour red\n")
    done = cli("simulate-gpu", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    done = cli("simulate-gpu")
    assert done.returncode == 3
    assert "needs a C compiler, and CC names 'no-such-compiler'" in done.stderr
    assert "apt-get install gcc" in done.stderr


def test_in_a_project_its_folder_is_the_projects(project: Project) -> None:
    project.write(".orchestrate.yaml", "")
    exports = project.run("simulate-gpu").stdout
    (folder,) = set(re.findall(rf"{re.escape(str(project.folder))}/\.state/simulated-gpu/[0-9a-f]{{12}}", exports))
    assert sorted(path.name for path in Path(folder).iterdir()) == ["gpus.conf", "libnvidia-ml.so.1"]
    assert project.run("simulate-gpu").stdout == exports, "the same GPUs for all that ask alike"
    assert (project.folder / ".state" / ".gitignore").exists()


@pytest.mark.engine
def test_the_page_works_as_it_is_written(project: Project) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "simulate-a-gpu.md"
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    assert script.count("orchestrate simulate-gpu") == 3
    path = f"{Path(ORCHESTRATE).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=project.folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0: Simulated H100" in done.stdout
    assert done.stdout.endswith("any command\n")


@pytest.mark.engine
def test_an_engine_computes_on_the_cpu_and_the_simulated_gpu_is_metered(project: Project) -> None:
    project.write("gpu.yaml", CAMPAIGN)
    project.write("steady.txt", "1:250\n")
    command = ["simulate-gpu", "--curve", "steady.txt", "--counter-period-s", "0.02", "--", ORCHESTRATE]
    done = project.run(*command, "campaign", "gpu.yaml", "--dispatch", "local", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = project.results.glob("on-a-gpu/runs/*/c001/result.json")
    result = json.loads(path.read_text())
    assert result["device"] == "cpu"
    assert result["energy_scope"] == "gpu"
    assert [gpu["name"] for gpu in result["gpus"]] == ["Simulated H100"]
    true_j = 250.0 * result["duration_s"]
    assert result["energy_low_j"] <= true_j <= result["energy_high_j"]
    assert result["energy_j"] == pytest.approx(true_j, rel=0.02)


@pytest.mark.engine
def test_each_run_gets_the_gpus_that_it_works_on_and_no_other(project: Project) -> None:
    """pytorch works on the first of the three that are named; the simulated backend plays on all of them."""
    both = CAMPAIGN.replace("  pytorch: {batch_size: 4}", "  pytorch: {batch_size: 4}\n  simulated: {}")
    quick = "measurement: {baseline_s: 0, loaded_idle_s: 0, warmup: {iterations: 0}}"
    project.write("gpu.yaml", f"{both}{quick}\ngpus: [2, 0, 1]\n")
    project.write("steady.txt", "1:250\n")
    command = ["simulate-gpu", "--gpus", "4", "--curve", "steady.txt", "--counter-period-s", "0.02", "--", ORCHESTRATE]
    done = project.run(*command, "campaign", "gpu.yaml", "--dispatch", "local", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {
        path.parent: json.loads(path.read_text()) for path in project.results.glob("on-a-gpu/runs/*/c001/result.json")
    }
    for folder, result in runs.items():
        expected = [uuid_of(index) for index in ((2,) if result["backend"] == "pytorch" else (2, 0, 1))]
        request = json.loads((folder / "request.json").read_text())
        assert [gpu["uuid"] for gpu in request["gpus"]] == expected
        assert [gpu["uuid"] for gpu in result["environment"]["gpus"]] == expected
        assert [gpu["uuid"] for gpu in result["gpus"]] == expected
        assert result["environment"]["variables"]["CUDA_VISIBLE_DEVICES"] == ",".join(expected)
        true_j = 250.0 * len(expected) * result["duration_s"]
        assert result["energy_low_j"] <= true_j <= result["energy_high_j"]
    assert {result["backend"] for result in runs.values()} == {"pytorch", "simulated"}
