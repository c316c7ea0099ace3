"""What commands say where nobody looks, to machines, and in the singular."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.console import print_event, print_table, tries
from orchestrator.cli.console.at_work import AtWork
from orchestrator.cli.console.terminal import hanging
from orchestrator.cli.console.words import pause_in_words
from orchestrator.execution.events import GapStarted
from orchestrator.execution.scheduling import StartAwaited
from orchestrator.report.tables import Column, Table
from tests.builders import ORCHESTRATE, call

ONE_RUN = """\
name: one
model: org/model
workload: {prompts: 2, output_tokens: 2}
backends: {simulated: {tokens_per_s: 100000}}
"""


@pytest.fixture
def one() -> Path:
    Path("one.yaml").write_text(ONE_RUN)
    return Path("one.yaml")


@pytest.mark.parametrize("arguments", ["init", "resume one --wipe", "resume"])
def test_closed_standard_input_is_nobody_to_ask(arguments: str, one: Path) -> None:
    call("campaign", one)
    done = subprocess.run(
        f"{ORCHESTRATE} {arguments} <&-", shell=True, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 2, 3), done.stderr


def test_what_stands_before_a_subcommand_of_config_holds_for_it(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / ".orchestrate.yaml").write_text("cpu_tdp_w: 77\n")
    before = call("config", "--json", "--project-dir", other, "show")
    assert {"name": "cpu_tdp_w", "value": 77.0, "source": "user config"} in json.loads(before.stdout)
    assert before.stdout == call("config", "show", "--json", "--project-dir", other).stdout


@pytest.mark.parametrize("group", ["config", "results"])
def test_no_help_of_a_subcommand_is_cut_short(group: str) -> None:
    assert "..." not in call(group, "--help").stdout.partition("Commands:")[2]


def test_with_json_and_quiet_nothing_but_that_is_said(one: Path) -> None:
    for flag in ("--json", "--quiet"):
        assert call("resume", flag) == (0, "", "")
    call("campaign", one, "--quiet")
    wiped = call("resume", "one", "--wipe", "--dry-run", "--json")
    assert json.loads(wiped.stdout)["would_move"]["complete"] == 1
    assert "1 complete run and 0 other attempts" in call("resume", "one", "--wipe", "--dry-run").stdout
    assert "1 run (1 experiment × 1 cycle)" in call("status", "one").stdout


@pytest.mark.parametrize("command", [["campaign"], ["campaign", "--dry-run"], ["schedule", "--between", "00:00-23:59"]])
def test_wrong_known_issues_are_told_before_anything_is_asked(one: Path, command: list[str]) -> None:
    Path("issues.yaml").write_text("- {id: 3}\n")
    Path(".orchestrate.yaml").write_text("ask_above_hours: 0\n")
    done = call(*command, one)
    assert (done.returncode, done.stdout) == (2, "")
    assert "issues.yaml:1: [0].id: input should be a valid string" in done.stderr
    assert "ahead:" not in done.stderr


def test_a_changed_file_is_agreed_to_before_a_schedule_that_keeps_the_name(one: Path) -> None:
    assert call("campaign", one).returncode == 0
    one.write_text(ONE_RUN.replace("100000", "50000"))
    now = datetime.now().astimezone()
    window = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    refused = call("schedule", one, "--between", window)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "its file changed since" in refused.stderr
    assert not list(Path(".state/_schedules").rglob("standing.json"))
    assert call("schedule", one, "--between", window, "--yes").returncode == 0
    status = json.loads(call("status", "one", "--json").stdout)
    assert (status["completed"], len(status["retired"])) == (1, 1)


def test_what_is_ahead_of_a_changed_campaign_is_what_its_file_now_says(one: Path) -> None:
    assert call("campaign", one).returncode == 0
    one.write_text(ONE_RUN.replace("100000", "[100000, 50000, 20000]") + "cycles: 2\n")
    assert json.loads(call("campaign", one, "--dry-run", "--json").stdout)["ahead"]["runs"] == 5
    assert "ahead: 5 runs" in call("campaign", one, "--yes").stderr
    assert "ahead" not in call("campaign", one).stderr


def test_moments_are_iso_8601_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    print_event(StartAwaited("nightly", datetime(2026, 11, 22, 22, tzinfo=UTC), goes_on=False))
    assert json.loads(capsys.readouterr().out)["at"] == "2026-11-22T22:00:00+00:00"


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, "0.2"), (0.0, "0"), (1.0, "1"), (59.7, "60")])
def test_a_short_pause_is_not_none(seconds: float, shown: str) -> None:
    gap = GapStarted(between="experiments", duration_s=seconds, until_cool=False, gpus=())
    assert pause_in_words(gap, seconds) == f"pause {shown} s"


def test_a_little_energy_is_not_none() -> None:
    assert AtWork(energy_j=0.12, methods={"simulated"}).energy == "windows 0.12 J (simulated)"


def test_what_came_of_each_try_is_said_once() -> None:
    assert tries(["timeout", "HTTP 503", "HTTP 503", "HTTP 200"]) == "timeout; HTTP 503 (2 times); HTTP 200"


def test_a_title_longer_than_its_table_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    title = "a title that is longer by far than the only column of its table is wide"
    print_table(Table(title, [Column("run")], [["1"]]))
    assert capsys.readouterr().out.splitlines()[0] == title


def test_a_long_line_goes_on_below_between_words_and_as_far_indented() -> None:
    console = Console(width=30, file=io.StringIO())
    console.print(hanging("      hint: use a smaller batch_size or a shorter prompt"))
    assert isinstance(console.file, io.StringIO)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [
        "      hint: use a smaller",
        "      batch_size or a shorter",
        "      prompt",
    ]
