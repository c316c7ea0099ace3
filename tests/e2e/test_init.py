"""`orchestrate init` on a real terminal and off it, and the campaign that it leaves, run for real."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.report.loading import load_results
from orchestrator.system.config import load_user_config
from orchestrator.system.simulated_gpu.settings import Simulation
from tests.e2e.commands import ORCHESTRATE, Project
from tests.e2e.terminals import Terminal

# No engine of Docker, so that the questions are the same everywhere.
NO_DOCKER = {"DOCKER_HOST": "unix:///nowhere", "CUDA_VISIBLE_DEVICES": ""}


def wizard(project: Project, *arguments: str, **environment: str) -> Terminal:
    return Terminal([ORCHESTRATE, "init", *arguments], project.folder, {**NO_DOCKER, **environment})


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_answers_become_files_and_wrong_ones_are_asked_again(project: Project) -> None:
    with wizard(project) as terminal:
        terminal.answer("Backend [", "nonesuch")
        assert "a number or a name" in terminal.answer("Backend [", "simulated")
        terminal.answer("to let the machine cool, in seconds [0]", "-1")
        assert "greater than or equal to 0" in terminal.answer("in seconds [0]", "0.25")
        terminal.answer("Pause before each cycle, in seconds [0]", "soon")
        assert "'soon' is not a number" in terminal.answer("in seconds [0]", "")
        terminal.answer("10 W a logical core)", "65")
        terminal.answer("Webhook to call", "hooks.example.org")
        assert "begins with http" in terminal.answer("Webhook to call", "https://hooks.example.org/x")
        terminal.answer("when a campaign is complete? [Y/n]", "n")
        terminal.answer("when runs failed? [Y/n]", "")
        said = terminal.end()
    assert terminal.process.returncode == 0, said
    assert "This machine" in said
    config = load_user_config(project.folder / ".orchestrate.yaml")
    assert config.model_dump(exclude_unset=True) == {
        "cpu_tdp_w": 65.0,
        "gaps": {"experiment_s": 0.25},
        "notify": {"webhook_url": "https://hooks.example.org/x", "on_complete": False},
    }
    (project.folder / ".orchestrate.yaml").unlink()  # nobody is there to be told
    done = project.run("campaign", "campaigns/first.yaml", "-q")
    assert done.returncode == 0, done.stderr
    assert len(load_results(project.results / "first")) == 4


def test_without_a_url_nothing_is_asked_about_when_to_call_it(project: Project) -> None:
    with wizard(project) as terminal:
        terminal.answer("Backend [", "simulated")
        for _ in range(3):
            terminal.answer(": ", "")
        terminal.answer("(empty: none)", "")
        assert "Call it" not in terminal.end()
    assert terminal.process.returncode == 0
    assert load_user_config(project.folder / ".orchestrate.yaml").model_fields_set == set()


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "end of input"])
@pytest.mark.parametrize("answers", [0, 1, 3])
def test_who_gives_up_half_way_finds_nothing_written(project: Project, key: str, answers: int) -> None:
    with wizard(project, "deep/folder") as terminal:
        terminal.until("Backend [")
        terminal.until(": ")
        for answer in ["simulated", "1", "2"][:answers]:
            terminal.type(answer + "\n")
            terminal.until("]: ")
        assert "interrupted" in terminal.give_up(key)
    assert terminal.process.returncode == 130
    assert files(project.folder) == set()


def test_a_user_config_that_is_there_is_kept_or_changed_in_place(project: Project) -> None:
    mine = "# mine\ndispatch: local  # since\ngaps:\n  cycle_s: 3  # s\n"
    config = project.write(".orchestrate.yaml", mine)
    (project.folder / "campaigns").mkdir()
    project.write("campaigns/first.yaml", "name: mine\n")
    with wizard(project) as terminal:
        terminal.answer("Keep it as it is? [Y/n]", "")
        assert "Backend [" not in terminal.end()
    assert config.read_text() == mine

    with wizard(project) as terminal:
        terminal.answer("Keep it as it is? [Y/n]", "n")
        terminal.answer("cool, in seconds [0]", "")
        terminal.answer("each cycle, in seconds [3]", "4")
        terminal.answer("a logical core)", "")
        terminal.answer("(empty: none)", "")
        said = terminal.end()
    assert terminal.process.returncode == 0
    assert "kept .orchestrate.yaml.orig" in said
    assert config.read_text() == mine.replace("3  # s", "4  # s")
    assert (project.folder / ".orchestrate.yaml.orig").read_text() == mine
    assert (project.folder / "campaigns/first.yaml").read_text() == "name: mine\n"

    config.write_text("gaps: {cycle_s: 3}\n")
    with wizard(project) as terminal:
        terminal.answer("Keep it as it is? [Y/n]", "n")
        for answer in ("", "4", "", ""):
            terminal.answer(": ", answer)
        said = terminal.end()
    assert "was left as it is: change in it yourself\n  gaps.cycle_s: 4" in said
    assert config.read_text() == "gaps: {cycle_s: 3}\n"


def test_gpus_are_offered_where_an_engine_can_use_them(
    project: Project, simulate: Callable[[Simulation, float], dict[str, str]]
) -> None:
    pytest.importorskip("torch")
    with wizard(project, **{**simulate(Simulation(), 0.0), "CUDA_VISIBLE_DEVICES": "0"}) as terminal:
        terminal.answer("Backend [", "pytorch")
        terminal.answer("Model [", "")
        terminal.answer("or cpu) [0]", "5")
        assert "there is no GPU 5 here; there are 0" in terminal.answer("or cpu) [0]", "cpu")
        terminal.answer("cool, in seconds [0]", "")
        terminal.answer("each cycle, in seconds [0]", "")
        terminal.answer("(empty: none)", "")
        terminal.end()
    assert "    device: cpu\n" in (project.folder / "campaigns/first.yaml").read_text()


@pytest.mark.engine
def test_off_a_terminal_the_defaults_are_taken_and_the_campaign_runs_on_this_machine(project: Project) -> None:
    done = project.run("init", "--non-interactive", environment=NO_DOCKER)
    assert done.returncode == 0, done.stderr
    assert "no terminal" not in done.stderr
    done = project.run("campaign", "campaigns/first.yaml", "-q", timeout_s=600, environment=NO_DOCKER)
    assert done.returncode == 0, done.stdout + done.stderr
    results = load_results(project.results / "first")
    assert len(results) == 4
    assert {result.backend for result in results} != {"simulated"}
    assert all(result.output_tokens == 8 * 16 for result in results)


def test_two_at_once_leave_one_whole_project(project: Project) -> None:
    environment = {**NO_DOCKER, "PATH": os.environ["PATH"]}
    started = [project.start("init", "--non-interactive", environment=environment) for _ in range(3)]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert not [path for path in project.folder.rglob("*") if path.name.endswith((".new", ".orig"))]
    assert project.run("config", "validate").returncode == 0
