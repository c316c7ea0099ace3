from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator import cli as command_line
from orchestrator.cli import COMMANDS, load_command
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, Workload
from tests.builders import call, cli, published_run, run_result

CAMPAIGN = """\
name: small
model: org/model
workload: {prompts: 2, output_tokens: 2}
backends: {simulated: {batch_size: [1, 2], tokens_per_s: 100000}}
cycles: 2
"""


def said(*arguments: str) -> str:
    """What a command says on its standard output, once it has ended well."""
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_the_list_of_commands_says(name: str) -> None:
    command = load_command(name)
    assert said(name, "--help").startswith("Usage: orchestrate " + name)
    assert command.get_short_help_str(200).split()[0] == COMMANDS[name].split()[0]


def test_help_lists_every_command_and_there_is_a_version() -> None:
    listed = cli("--help")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in COMMANDS)
    assert re.fullmatch(r"orchestrate \d+\.\d+\.\d+\S*\n", cli("--version").stdout)


@pytest.mark.parametrize("name", ["list", "show"])
def test_help_of_subcommands(name: str) -> None:
    assert "--json" in said("results", name, "--help")


def test_every_parameter_of_every_backend_has_a_flag_with_its_text() -> None:
    text = said("run", "--help")
    fields = {
        name: field
        for model in (*OPTIONS.values(), Workload, Measurement)
        for name, field in model.model_fields.items()
    }
    for name in set(fields) - {"backend", "dataset_sha256", "warmup"}:
        assert f"--{name.replace('_', '-')} VALUE" in text
        assert fields[name].description


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("status",), "no campaign in"), (("resume",), "nothing to resume in"), (("status", "--json"), "[]")],
)
def test_nothing_is_there_yet(arguments: tuple[str, ...], words: str) -> None:
    assert words in said(*arguments)
    assert list(Path().iterdir()) == []


def test_a_dry_run_shows_the_funnel_and_the_order_and_writes_nothing() -> None:
    Path("c.yaml").write_text(CAMPAIGN.replace("[1, 2]", "[1, 2, 2, 3]"))
    text = said("campaign", "c.yaml", "--dry-run")
    for line in ("4 declared", "-1 dropped by batch-exceeds-prompts", "-1 declared twice", "2 experiments", "4 runs"):
        assert line in text
    shown = json.loads(said("campaign", "c.yaml", "--dry-run", "--json"))
    assert shown["funnel"] == {
        "declared": 4,
        "dropped": {"batch-exceeds-prompts": 1},
        "duplicates": 1,
        "experiments": 2,
        "cycles": 2,
        "runs": 4,
        "estimated_s": None,
    }
    assert [run["cycle"] for run in shown["runs"]] == [1, 1, 2, 2]
    assert [run["run_id"] for run in shown["runs"]] == re.findall(r"simulated-\S+", text)
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


TOO_FEW = CAMPAIGN + "experiments: [{backend: vllm, tensor_parallel_size: 2}]\n"
TOO_MANY = CAMPAIGN.replace("simulated: {batch_size: [1, 2], tokens_per_s: 100000}", "pytorch: {}") + "gpus: [0, 1]\n"


def test_a_dry_run_tells_of_too_few_gpus_as_the_run_would() -> None:
    Path("c.yaml").write_text(TOO_FEW)
    dry = call("campaign", "c.yaml", "--dry-run", "--dispatch", "local")
    assert dry.returncode == 2
    reason = "experiments[0]: an experiment of vllm works on 2 GPUs, and none is named, which leaves one, or the CPU"
    assert f"error: {reason} (write gpus: [0, 1])" in dry.stdout
    (issue,) = json.loads(call("campaign", "c.yaml", "--dry-run", "--dispatch", "local", "--json").stdout)["issues"][:1]
    assert (issue["severity"], issue["field"], issue["hint"]) == ("error", "experiments[0]", "write gpus: [0, 1]")
    assert call("campaign", "c.yaml", "--dry-run", "--dispatch", "local", "--force").returncode == 0

    refused = call("campaign", "c.yaml", "--dispatch", "local")
    assert refused.returncode == 2
    assert reason in refused.stderr
    assert "hint: --force runs it all the same" in refused.stderr
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


