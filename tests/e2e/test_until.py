"""Campaigns whose experiments are repeated until they are known, as they are used, killed and resumed."""

from __future__ import annotations

import json
import os
import random
import time

from tests.e2e.commands import Project, kill
from tests.e2e.ledger import Ledger
from tests.e2e.test_howto_pages import carried_out

KILLS = int(os.environ.get("ORCHESTRATE_KILLS", "6"))
SEED = int(os.environ.get("ORCHESTRATE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)

CAMPAIGN = """
name: unlike
model: any/model
workload: {prompts: 1, output_tokens: 4}
measurement: {warmup: {iterations: 0}, baseline_s: 0, loaded_idle_s: 0, sample_hz: 50}
backends:
  simulated: {load_s: [0, 1], tokens_per_s: 200}
until: {metric: load_s, relative_half_width: 0.03, min_cycles: 3, max_cycles: 7}
"""
"""Sleeping for a second takes that; sleeping not at all takes microseconds, now more, now less."""


def complete(project: Project) -> tuple[int, int]:
    """How many complete runs the experiment that is steady has, and how many the other."""
    files = project.results.glob("unlike/runs/*/c*/result.json")
    loads = [json.loads(file.read_text())["experiment"]["options"]["load_s"] for file in files]
    return loads.count(1), loads.count(0)


def test_what_is_known_is_repeated_no_more_and_the_rest_is(project: Project) -> None:
    file = project.write("unlike.yaml", CAMPAIGN)
    done = project.run("campaign", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "campaign unlike: at most 14 runs over at most 7 cycles, 0 complete, at most 14 to run" in said
    assert "each experiment is repeated until load_s is known to ± 3 %" in said
    steady, other = complete(project)
    assert 3 <= steady < 7
    assert other == 7
    assert f"after {steady} runs" in said
    assert f"Known to ± 3 % in load_s: 1 of 2 experiments; {7 - steady} run" in said
    assert "Not known so exactly, and not run further (7 cycles at most):" in said
    status = project.json("status", "unlike")
    assert (status["completed"], status["unneeded"]) == (steady + 7, 7 - steady)
    assert (status["pending"], status["failed"]) == (0, 0)
    assert sorted(each["state"] for each in status["precision"]) == ["known", "not known"]
    again = project.run("resume", "unlike")
    assert again.returncode == 0
    assert "is complete: nothing to run" in again.stdout


def test_its_events_are_told_to_machines(project: Project) -> None:
    file = project.write("unlike.yaml", CAMPAIGN)
    done = project.run("campaign", str(file), "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (known,) = [event for event in events if event["event"] == "ExperimentKnown"]
    assert (known["runs"] + known["spared"], known["method"]) == (7, None)
    assert 0 < known["relative_half_width"] <= 0.03
    (ended,) = [event for event in events if event["event"] == "CampaignEnded"]
    assert (ended["completed"], ended["unneeded"], len(ended["unsure"])) == (7 + known["runs"], known["spared"], 1)


def test_killed_at_random_moments_it_runs_what_it_would_have_run(project: Project) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    file = project.write("unlike.yaml", CAMPAIGN)
    ledger = Ledger(project.results, "unlike")
    for _ in range(KILLS):
        begun = (project.results / "unlike" / "campaign.json").exists()
        host = project.start("resume", "unlike", "-q") if begun else project.start("campaign", str(file), "-q")
        time.sleep(chance.uniform(0.2, 3.0))
        if host.poll() is None:
            kill(host)
        ledger.look()
    (project.folder / ".state" / "unlike" / "manifest.db").unlink(missing_ok=True)
    done = project.run("resume", "unlike", timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    ledger.look()
    steady, other = complete(project)
    assert 3 <= steady < 7
    assert other == 7
    status = project.json("status", "unlike")
    assert (status["completed"], status["unneeded"]) == (steady + 7, 7 - steady)
    assert (status["pending"], status["failed"]) == (0, 0)
    assert ledger.done_twice() == []
    assert project.processes() == []


def test_a_change_of_it_is_agreed_to_and_what_is_complete_stays(project: Project) -> None:
    file = project.write("unlike.yaml", CAMPAIGN.replace("max_cycles: 7", "max_cycles: 3"))
    assert project.run("campaign", str(file), "-q").returncode == 0
    assert complete(project) == (3, 3)
    project.write("unlike.yaml", CAMPAIGN.replace("max_cycles: 7", "max_cycles: 5"))
    refused = project.run("campaign", str(file), "-q")
    assert refused.returncode == 2
    assert "cycles: 3 to 3, until load_s is known to ± 3 % before, 3 to 5, until" in refused.stderr
    assert project.run("campaign", str(file), "-q", "--yes").returncode == 0
    assert complete(project)[1] == 5


def test_the_page_on_stopping_when_sure(project: Project) -> None:
    printed = " ".join(carried_out("until.md", project).split())
    assert "24 runs at most (3 to 12 cycles, interleaved)" in printed
    assert "at most 24 runs, at least 6" in printed
    assert "Repeated until energy_per_output_token_j is known to ± 2 %" in printed
