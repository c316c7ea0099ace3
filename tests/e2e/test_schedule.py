"""``orchestrate schedule`` as a user has it: started, killed, stopped, started again."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.notify.webhook import ENV_URL
from tests.e2e.commands import Project, kill
from tests.hooks import Hook, served

CAMPAIGN = """
name: nightly
model: any/model
workload: {prompts: 2, output_tokens: 2}
measurement: {sample_hz: 50}
backends:
  simulated: {batch_size: [1, 2]}
"""
SLOW = CAMPAIGN.replace("output_tokens: 2", "output_tokens: 20").replace("[1, 2]", "[1, 2], tokens_per_s: 10")


def wait_for(what: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def complete(project: Project) -> dict[str, int]:
    """The complete runs of each campaign."""
    names = [path.parent.name for path in project.results.glob("*/campaign.json")]
    return {name: len(list(project.results.glob(f"{name}/runs/*/c*/result.json"))) for name in sorted(names)}


def standing(project: Project) -> Any:
    return json.loads((project.folder / ".state/_schedules/nightly/standing.json").read_text())


def test_it_starts_again_and_again(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN)
    host = project.start("schedule", str(file), "--every", "5s")
    wait_for(lambda: list(complete(project).values()).count(2) >= 2)
    host.send_signal(signal.SIGTERM)
    said, _ = host.communicate(timeout=60)
    assert host.returncode == 143, said
    assert "Traceback" not in said
    assert all(name.startswith("nightly-20") and name.endswith("z") for name in complete(project))
    assert project.processes() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_waiting_it_says_for_what_and_can_be_stopped(project: Project, number: int, code: int) -> None:
    host = project.start("schedule", str(project.write("nightly.yaml", CAMPAIGN)), "--at", other_hour())
    assert host.stdout
    assert any(line.startswith("next start: 20") for line in host.stdout)
    host.send_signal(number)
    said, _ = host.communicate(timeout=60)
    assert host.returncode == code
    assert "the same command goes on from here" in said
    assert "Traceback" not in said


def test_killed_at_work_it_goes_on_with_the_same_start(project: Project) -> None:
    file = project.write("nightly.yaml", SLOW)
    host = project.start("schedule", str(file), "--every", "1h")
    project.wait_for_runner(host, phase="window")
    kill(host)
    begun = standing(project)["begun"]
    again = project.start("schedule", str(file), "--every", "1h")
    wait_for(lambda: standing(project)["begun"] is None)
    again.send_signal(signal.SIGTERM)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 143, said
    assert complete(project) == {begun: 2}
    assert "found alive" in said or "mended" in said, said


def test_stopped_at_work_it_goes_on_with_the_same_start(project: Project) -> None:
    file = project.write("nightly.yaml", SLOW)
    host = project.start("schedule", str(file), "--every", "1h")
    project.wait_for_runner(host, phase="window")
    host.send_signal(signal.SIGINT)
    said, _ = host.communicate(timeout=60)
    assert host.returncode == 130, said
    begun = standing(project)["begun"]
    assert f"campaign '{begun}' stopped" in said
    project.write("nightly.yaml", "name: [broken")
    project.write("other.yaml", CAMPAIGN)
    again = project.start("schedule", "other.yaml", "--every", "1h")
    # As it was begun, whatever became of the file.
    wait_for(lambda: standing(project)["begun"] is None)
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=60)
    assert complete(project) == {begun: 2}


def test_two_on_one_schedule_are_refused(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN)
    host = project.start("schedule", str(file), "--at", other_hour())
    wait_for(lambda: (project.folder / ".state/_schedules/nightly/standing.json").exists())
    second = project.run("schedule", str(file), "--every", "24h")
    assert second.returncode == 4
    assert f"the schedule of 'nightly' is in use by process {host.pid}" in second.stderr
    host.send_signal(signal.SIGTERM)
    said, _ = host.communicate(timeout=60)
    assert host.returncode == 143
    assert f"{other_hour()} " in said
    assert complete(project) == {}


def test_a_single_start_ends_with_the_campaigns_exit_code(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN + "schedule: {between: 00:00-23:59}\n")
    if time.localtime()[3:5] >= (23, 50):
        pytest.skip("the window is about to close")
    done = project.run("schedule", str(file))
    assert done.returncode == 0, done.stderr
    assert complete(project) == {"nightly": 2}
    project.write("nightly.yaml", CAMPAIGN.replace("[1, 2]", "[1, 2], fail: unsupported").replace("nightly", "failing"))
    failed = project.run("schedule", str(file), "--between", "00:00-23:59")
    assert failed.returncode == 1, failed.stdout + failed.stderr


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served() as serving:
        yield serving


def test_what_goes_wrong_at_one_start_is_told_and_the_next_awaited(project: Project, hook: Hook) -> None:
    file = project.write("nightly.yaml", CAMPAIGN)
    host = project.start("schedule", str(file), "--every", "4s", "--json", environment={ENV_URL: hook.url})
    wait_for(lambda: list(complete(project).values())[:1] == [2])
    project.write("nightly.yaml", "name: [broken")
    assert host.stdout
    events = []
    for line in host.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "StartFailed":
            break
    assert "not valid YAML" in events[-1]["message"]
    told = hook.posts[-1].json
    assert (told["event"], told["campaign"]) == ("campaign.stopped", events[-1]["campaign"])
    assert told["error"] == events[-1]["message"]
    project.write("nightly.yaml", CAMPAIGN)
    before = len(complete(project))
    wait_for(lambda: len(complete(project)) > before)
    host.send_signal(signal.SIGTERM)
    host.communicate(timeout=60)
    assert host.returncode == 143


def test_the_next_starts_are_listed_by_the_clock_on_the_wall(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN)
    listed = project.run(
        "schedule", str(file), "--at", "02:30", "--every", "24h", "--next", "400", environment={"TZ": "Europe/Berlin"}
    )
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert len(lines) == len({line[:10] for line in lines}) == 400
    clocks = {line[11:].partition(" (")[0] for line in lines}
    # Once a year half past two does not exist.
    assert clocks == {"02:30 CET", "02:30 CEST", "03:00 CEST"}
    assert complete(project) == {}
    assert not (project.folder / ".state").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give --at, --every or --between"),
        (["--at", "25:00"], "--at: a time of day is HH:MM"),
        (["--every", "soon"], "--every: a duration is a number"),
        (["--every", ""], "--every: a duration is a number"),
        (["--between", "22:00"], "--between: a window of the day is"),
        (["--at", "12:00", "--between", "22:00-06:00"], "at 12:00 is never between 22:00 and 06:00"),
    ],
)
def test_wrong_times_are_refused(project: Project, flags: list[str], message: str) -> None:
    refused = project.run("schedule", str(project.write("nightly.yaml", CAMPAIGN)), *flags)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_name_that_leaves_no_room_for_the_time_is_refused(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN.replace("nightly", "n" * 48))
    refused = project.run("schedule", str(file), "--every", "24h")
    assert refused.returncode == 2
    assert "at most 47 characters" in refused.stderr


def test_a_zone_that_nobody_knows_is_refused(project: Project) -> None:
    file = project.write("nightly.yaml", CAMPAIGN)
    refused = project.run("schedule", str(file), "--at", "22:00", environment={"TZ": "Mars/Olympus"})
    assert refused.returncode == 2
    assert "'Mars/Olympus' is no time zone" in refused.stderr


def other_hour() -> str:
    """A time of day that is not near."""
    return f"{(time.localtime().tm_hour + 12) % 24:02}:00"


def test_the_commands_of_the_page_work(project: Project) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/schedule.md").read_text(encoding="utf-8")
    (project.folder / "campaigns").mkdir()
    project.write("campaigns/quickstart.yaml", CAMPAIGN)
    (command,) = page.partition("```sh\n")[2].partition("```")[0].splitlines()
    zone, program, *arguments = shlex.split(command)
    assert program == "orchestrate"
    listed = project.run(*arguments, environment=dict([zone.split("=")]))
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 3), listed.stderr
    section = page.partition("```yaml\n")[2].partition("```")[0]
    file = project.write("with.yaml", CAMPAIGN + section)
    assert project.run("schedule", str(file), "--dry-run").stdout.count(" 22:00 ") == 5
    shown = re.findall(r"^\| `orchestrate schedule FILE (.*?)` ", page, re.MULTILINE)
    assert len(shown) == 5
    for flags in shown:
        assert project.run("schedule", "campaigns/quickstart.yaml", *flags.split(), "--dry-run").returncode == 0
