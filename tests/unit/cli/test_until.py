"""What commands say of a campaign whose experiments are repeated until they are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.load import load_campaign
from orchestrator.campaign.schema import Dispatching
from orchestrator.cli.console.at_work import AtWork
from orchestrator.cli.console.words import PlainLines
from orchestrator.errors import InputError
from orchestrator.execution.campaigns import campaign_status, is_complete, runs_to_resume, unfinished_campaigns
from orchestrator.execution.changes import changes, retired
from orchestrator.execution.events import (
    CampaignStarted,
    CycleStarted,
    ExperimentGivenUp,
    ExperimentKnown,
    ExperimentReopened,
    Foreseen,
    RunCompleted,
)
from orchestrator.execution.planning import open_or_plan
from orchestrator.execution.precision import Known, Precision
from orchestrator.execution.preflight.look import preflight
from orchestrator.manifest.store import Manifest, Status
from orchestrator.reconcile import reconcile
from orchestrator.report.precision import give_or_take
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import thaw
from orchestrator.system.project import find_project
from tests.builders import call, published_run, run_result
from tests.unit.fakes import FakeDispatcher

FILE = """\
name: base
model: org/model
backends:
  simulated: {batch_size: [1, 2]}
until: {metric: energy_per_output_token_j, relative_half_width: 0.02, min_cycles: 3, max_cycles: 6}
"""
STEADY, NOISY = (0.5, 0.502, 0.499), (0.5, 0.6, 0.4, 0.5, 0.7, 0.45)


class Begun:
    """A campaign with runs, in the current folder."""

    def __init__(self) -> None:
        self.file = Path("base.yaml")
        self.file.write_text(FILE)
        self.project = find_project()
        self.folder = CampaignFolder(self.project.results / "base")
        manifest, _ = self.open()
        with manifest:
            self.ids = manifest.experiment_ids()

    def open(self, *, accept: bool = False) -> tuple[Manifest, list[str]]:
        return open_or_plan(
            load_campaign(self.file),
            self.folder,
            self.project.manifest("base"),
            Dispatching("local", None),
            accept_changes=accept,
        )

    def measured(self, place: int, *values: float, first: int = 1, **changes: Any) -> None:
        """Complete runs of an experiment, from the first of these cycles on."""
        for cycle, value in enumerate(values, start=first):
            result = run_result(cycle=cycle, energy_per_output_token_j=value, **changes)
            identity = self.ids[place]
            published_run(
                self.project.results,
                result.model_copy(update={"experiment_id": identity, "run_id": f"{identity}.c{cycle:03}"}),
            )

    def reconciled(self) -> None:
        wanted = load_campaign(self.file).file.until
        enough = (lambda: Precision(wanted).read(self.folder)) if wanted else tuple
        with self.open()[0] as manifest:
            reconcile(manifest, self.folder, FakeDispatcher(), over=enough)


@pytest.fixture
def begun() -> Begun:
    return Begun()


def text_of(*args: str) -> str:
    ended = call(*args)
    assert ended.returncode == 0, ended.stderr
    return " ".join(ended.stdout.split())


def test_a_dry_run_says_how_many_runs_it_may_be(begun: Begun) -> None:
    shown = text_of("campaign", "base.yaml", "--dry-run")
    assert "12 runs at most (3 to 6 cycles, interleaved)" in shown
    assert "each experiment is repeated until energy_per_output_token_j is known to ± 2 %" in shown
    assert "ahead: at most 12 runs, at least 6: time and energy unknown" in shown
    document = json.loads(call("campaign", "base.yaml", "--dry-run", "--json").stdout)
    assert document["until"]["max_cycles"] == 6
    assert (document["funnel"]["runs"], document["funnel"]["cycles"], len(document["runs"])) == (12, 6, 12)
    assert (document["ahead"]["runs"], document["ahead"]["runs_at_least"]) == (12, 6)


def test_config_show_tells_it_and_where_it_was_set(begun: Begun) -> None:
    rows = {row["name"]: row for row in json.loads(call("config", "show", "base.yaml", "--json").stdout)}
    assert rows["until.metric"] == {"name": "until.metric", "value": "energy_per_output_token_j", "source": "file"}
    begun.file.write_text(FILE.replace("min_cycles: 3, ", ""))
    rows = {row["name"]: row for row in json.loads(call("config", "show", "base.yaml", "--json").stdout)}
    assert (rows["until.min_cycles"]["value"], rows["until.min_cycles"]["source"]) == (5, "default")


def test_status_says_how_exactly_each_experiment_is_known(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY[:4], energy_method="simulated")
    begun.reconciled()
    shown = text_of("status", "base")
    assert "campaign base: at most 12 runs (2 experiments × at most 6 cycles)" in shown
    assert "2 pending, 7 completed, 3 unneeded" in shown
    assert "Repeated until energy_per_output_token_j is known to ± 2 %" in shown
    assert "batch_size runs known to state spared" in shown
    assert "1 3 ± 1.4 % known 3" in shown
    assert "2 4 ± 54 % (simulated) goes on" in shown
    assert shown.count(f"pending {begun.ids[1]}") == 2
    assert f"unneeded {begun.ids[0]}" not in shown
    document = json.loads(call("status", "base", "--json").stdout)
    assert (document["unneeded"], document["least_left"], document["until"]["min_cycles"]) == (3, 1, 3)
    first, second = document["precision"]
    assert (first["state"], first["runs"], first["unneeded"], first["energy_method"]) == ("known", 3, 3, "nvml")
    assert (second["state"], second["runs"], second["unneeded"]) == ("goes on", 4, 0)


def test_it_says_where_complete_runs_do_not_count(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, NOISY[0])
    for cycle in range(2, 7):
        begun.measured(1, NOISY[0], verdict="suspect", first=cycle)
    begun.reconciled()
    shown = text_of("status", "base")
    assert "2 1 of 6 no interval not known" in shown
    assert "Note: the other complete runs do not count: suspect," in shown
    ended = text_of("resume", "base")
    assert f"{begun.ids[1]}: no interval from 1 of 6 runs the other complete runs do not count: suspect," in ended
    document = json.loads(call("status", "base", "--json").stdout)
    assert [(each["runs"], each["complete"]) for each in document["precision"]] == [(3, 3), (1, 6)]


def test_it_says_which_experiments_were_given_up_and_why(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY[:3], verdict="suspect")
    assert "3 runs not needed: the experiment is known well enough, or given up" not in runs_to_resume("base")[1]
    assert "6 runs not needed: the experiment is known well enough, or given up" in runs_to_resume("base")[1]
    begun.reconciled()
    assert is_complete("base")
    why = "no run tells its energy_per_output_token_j (3 suspect)"
    shown = text_of("status", "base")
    assert "2 0 of 3 no figure given up 3" in shown
    assert f"Note: given up: {begun.ids[1]}: {why}" in shown
    assert "do not count" not in shown
    ended = text_of("resume", "base")
    assert f"Given up, and not run further: {begun.ids[1]}: {why}" in ended
    assert "Not known so exactly" not in ended
    known, given_up = json.loads(call("status", "base", "--json").stdout)["precision"]
    assert (known["why_given_up"], given_up["state"], given_up["why_given_up"]) == (None, "given up", why)


def test_what_is_left_is_what_is_not_known(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY[:2])
    rows, mended = runs_to_resume("base")
    assert {row.experiment_id for row in rows} == {begun.ids[1]}
    assert "3 runs not needed: the experiment is known well enough, or given up" in mended
    begun.reconciled()
    assert [len(rows) for rows in runs_to_resume("base")] == [4, 0]
    assert unfinished_campaigns(begun.project) == ["base"]
    ahead = preflight(load_campaign(begun.file), begun.project, in_containers=False)
    assert (ahead.estimate.runs, ahead.estimate.least) == (4, 1)


def test_once_nothing_is_left_it_is_complete_and_says_what_it_does_not_know(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY)
    begun.reconciled()
    assert is_complete("base")
    assert unfinished_campaigns(begun.project) == []
    shown = text_of("resume", "base")
    assert "campaign base is complete: nothing to run" in shown
    assert "Known to ± 2 % in energy_per_output_token_j: 1 of 2 experiments; 3 runs not needed." in shown
    assert f"Not known so exactly, and not run further (6 cycles at most): {begun.ids[1]}: ± 35 % from 6 runs" in shown
    status = campaign_status("base")
    assert (status.left, status.least_left, status.counts[Status.UNNEEDED]) == (0, 0, 3)


def test_a_run_that_is_gone_makes_what_it_told_unknown(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY)
    begun.reconciled()
    begun.folder.run_folder(begun.ids[0], 2).rename("aside")
    assert not is_complete("base")
    assert [row.cycle for row in runs_to_resume("base")[0]] == [2, 4, 5, 6]


def test_a_change_of_it_is_shown_and_its_runs_stay(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY)
    begun.reconciled()
    begun.file.write_text(FILE.replace("0.02", "0.5").replace("max_cycles: 6", "max_cycles: 4"))
    with pytest.raises(InputError, match="cycles: 3 to 6, until energy_per_output_token_j is known to ± 2 % before"):
        begun.open()
    found = changes(thaw(begun.folder.campaign_file), load_campaign(begun.file), begun.folder)
    assert found
    assert (found.fields, found.retired, found.kept, found.incomparable) == (("until",), 0, 9, ())
    begun.open(accept=True)[0].close()
    begun.reconciled()
    assert retired(begun.folder) == set()
    assert is_complete("base")
    assert "2 of 2 experiments" in text_of("resume", "base")


def test_from_cycles_to_until_and_back(begun: Begun) -> None:
    begun.measured(0, *STEADY)
    begun.measured(1, *NOISY)
    begun.file.write_text(FILE[: FILE.index("until")] + "cycles: 2\n")
    begun.open(accept=True)[0].close()
    assert len(retired(begun.folder)) == 1 + 4
    begun.file.write_text(FILE)
    begun.open(accept=True)[0].close()
    assert retired(begun.folder) == set()


def lines(*events: Any) -> list[str]:
    plain = PlainLines(verbose=False)
    return [line for event in events for line in plain.lines(event)]


STARTED = CampaignStarted(
    "base", 12, 4, 6, 6, "local", "", "CPU", Path(), (), 2, "energy_per_output_token_j is known to ± 2 %"
)
KNOWN = ExperimentKnown("exp", 3, 0.0137, 3, "simulated")
REOPENED = ExperimentReopened("exp", 4, 0.0316, 2, "nvml")


def test_its_events_in_words() -> None:
    said = lines(STARTED, CycleStarted(3, 6), KNOWN, REOPENED, RunCompleted("exp", 4, Path(), run_result(cycle=4)))
    assert said[0] == "campaign base: at most 12 runs over at most 6 cycles, 4 complete, 2 not needed, at most 6 to run"
    assert said[1] == "each experiment is repeated until energy_per_output_token_j is known to ± 2 %"
    assert said[3] == "=== Cycle 3 of at most 6 ==="
    assert said[4] == "known to ± 1.4 % (simulated) after 3 runs: exp; 3 runs of it are not needed"
    assert said[5] == "known only to ± 3.2 % after 4 runs after all: exp goes on"
    assert said[6].startswith("[5/9] ")
    (foreseen,) = lines(Foreseen(4, 8, 800.0, None, None, None, (), at_most=True))
    (given_up,) = lines(ExperimentGivenUp("exp", 3, 4, "its first 3 runs failed"))
    assert given_up == "given up, since its first 3 runs failed: exp; 4 runs of it are left out"
    assert foreseen == "estimated from the first 4: at most 13 min for at most 8 runs left"


def test_the_live_view_counts_what_may_still_come() -> None:
    work = AtWork()
    work.heed(STARTED)
    assert (work.runs, work.done, work.at_most) == (10, 4, True)
    work.heed(KNOWN)
    work.heed(REOPENED)
    assert work.runs == 9


def test_a_campaign_without_it_says_none_of_this(begun: Begun) -> None:
    begun.file.write_text(FILE[: FILE.index("until")] + "cycles: 3\n")
    begun.open(accept=True)[0].close()
    shown = text_of("status", "base")
    assert "at most" not in shown
    assert "Repeated" not in shown
    document = json.loads(call("status", "base", "--json").stdout)
    assert (document["until"], document["precision"]) == (None, [])


def test_a_width_is_written_as_a_person_would() -> None:
    widths = {0.00216: "± 0.22 %", 0.0137: "± 1.4 %", 0.994: "± 99 %", 3.44: "± 344 %", None: "no figure"}
    assert {width: give_or_take(Known(0, width, enough=False, method=None)) for width in widths} == widths
    assert give_or_take(Known(2, 0.05, enough=False, method="estimated")) == "± 5 % (estimated)"
