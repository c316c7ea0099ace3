"""Several campaign files, and campaigns forgotten or changed, on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator.execution.wipe import wipe
from orchestrator.manifest.lock import campaign_lock
from orchestrator.system.project import find_project
from tests.builders import call

FILE = """\
name: NAME
model: org/model
workload: {prompts: 2, output_tokens: 2}
backends: {simulated: {batch_size: SIZES, tokens_per_s: 100000}}
"""


def write(name: str, sizes: str = "[1, 2]", more: str = "", file: str | None = None) -> Path:
    path = Path(file or f"{name}.yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(FILE.replace("NAME", name).replace("SIZES", sizes) + more)
    return path


def states(name: str) -> dict[str, int]:
    status = json.loads(call("status", name, "--json").stdout)
    return {state: status[state] for state in ("pending", "running", "completed", "failed") if status[state]}


def test_every_fault_of_every_file_is_told_before_anything_starts() -> None:
    write("good")
    write("one", "[0]", "cylces: 2\n")
    write("good", file="twice.yaml")
    Path("none.yaml").write_text("- 1\n")
    done = call("campaign", "good.yaml", "one.yaml", "none.yaml", "twice.yaml", "absent.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    for told in (
        "one.yaml:5: cylces: unknown key",
        "none.yaml",
        "a campaign is a mapping",
        "twice.yaml: its name 'good' is that of good.yaml too",
        "there is no file 'absent.yaml'",
    ):
        assert told in done.stderr
    assert not Path("results").exists()


def test_a_folder_is_run_file_by_file_and_the_exit_code_is_the_worst() -> None:
    write("good", file="many/a.yaml")
    write("failing", file="many/b.yml", more="failures: {retries: 0}\n")
    Path("many/b.yml").write_text(Path("many/b.yml").read_text().replace("100000", "100000, fail: crash"))
    write("nogpu", file="many/c.yaml", more="gpus: [7]\n")
    write("last", file="many/d.yaml")
    Path("many/.hidden.yaml").write_text("no campaign")
    Path("many/notes.txt").write_text("no campaign")
    done = call("campaign", "many")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "=== Campaign 3 of 4: nogpu ===" in done.stdout
    table = done.stdout[done.stdout.rindex("\nCampaigns") :]
    assert re.search(r"good +2 runs complete", table)
    assert re.search(r"failing +0 runs complete, 2 failed", table)
    assert re.search(r"nogpu +stopped: ", table)
    assert re.search(r"last +2 runs complete", table)
    assert states("last") == {"completed": 2}


def test_several_cannot_have_one_name_and_an_empty_folder_is_no_campaign() -> None:
    write("a")
    write("b")
    assert "--name names one campaign" in call("campaign", "a.yaml", "b.yaml", "--name", "c").stderr
    Path("empty").mkdir()
    done = call("campaign", "empty")
    assert (done.returncode, "holds no campaign file" in done.stderr) == (2, True)


def test_a_dry_run_of_several_is_one_document_for_machines() -> None:
    write("a")
    write("b", "[1, 2, 4]")
    done = call("campaign", "a.yaml", "b.yaml", "--dry-run", "--json")
    assert [(each["campaign"], len(each["runs"])) for each in json.loads(done.stdout)] == [("a", 2), ("b", 2)]
    assert "campaign a" in call("campaign", "a.yaml", "b.yaml", "--dry-run").stdout
    assert not Path("results").exists()


def test_only_going_on_refuses_what_was_never_begun() -> None:
    write("a")
    done = call("campaign", "a.yaml", "--resume")
    assert (done.returncode, "never begun" in done.stderr, Path("results").exists()) == (2, True, False)
    assert call("campaign", "a.yaml").returncode == 0
    assert call("campaign", "a.yaml", "--resume").returncode == 0


def test_a_complete_campaign_is_shown_without_what_it_takes_to_run_one(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a")
    assert call("campaign", "a.yaml").returncode == 0
    frozen = Path("results/a/campaign.json")
    frozen.write_text(frozen.read_text().replace('"dispatcher": "local"', '"dispatcher": "compose"'))
    monkeypatch.setenv("PATH", "")
    done = call("resume", "a")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("campaign a is complete: nothing to run\n")
    assert "a: medians over cycles" in done.stdout


def test_a_changed_file_is_taken_over_by_yes_and_what_is_gone_is_marked() -> None:
    write("a", "[1, 2]")
    assert call("campaign", "a.yaml").returncode == 0
    write("a", "2", more="cycles: 2\n")
    refused = call("campaign", "a.yaml")
    assert refused.returncode == 2
    for told in ("changed: backends, cycles", "- 1 experiment,", "= 1 experiment as before", "--yes"):
        assert told in refused.stderr
    assert "its file changed since it was begun" in call("campaign", "a.yaml", "--dry-run").stdout
    done = call("campaign", "a.yaml", "--yes")
    assert done.returncode == 0, done.stderr
    assert "1 complete run retired" in done.stdout
    assert "1 retired" in call("status", "a").stdout
    assert len(json.loads(call("status", "a", "--json").stdout)["retired"]) == 1
    assert call("results", "list", "a").stdout.count(", retired") == 1
    assert states("a") == {"completed": 2}
    assert call("campaign", "a.yaml").returncode == 0


def test_wiping_moves_results_aside_and_frees_the_name() -> None:
    write("a")
    assert call("campaign", "a.yaml").returncode == 0
    results = sorted(path.name for path in Path("results/a/runs").iterdir())
    asked = call("resume", "a", "--wipe")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert states("a") == {"completed": 2}
    assert "2 complete runs" in call("resume", "a", "--wipe", "--dry-run").stdout

    done = call("resume", "a", "--wipe", "--yes")
    assert done.returncode == 0, done.stderr
    (aside,) = Path("results/.wiped").iterdir()
    assert re.fullmatch(r"a-\d{8}T\d{6}Z", aside.name)
    assert str(aside) in done.stdout
    assert sorted(path.name for path in (aside / "runs").iterdir()) == results
    assert not Path(".state/a").exists()
    assert "no campaign" in call("status").stdout
    assert call("resume", "a", "--wipe", "--yes").returncode == 2
    assert call("results", "show", results[0].rsplit("-", 1)[-1]).returncode == 2

    assert call("campaign", "a.yaml").returncode == 0
    assert call("resume", "a", "--wipe", "--yes").returncode == 0
    assert len(list(Path("results/.wiped").iterdir())) == 2


@pytest.mark.parametrize("broken", ["manifest", "campaign.json"])
def test_what_is_broken_can_be_wiped(broken: str) -> None:
    write("a")
    assert call("campaign", "a.yaml").returncode == 0
    Path({"manifest": ".state/a/manifest.db", "campaign.json": "results/a/campaign.json"}[broken]).write_text("no")
    assert call("resume", "a", "--wipe", "--yes").returncode == 0
    assert call("campaign", "a.yaml").returncode == 0
    assert states("a") == {"completed": 2}


def test_a_campaign_in_use_is_not_wiped_and_none_is_wiped_unnamed() -> None:
    write("a")
    assert call("campaign", "a.yaml").returncode == 0
    with campaign_lock(Path("results/a"), "a"):
        assert call("resume", "a", "--wipe", "--yes").returncode == 4
    assert states("a") == {"completed": 2}
    assert "needs the NAME" in call("resume", "--wipe", "--yes").stderr


def test_killed_after_the_move_the_name_can_be_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a")
    assert call("campaign", "a.yaml").returncode == 0
    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.execution.wipe.sync", lambda _: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            wipe("a", find_project(), lambda _: True)
    assert Path(".state/a/manifest.db").exists()
    assert "no campaign" in call("status").stdout
    write("a", "[1, 2, 2]")
    assert call("campaign", "a.yaml").returncode == 0
    assert states("a") == {"completed": 2}