def test_what_is_forced_is_told_on_the_screen_and_goes_on_to_the_next_check() -> None:
    Path("c.yaml").write_text(TOO_FEW)
    forced = call("campaign", "c.yaml", "--dispatch", "local", "--force", "--quiet")
    assert "warning: forced in spite of an error: experiments[0]: an experiment of vllm works on 2" in forced.stderr
    assert forced.returncode == 3
    assert "the backend vllm needs" in forced.stderr


def test_gpus_that_would_stay_idle_are_told_of_and_hinder_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    Path("c.yaml").write_text(TOO_MANY)
    assert "warning: gpus: 2 named, and no experiment works on more than 1" in said("campaign", "c.yaml", "--dry-run")
    run = call("run", "--backend", "pytorch", "--model", "org/model", "--gpu", "0", "--gpu", "1", "--dispatch", "local")
    assert "warning: gpus: 2 named" in run.stderr
    assert run.returncode == 3, "they are not there, or not ours"


def test_a_single_run_with_too_few_gpus_is_told_its_flags() -> None:
    flags = ("--backend", "vllm", "--model", "org/model", "--tensor-parallel-size", "2")
    refused = call("run", *flags, "--dispatch", "local")
    assert refused.returncode == 2
    assert "(--gpu 0 --gpu 1)" in refused.stderr


@pytest.fixture
def campaign_done() -> Path:
    """A campaign through the real command: one experiment of the simulated backend in two cycles."""
    Path("c.yaml").write_text(CAMPAIGN.replace("[1, 2]", "2"))
    done = cli("campaign", "c.yaml", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "RunProgress"] == [
        "CampaignStarted",
        *["CycleStarted", "RunStarted", "RunCompleted"],
        "Foreseen",
        *["CycleStarted", "RunStarted", "RunCompleted"],
        "CampaignEnded",
    ]
    return Path("results/small")


def test_a_campaign_is_run_shown_and_not_run_twice(campaign_done: Path) -> None:
    status = json.loads(said("status", "small", "--json"))
    assert (status["completed"], status["pending"], status["failed"], status["in_use"]) == (2, 0, 0, False)
    assert {run["status"] for run in status["run_list"]} == {"completed"}
    assert all((campaign_done / run["result_path"] / "result.json").is_file() for run in status["run_list"])

    (listed,) = json.loads(said("status", "--json"))
    assert listed["campaign"] == "small"
    assert "small" in said("status")

    results = json.loads(said("results", "list", "small", "--json"))
    assert len(results) == 2
    assert "simulated" in said("results", "list", "small")
    run = json.loads(said("results", "show", results[0]["run_id"], "--json"))
    assert run == results[0]

    assert json.loads(said("resume", "small", "--dry-run", "--json"))["to_run"] == []
    assert "nothing to resume" in said("resume")
    again = [json.loads(line) for line in said("campaign", "c.yaml", "--json").splitlines()]
    assert [event["event"] for event in again] == ["CampaignStarted", "CampaignEnded"]


def test_brackets_in_a_name_are_printed_as_they_are() -> None:
    result = run_result(model="org/[red]model[/red]", warnings=["[bold]hot[/bold] :smile:"])
    folder = published_run(Path("results"), result)
    text = cli("results", "show", str(folder)).stdout
    assert "[bold]hot[/bold] :smile:" in text
    assert "backend" in text


def test_a_fault_of_ours_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("impossible")

    monkeypatch.setattr(command_line.cli, "main", broken)
    done = call("status")
    assert done.returncode == 70
    assert "ZeroDivisionError: impossible" in done.stderr
