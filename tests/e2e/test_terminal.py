"""What is seen on a terminal and off it: narrow and wide, with and without colours, with few runs and with many."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.load import load_campaign
from orchestrator.campaign.schema import Dispatching
from orchestrator.execution.planning import open_or_plan
from orchestrator.results.folders import CampaignFolder
from tests.builders import run_result
from tests.e2e.commands import ORCHESTRATE, Project
from tests.terminal import Terminal

CAMPAIGN = """\
name: seen
model: org/model
workload: {prompts: 2, output_tokens: 4}
backends: {simulated: {batch_size: [1, 2], tokens_per_s: 40, fail: FAIL}}
cycles: 2
"""
STAGED = [sys.executable, "-m", "tests.e2e.staged"]
REPOSITORY = Path(__file__).parents[2]
MANY = 10_000

Open = Callable[..., Terminal]


@pytest.fixture
def terminal(project: Project) -> Iterator[Open]:
    opened: list[Terminal] = []

    def run(*arguments: str, command: list[str] | None = None, **how: object) -> Terminal:
        environment = {"PYTHONPATH": str(REPOSITORY), **dict(how.pop("environment", {}))}  # type: ignore[call-overload]
        made = Terminal(
            [*(command or [ORCHESTRATE]), *arguments],
            project.folder,
            environment=environment,
            **how,  # type: ignore[arg-type]
        )
        opened.append(made)
        return made

    yield run
    for each in opened:
        each.close()


def widest(text: str) -> int:
    return max(map(cell_len, text.splitlines()))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_campaign_on_a_terminal_of_any_width(columns: int, project: Project, terminal: Open) -> None:
    project.write("c.yaml", CAMPAIGN.replace("FAIL", "null"))
    seen = terminal("campaign", "c.yaml", columns=columns)
    assert seen.end() == 0
    shown = seen.screen.text
    assert widest(shown) <= columns
    assert seen.screen.wrapped == 0
    assert seen.screen.coloured
    assert "=== Cycle 2 of 2 ===" in shown
    assert "[4/4]" in shown
    assert "seen: medians over cycles" in shown
    assert any(re.search(r"seen [━─ ]*\d/4 runs", text) for text in seen.seen)
    assert not re.search(r"\d/4 runs", shown)


def test_no_color_is_heeded_and_a_dumb_terminal_gets_plain_lines(project: Project, terminal: Open) -> None:
    project.write("c.yaml", CAMPAIGN.replace("FAIL", "null"))
    without = terminal("campaign", "c.yaml", environment={"NO_COLOR": "1"})
    assert without.end() == 0
    assert not without.screen.coloured
    assert any("0/4 runs" in text for text in without.seen)
    dumb = terminal("campaign", "c.yaml", "--name", "dumb", environment={"TERM": "dumb"})
    assert dumb.end() == 0
    assert (dumb.screen.coloured, dumb.screen.peak) == (False, 0)
    assert "[4/4]" in dumb.screen.text


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}], ids=str)
def test_off_a_terminal_lines_are_whole_and_nothing_moves(environment: dict[str, str], project: Project) -> None:
    project.write("c.yaml", CAMPAIGN.replace("FAIL", "null"))
    done = project.run("campaign", "c.yaml", environment={"COLUMNS": "40", **environment})
    assert done.returncode == 0, done.stderr
    assert not re.search(r"\x1b\[[^m]*[A-Za-ln-z]|\r", done.stdout)
    if not environment.get("FORCE_COLOR"):
        assert "\x1b" not in done.stdout
    assert "results: results/seen" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("[4/4]")]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_failures_end_in_a_summary_that_fits(columns: int, project: Project, terminal: Open) -> None:
    project.write("c.yaml", CAMPAIGN.replace("FAIL", "crash") + "failures: {retries: 0}\n")
    seen = terminal("campaign", "c.yaml", columns=columns)
    assert seen.end() == 1
    assert seen.screen.wrapped == 0
    assert widest(seen.screen.text) <= columns
    flat = " ".join(seen.screen.text.split())
    assert "Failed: 4 of 4 runs" in flat
    assert "4 runs · crashed: " in flat
    assert "runner.log" in flat.replace(" ", "")
    assert "`orchestrate resume seen` tries them again" in flat


def test_several_runs_at_once_pauses_and_retries_on_a_terminal(terminal: Open) -> None:
    seen = terminal(command=STAGED, columns=80, rows=11, echo=False)
    shown = seen.wait_for(lambda text: "more at work" in text and "231 W" in text)
    assert re.search(r"GPU 0 · window · 3/32 requests · 231 W", shown)
    assert "parallel ━" in shown
    assert "8/24 runs" in shown
    seen.type("\n")
    shown = seen.wait_for("FAILED")
    assert "failed, tried again in 10 s (1 retry left)" in shown
    assert "died of [red]that[/red]" in shown
    seen.wait_for("10/24 runs")
    seen.type("\n")
    seen.wait_for(lambda text: "until the GPU is cool · GPU 0" in text and "GPU 1" in text)
    seen.wait_for(lambda text: re.search(r"pause (29|28|27|26|25) s · until", text) is not None)
    seen.type("\n")
    seen.wait_for(lambda text: "until the GPU is cool" not in text)
    seen.type("\n")
    seen.wait_for("failures in a row · probe in 5")
    seen.type("\n")
    seen.wait_for("a run came through: the campaign goes on")
    seen.type("\n")
    assert seen.end() == 0
    assert seen.screen.wrapped == 0
    assert seen.screen.peak <= 11
    assert "at work" not in seen.screen.text
    assert "/24 runs" not in seen.screen.text
    assert "pause" not in seen.screen.text


@pytest.mark.parametrize("columns", [30, 40, 200])
def test_what_moves_fits_a_terminal_of_any_width(columns: int, terminal: Open) -> None:
    seen = terminal(command=STAGED, columns=columns, rows=24, echo=False)
    seen.wait_for(lambda text: "parallel" in text and "GPU 7" in text)
    moving = [line for line in seen.screen.text.splitlines() if line.startswith("  ") or "runs" in line]
    assert moving
    assert widest("\n".join(moving)) <= columns
    for _ in range(6):
        seen.type("\n")
    assert seen.end() == 0


def test_the_same_off_a_terminal_and_for_machines(project: Project) -> None:
    def staged(*modes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*STAGED, *modes], cwd=REPOSITORY, input="\n" * 10, capture_output=True, text=True, check=True
        )

    lines = staged().stdout.splitlines()
    assert [line for line in lines if line.startswith("pause")] == [
        "pause 30 s · until the GPU is cool · GPU 0",
        "pause 30 s · GPU 1",
    ]
    assert any(
        line.startswith("5 runs failed in a row, the last of crashed: nothing is started for 60 s") for line in lines
    )
    assert "pause ended after 12 s: the GPUs are cool" in staged("verbose").stdout
    quiet = staged("quiet")
    assert quiet.stdout == ""
    assert "FAILED" in quiet.stderr
    events = [json.loads(line) for line in staged("json").stdout.splitlines()]
    (retried,) = [event for event in events if event["event"] == "RunRetried"]
    assert (retried["kind"], retried["wait_s"], retried["retries_left"]) == ("crashed", 10.0, 1)
    (gap,) = [event for event in events if event["event"] == "GapEnded"]
    assert (gap["between"], gap["ended_by"], gap["gpus"]) == ("experiments", "cool", [0])
    (opened,) = [event for event in events if event["event"] == "BreakerOpened"]
    assert (opened["in_a_row"], opened["kind"], opened["probes_left"]) == (5, "crashed", 3)


def test_the_menu_of_resume(project: Project, terminal: Open) -> None:
    for name in ("first", "second"):
        project.write(f"{name}.yaml", CAMPAIGN.replace("seen", name).replace("FAIL", "crash"))
        assert project.run("campaign", f"{name}.yaml").returncode == 1
    off = project.run("resume")
    assert off.returncode == 2
    assert "several campaigns are unfinished: first, second" in off.stderr
    seen = terminal("resume")
    shown = seen.wait_for("Which one? 1-2, or q")
    assert re.search(r"1\s+second\s+0\s+4\s+0\s+\d{4}-", shown)
    assert re.search(r"2\s+first\s+0\s+4\s+0\s+\d{4}-", shown)
    seen.type("3\n")
    seen.wait_for("'3' is none of them")
    seen.type("q\n")
    assert seen.end() == 0
    chosen = terminal("resume", "--dry-run")
    chosen.wait_for("Which one?")
    chosen.type("2\n")
    assert chosen.end() == 0
    assert "campaign first: 4 runs left" in chosen.screen.text


@pytest.fixture
def many(project: Project) -> Project:
    """A campaign of 10,000 runs that has ended: three quarters complete, a quarter failed."""
    rates = ",".join(f"{rate}.0" for rate in range(1, MANY // 10 + 1))
    sizes = ",".join(str(2**power) for power in range(10))
    file = project.write(
        "many.yaml",
        "name: many\nmodel: org/model\nworkload: {prompts: 512}\n"
        f"backends: {{simulated: {{batch_size: [{sizes}], tokens_per_s: [{rates}]}}}}\n",
    )
    campaign = load_campaign(file)
    folder = CampaignFolder(project.results / "many")
    manifest = project.folder / ".state" / "many" / "manifest.db"
    opened, _ = open_or_plan(campaign, folder, manifest, Dispatching("local", None))
    opened.close()
    result = json.loads(run_result(campaign="many", backend="simulated").model_dump_json())
    for index, planned in enumerate(expand(campaign, Funnel())):
        if index % 4:
            path = folder.run_folder(planned.experiment_id, 1)
            path.mkdir(parents=True)
            own = {
                "experiment_id": planned.experiment_id,
                "run_id": f"{planned.experiment_id}.c001",
                "order_index": index,
                "experiment": planned.experiment.model_dump(mode="json"),
            }
            (path / "result.json").write_text(json.dumps({**result, **own}))
    with sqlite3.connect(manifest) as connection:
        connection.execute("UPDATE runs SET status = 'completed', attempts = 1 WHERE order_index % 4")
        connection.execute(
            "UPDATE runs SET status = 'failed', attempts = 2, failure_kind = 'crashed',"
            " message = 'died of ' || order_index WHERE order_index % 4 = 0"
        )
    connection.close()
    return project


def test_ten_thousand_runs_are_shown_in_bounds(many: Project, terminal: Open) -> None:
    for arguments, lines, told in (
        (("campaign", "many.yaml", "--dry-run"), 120, "10,000 runs"),
        (("status",), 20, "7500"),
        (("status", "many"), 1000, "2400 more: --json"),
        (("resume", "many", "--dry-run"), 250, "2,300 more"),
    ):
        seen = terminal(*arguments, columns=80)
        assert seen.end() == 0, seen.screen.text
        assert told in seen.screen.text
        assert len(seen.screen.text.splitlines()) <= lines
    # Each failed run completes by itself meanwhile: the campaign is complete, and its end is shown.
    folder = CampaignFolder(many.results / "many")
    (one, *_) = folder.runs.glob("*/c001/result.json")
    result = json.loads(one.read_text())
    for index, planned in enumerate(expand(load_campaign(many.folder / "many.yaml"), Funnel())):
        path = folder.run_folder(planned.experiment_id, 1)
        if not path.exists():
            path.mkdir(parents=True)
            own = {"experiment_id": planned.experiment_id, "run_id": f"{planned.experiment_id}.c001"}
            (path / "result.json").write_text(json.dumps({**result, **own, "order_index": index}))
    seen = terminal("resume", "many", columns=200)
    assert seen.end() == 0
    assert "9,900 more experiments: orchestrate results list many" in seen.screen.text
    assert len(seen.screen.text.splitlines()) < 200
    listed = many.run("results", "list", "many")
    assert len(listed.stdout.splitlines()) >= MANY
