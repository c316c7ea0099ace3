from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import Ended, call
from tests.unit.system.docker_states import no_client

CAMPAIGN = "name: {name}\nmodel: org/model\nbackends: {{simulated: {{batch_size: [1, 2]}}}}\ncycles: 3\n"


@pytest.fixture(autouse=True)
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_client(monkeypatch, tmp_path)
    monkeypatch.delenv("ORCHESTRATE_WEBHOOK_URL", raising=False)


def said(*arguments: str) -> str:
    done = call("config", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments: str) -> Ended:
    done = call("config", *arguments)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line.split()


def test_bare_it_shows_gpus_backends_and_settings_with_their_sources() -> None:
    Path(".orchestrate.yaml").write_text("gaps: {cycle_s: 30}\n")
    text = said()
    assert row(text, "gaps.cycle_s") == ["gaps.cycle_s", "30", "user", "config"]
    assert row(text, "results_dir") == ["results_dir", "results", "default"]
    assert "unknown: there is no docker client here" in text
    whole = json.loads(said("--json"))
    assert {backend["name"] for backend in whole["backends"]} >= {"pytorch", "simulated"}
    assert {"name": "gaps.cycle_s", "value": 30.0, "source": "user config"} in whole["settings"]
    assert whole["project"] == str(Path.cwd())


def test_bare_it_stands_a_driver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.errors import MachineError

    def broken() -> list[object]:
        raise MachineError("NVML does not start: broken")

    monkeypatch.setattr("orchestrator.system.environment.list_gpus", broken)
    assert "NVML does not start: broken" in said()


def test_show_takes_a_campaign_file_and_flags_over_the_user_config() -> None:
    Path(".orchestrate.yaml").write_text("gaps: {cycle_s: 30, experiment_s: 5}\nnotify: {on_failure: false}\n")
    Path("c.yaml").write_text(CAMPAIGN.format(name="c") + "gaps: {cycle_s: 7}\n")
    text = said("show", "c.yaml", "--gap-experiment", "2.5")
    assert row(text, "gaps.experiment_s") == ["gaps.experiment_s", "2.5", "flag"]
    assert row(text, "gaps.cycle_s") == ["gaps.cycle_s", "7", "file"]
    assert row(text, "notify.on_failure") == ["notify.on_failure", "false", "user", "config"]
    assert "campaign c" in text
    assert json.loads(said("show", "--json"))[0]["name"] == "results_dir"
    assert "there is no file 'gone.yaml'" in refused("show", "gone.yaml").stderr


def test_a_wrong_user_config_is_refused_by_all_but_validate() -> None:
    Path(".orchestrate.yaml").write_text("gaps:\n  cyle_s: 30\n")
    for arguments in ((), ("show",)):
        assert ".orchestrate.yaml:2: gaps.cyle_s: unknown key (did you mean 'cycle_s'?)" in refused(*arguments).stderr
    assert ".orchestrate.yaml:2: gaps.cyle_s" in refused("validate").stdout


def test_validate_tells_of_every_file_and_every_issue() -> None:
    Path("campaigns").mkdir()
    Path("campaigns/a.yaml").write_text(CAMPAIGN.format(name="a"))
    Path("campaigns/b.yml").write_text("name: B\nmodel: org/model\nbackends: {simulated: {batch: 1}}\n")
    Path("campaigns/c.yaml").write_text("services: {}\n")
    Path("campaigns/d.yaml").write_text("a: [\n")
    Path("campaigns/e.yaml").write_bytes(b"\xff")
    Path("campaigns/f.yaml").symlink_to("gone")
    Path("campaigns/g.yaml").mkdir()
    text = refused("validate").stdout
    assert "campaigns/a.yaml: ok (campaign, 6 runs)" in text
    assert "campaigns/b.yml:1: name: " in text
    assert "campaigns/b.yml:3: backends.simulated.batch: " in text or "campaigns/b.yml:1" in text
    assert "c.yaml" not in text
    assert "campaigns/d.yaml:2: not valid YAML" in text
    assert "campaigns/e.yaml:1: not UTF-8 text" in text
    assert "f.yaml: there is no file" in text
    assert "g.yaml" not in text
    assert "campaigns/a.yaml: ok" in said("validate", "campaigns/a.yaml")
    entries = json.loads(refused("validate", "campaigns", "--json").stdout)
    assert [entry["ok"] for entry in entries] == [True, False, False, False, False]
    assert entries[1]["issues"][0]["line"] == 1


def test_validate_has_nothing_to_say_where_nothing_is() -> None:
    assert "nothing to check" in said("validate")
    assert "no file 'gone'" in refused("validate", "gone").stdout
    Path("compose.yaml").write_text("services: {}\n")
    assert "backends" in refused("validate", "compose.yaml").stdout


def test_list_tells_campaigns_from_experiments_and_whole_from_broken() -> None:
    assert "no campaign file" in said("list")
    Path("campaigns").mkdir()
    Path("campaigns/grid.yaml").write_text(CAMPAIGN.format(name="grid"))
    one = CAMPAIGN.format(name="one").replace("[1, 2]", "1").replace("cycles: 3", "cycles: 1")
    Path("campaigns/one.yaml").write_text(one)
    Path("campaigns/wrong.yaml").write_text(one.replace("batch_size", "batch"))
    Path("campaigns/foreign.yaml").write_text("a: 1\n")
    Path("campaigns/notes.txt").write_text("a: 1\n")
    text = said("list")
    assert row(text, "grid.yaml") == ["grid.yaml", "campaign", "grid", "6", "ok"]
    assert row(text, "one.yaml") == ["one.yaml", "experiment", "one", "1", "ok"]
    assert row(text, "wrong.yaml") == ["wrong.yaml", "campaign", "one", "broken"]
    assert "foreign" not in text
    assert [entry["kind"] for entry in json.loads(said("list", "campaigns", "--json"))] == [
        "campaign",
        "experiment",
        "campaign",
    ]
    assert "cannot be looked into" in refused("list", "gone").stderr


def test_a_huge_campaign_is_counted_up_to_a_point() -> None:
    axes = "power_w: [" + ",".join(map(str, range(1, 401))) + "], tokens_per_s: [" + ",".join(map(str, range(1, 401)))
    Path("huge.yaml").write_text(f"name: huge\nmodel: org/model\nbackends: {{simulated: {{{axes}]}}}}\ncycles: 10\n")
    assert "more than 100,000 runs" in said("validate", "huge.yaml")


def test_schemas_are_those_that_the_docs_hold() -> None:
    docs = Path(__file__).parents[3] / "docs" / "reference"
    assert json.loads(said("schema")) == json.loads((docs / "campaign.schema.json").read_text(encoding="utf-8"))
    held = json.loads((docs / "user-config.schema.json").read_text(encoding="utf-8"))
    assert json.loads(said("schema", "--user-config")) == held
