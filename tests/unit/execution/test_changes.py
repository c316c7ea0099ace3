"""A campaign's file that changed since it was begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.schema import Campaign, Dispatching
from orchestrator.errors import InputError
from orchestrator.execution import planning
from orchestrator.execution.changes import changes, retired
from orchestrator.execution.planning import open_or_plan, open_or_rebuild
from orchestrator.manifest.store import Manifest, Status
from orchestrator.reconcile import reconcile
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import thaw
from runners.contract.paths import FAILURE, REQUEST, AttemptName, FailureKind
from tests.builders import campaign, finished_attempt
from tests.unit.fakes import FakeDispatcher

LOCAL = Dispatching("local", None)


class Begun:
    """A campaign in its folders, begun and changed by turns."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.folder = CampaignFolder(folder / "results" / "base")
        self.path = folder / "state" / "manifest.db"
        self.path.parent.mkdir()

    def declared(self, **changes: Any) -> Campaign:
        return campaign(self.home, **changes)

    def open(self, *, accept: bool = False, **changes: Any) -> Manifest:
        return open_or_plan(self.declared(**changes), self.folder, self.path, LOCAL, accept_changes=accept)[0]

    def complete(self, order_index: int, attempt: int = 1) -> tuple[str, int]:
        """Carry a run out as the loop would."""
        with Manifest.open(self.path) as manifest:
            run = manifest.run(order_index)
            name = AttemptName(run.experiment_id, run.cycle, attempt)
            manifest.begin_attempt(order_index, attempt)
            finished_attempt(self.folder, name, order_index=order_index)
            folder = self.folder.publish(name)
            assert folder
            manifest.complete(order_index, attempt, self.folder.relative(folder))
        return run.experiment_id, run.cycle

    def standing(self) -> list[tuple[int, str, int, str]]:
        with Manifest.open(self.path) as manifest:
            reconcile(manifest, self.folder, FakeDispatcher())
            return manifest.standing()


@pytest.fixture
def begun(tmp_path: Path) -> Begun:
    return Begun(tmp_path)


def sizes(*batch_sizes: int) -> dict[str, Any]:
    return {"backends": {"simulated": {"batch_size": list(batch_sizes)}}}


def ids(declared: Campaign) -> list[str]:
    return [planned.experiment_id for planned in expand(declared, Funnel())]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"cycles": 3}, "cycles"),
        ({"seed": 1, "order": "shuffled"}, "order, seed"),
        ({"model": "org/other"}, "model"),
        (sizes(1, 3), "backends"),
    ],
)
def test_a_change_that_nobody_agreed_to_is_refused_naming_it(change: dict[str, Any], fields: str, begun: Begun) -> None:
    begun.open().close()
    before = begun.path.read_bytes(), begun.folder.campaign_file.read_bytes()
    with pytest.raises(InputError, match=f"its file changed since\nchanged: {fields}\n") as refused:
        begun.open(**change)
    assert "--yes" in (refused.value.hint or "")
    assert (begun.path.read_bytes(), begun.folder.campaign_file.read_bytes()) == before


def test_what_is_new_is_added_what_is_gone_is_kept_and_marked(begun: Begun) -> None:
    begun.open(**sizes(1, 2, 4), cycles=2).close()
    first, second, third = ids(begun.declared(**sizes(1, 2, 4)))
    assert [begun.complete(index)[0] for index in (0, 1, 3)] == [first, second, first]
    begun.open(accept=True, **sizes(2, 4, 8), cycles=2).close()

    standing = begun.standing()
    new = ids(begun.declared(**sizes(8)))[0]
    assert [(run, cycle, status) for _, run, cycle, status in standing if status == "completed"] == [
        (second, 1, "completed")
    ]
    pending = [(run, cycle) for _, run, cycle, status in standing if status == "pending"]
    assert pending == [(third, 1), (new, 1), (second, 2), (third, 2), (new, 2)]
    assert retired(begun.folder) == {(first, 1), (first, 2)}
    assert begun.folder.run_folder(first, 1).is_dir()


def test_no_two_runs_ever_get_one_order_index(begun: Begun) -> None:
    begun.open(**sizes(1, 2, 4)).close()
    kept = {begun.complete(index): index for index in (0, 2)}
    begun.open(accept=True, **sizes(4, 8, 2, 16)).close()
    standing = begun.standing()
    numbers = {(run, cycle): index for index, run, cycle, _ in standing}
    assert {run: number for run, number in numbers.items() if run in kept} == {
        run: index for run, index in kept.items() if run in numbers
    }
    gone = [index for run, index in kept.items() if run not in numbers]
    assert gone == [0]
    assert not set(gone) & set(numbers.values())
    pending = [run for _, run, _, status in standing if status == "pending"]
    assert pending == [run for run in ids(begun.declared(**sizes(4, 8, 2, 16))) if (run, 1) not in kept]


def test_a_run_that_is_under_way_keeps_its_order_index_which_its_request_holds(begun: Begun) -> None:
    begun.open(**sizes(1, 2, 4)).close()
    begun.complete(0)
    with Manifest.open(begun.path) as manifest:
        under_way, failed = (manifest.run(index).experiment_id for index in (1, 2))
    for experiment_id, index in ((under_way, 1), (failed, 2)):
        for attempt in (1, 2):
            folder = begun.folder.attempt_folder(AttemptName(experiment_id, 1, attempt))
            folder.mkdir(parents=True)
            (folder / REQUEST).write_text(json.dumps({"order_index": index}))
            if attempt == 1 or experiment_id == failed:
                (folder / FAILURE).write_text("{}")
    with begun.open(accept=True, **sizes(8, 16, 1, 2, 4)) as manifest:
        numbers = {run: index for index, run, *_ in manifest.standing()}
        assert [manifest.place(index) for index in sorted(numbers.values())] == [1, 2, 3, 4, 5]
    new = ids(begun.declared(**sizes(8, 16)))
    assert [numbers[run] for run in (under_way, *new, failed)] == [1, 2, 3, 4]


def test_the_place_of_a_run_counts_those_that_are_planned(begun: Begun) -> None:
    begun.open(**sizes(1, 2)).close()
    for index in (0, 1):
        begun.complete(index)
    with begun.open(accept=True, **sizes(4, 8)) as manifest:
        assert [(index, manifest.place(index)) for index, *_ in manifest.standing()] == [(2, 1), (3, 2)]


def test_one_that_comes_back_is_not_measured_again(begun: Begun) -> None:
    begun.open(**sizes(1, 2)).close()
    run = begun.complete(0)
    begun.open(accept=True, **sizes(2)).close()
    assert retired(begun.folder) == {run}
    begun.open(accept=True, **sizes(1, 2)).close()
    assert retired(begun.folder) == set()
    assert [(index, status) for index, *_, status in begun.standing()] == [(0, "completed"), (1, "pending")]


def test_fewer_cycles_retire_what_is_complete_beyond_them_and_more_add_runs(begun: Begun) -> None:
    begun.open(**sizes(1), cycles=3).close()
    runs = [begun.complete(index) for index in (0, 1)]
    begun.open(accept=True, **sizes(1), cycles=1).close()
    assert [status for *_, status in begun.standing()] == ["completed"]
    assert retired(begun.folder) == {runs[1]}
    begun.open(accept=True, **sizes(1), cycles=4).close()
    assert [(cycle, status) for _, _, cycle, status in begun.standing()] == [
        (1, "completed"),
        (2, "completed"),
        (3, "pending"),
        (4, "pending"),
    ]


def test_failures_and_attempts_of_what_stays_are_not_forgotten(begun: Begun) -> None:
    begun.open(**sizes(1, 2)).close()
    with Manifest.open(begun.path) as manifest:
        manifest.begin_attempt(1, 1)
        manifest.fail(1, 1, FailureKind.CRASHED, "died")
        failed = manifest.run(1).experiment_id
    with begun.open(accept=True, **sizes(8, 2)) as manifest:
        (row,) = manifest.runs(status=Status.FAILED)
        assert (row.experiment_id, row.attempts, row.failure_kind, row.message) == (failed, 1, "crashed", "died")
        manifest.begin_attempt(row.order_index, 2)
        manifest.complete(row.order_index, 2, "x")
        assert manifest.recovered() == {"crashed": 1}


@pytest.mark.parametrize("lost", [False, True], ids=["manifest there", "manifest lost"])
def test_killed_between_the_campaign_and_its_manifest_the_next_start_mends_it(
    lost: bool, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.open(**sizes(1, 2), cycles=2).close()
    run = begun.complete(0)

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(planning, "plan", killed)
        with pytest.raises(SystemExit):
            begun.open(accept=True, **sizes(2, 4), cycles=1)
    if lost:
        begun.path.unlink()
    manifest, mended = open_or_rebuild(thaw(begun.folder.campaign_file), begun.folder, begun.path)
    manifest.close()
    assert len(mended) == 1
    assert [(number, status) for number, _, _, status in begun.standing()] == [(1, "pending"), (2, "pending")]
    assert retired(begun.folder) == {run}
    assert not list(begun.path.parent.glob("manifest.broken*"))


def test_a_manifest_that_is_behind_and_broken_is_put_aside(begun: Begun) -> None:
    begun.open(**sizes(1, 2)).close()
    begun.path.write_bytes(b"garbage" * 1000)
    begun.open(accept=True, **sizes(2, 4)).close()
    assert [status for *_, status in begun.standing()] == ["pending", "pending"]
    assert len(list(begun.path.parent.glob("manifest.broken*"))) == 1


@pytest.mark.parametrize(
    "change",
    [{"measurement": {"sample_hz": 20.0}}, {"seed": 7}, {"force_cold_start": True}],
    ids=["measurement", "seed", "cold start"],
)
def test_measuring_otherwise_is_refused_once_something_was_measured(change: dict[str, Any], begun: Begun) -> None:
    begun.open().close()
    begun.open(accept=True, **change).close()
    begun.open(accept=True).close()
    begun.complete(0)
    with pytest.raises(InputError, match=r"has 1 complete run, and \w+ changed: runs .* not be compared") as refused:
        begun.open(accept=True, **change)
    assert "--wipe" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "change",
    [{"gaps": {"cycle_s": 9.0}}, {"timeout_s": 60.0}, {"failures": {"retries": 3}}, {"silence_timeout_s": 9.0}],
    ids=lambda change: next(iter(change)),
)
def test_how_it_is_carried_out_may_change_without_a_question(change: dict[str, Any], begun: Begun) -> None:
    begun.open().close()
    begun.complete(0)
    begun.open(**change).close()
    assert thaw(begun.folder.campaign_file).campaign == begun.declared(**change)
    assert [status for *_, status in begun.standing()] == ["completed", "pending"]


def test_the_same_in_other_words_needs_no_question(begun: Begun) -> None:
    begun.open(**sizes(1, 2)).close()
    begun.complete(0)
    begun.open(shared={"batch_size": [1, 2]}, backends={"simulated": {}}).close()
    assert [status for *_, status in begun.standing()] == ["completed", "pending"]


def test_other_prompts_make_other_experiments(begun: Begun) -> None:
    prompts = begun.home / "p.jsonl"
    prompts.write_text("{}\n")
    workload = {"dataset": "p.jsonl", "prompts": 1}
    begun.open(workload=workload).close()
    run = begun.complete(0)
    prompts.write_text("{} \n")
    found = changes(thaw(begun.folder.campaign_file), begun.declared(workload=workload), begun.folder)
    assert found
    assert found.fields == ("the content of p.jsonl",)
    assert (len(found.added), len(found.gone), found.retired, found.kept) == (1, 1, 1, 0)
    begun.open(accept=True, workload=workload).close()
    assert retired(begun.folder) == {run}


def test_a_campaign_file_elsewhere_is_no_change(begun: Begun, tmp_path: Path) -> None:
    begun.open().close()
    (tmp_path / "elsewhere").mkdir()
    manifest, mended = open_or_plan(campaign(tmp_path / "elsewhere"), begun.folder, begun.path, LOCAL)
    manifest.close()
    assert (mended, thaw(begun.folder.campaign_file).revision) == ([], 0)
