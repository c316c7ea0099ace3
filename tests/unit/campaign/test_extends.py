"""Campaign files over others: what is merged, whose paths count from where, and whose line a fault is on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.extends import MAX_CHAIN
from orchestrator.campaign.inputs import local_inputs
from orchestrator.campaign.kinds import kind_of
from orchestrator.campaign.load import campaign_from_mapping, load_campaign
from orchestrator.campaign.schema import Dispatching
from orchestrator.errors import FileError, Issue
from orchestrator.results.frozen import freeze, thaw

BASE = {"name": "base", "model": "org/m", "cycles": 3, "backends": {"simulated": {"batch_size": [1, 2]}}}


def write(path: str, declared: dict[str, Any] | str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(declared if isinstance(declared, str) else yaml.safe_dump(declared, sort_keys=False))
    return file


def issues(path: str | Path) -> tuple[Issue, ...]:
    with pytest.raises(FileError) as caught:
        load_campaign(path)
    return caught.value.issues


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    write("base.yaml", {**BASE, **base})
    file = load_campaign(write("over.yaml", {"extends": "base.yaml", **over})).file
    return file.model_dump(exclude_unset=True)


def test_what_a_file_does_not_say_its_base_says() -> None:
    assert merged({}, {}) == BASE
    assert merged({}, {"name": "own", "cycles": 5}) == {**BASE, "name": "own", "cycles": 5}


@pytest.mark.parametrize(
    ("base", "over", "key", "found"),
    [
        (
            {"gaps": {"cycle_s": 1.0, "experiment_s": 2.0}},
            {"gaps": {"cycle_s": 3.0}},
            "gaps",
            {"cycle_s": 3.0, "experiment_s": 2.0},
        ),
        ({"shared": {"power_w": 1}}, {"shared": {"load_s": 2}}, "shared", {"power_w": 1, "load_s": 2}),
        ({"shared": {"power_w": [1, 2]}}, {"shared": {"power_w": [3]}}, "shared", {"power_w": [3]}),
        (
            {"shared": {"power_w": {"min": 1, "max": 2}}},
            {"shared": {"power_w": {"log2": [1, 2]}}},
            "shared",
            {"power_w": {"log2": [1, 2]}},
        ),
        (
            {"shared": {"together": {"g": [{"power_w": 1}], "h": [{"load_s": 1}]}}},
            {"shared": {"together": {"g": [{"power_w": 2}]}}},
            "shared",
            {"together": {"g": [{"power_w": 2}], "h": [{"load_s": 1}]}},
        ),
        ({"gpus": [0, 1]}, {"gpus": None}, "gpus", None),
        ({}, {"backends": {"simulated": None}}, "backends", BASE["backends"]),
        (
            {"backends": {"vllm": {"engine_args": {"a": 1}}}},
            {"backends": {"vllm": {"engine_args": {"swap_space": 2}}}},
            "backends",
            {"vllm": {"engine_args": {"swap_space": 2}}},
        ),
        (
            {"backends": {"simulated": None}},
            {"backends": {"pytorch": None}},
            "backends",
            {"simulated": None, "pytorch": None},
        ),
        ({"order": "grouped"}, {"order": "shuffled"}, "order", "shuffled"),
        (
            {"experiments": [{"backend": "simulated"}]},
            {"experiments": [{"backend": "simulated", "batch_size": 9}]},
            "experiments",
            [{"backend": "simulated", "batch_size": 9}],
        ),
    ],
)
def test_sections_merge_and_all_else_replaces(base: Any, over: Any, key: str, found: Any) -> None:
    told = merged(base, over)[key]
    assert told == found


def test_later_bases_count_over_earlier_ones_and_the_file_over_all() -> None:
    write("a.yaml", {**BASE, "cycles": 1, "seed": 1, "order": "grouped"})
    write("b.yaml", {"cycles": 2, "seed": 2})
    file = load_campaign(write("c.yaml", {"extends": ["a.yaml", "b.yaml"], "cycles": 3})).file
    assert (file.cycles, file.seed, file.order) == (3, 2, "grouped")


def test_a_file_that_two_extend_counts_once_and_takes_nothing_back() -> None:
    write("root.yaml", {**BASE, "seed": 3})
    write("left.yaml", {"extends": "root.yaml", "seed": 1})
    write("right.yaml", {"extends": "root.yaml", "cycles": 7})
    file = load_campaign(write("top.yaml", {"extends": ["left.yaml", "right.yaml"], "name": "top"})).file
    assert (file.name, file.cycles, file.seed) == ("top", 7, 1)


def test_a_mapping_from_python_extends_too(tmp_path: Path) -> None:
    write("base.yaml", BASE)
    assert campaign_from_mapping({"extends": "base.yaml", "cycles": 9}, tmp_path).file.cycles == 9


@pytest.mark.parametrize("folder", ["", "sub/"])
def test_a_file_that_extends_itself_names_the_whole_chain(folder: str) -> None:
    write("a.yaml", f"name: a\nextends: {folder}b.yaml\n")
    write(f"{folder}b.yaml", "extends: c.yaml\n")
    back = "../a.yaml" if folder else "a.yaml"
    write(f"{folder}c.yaml", f"\nextends: [{back}]\n")
    (issue,) = issues("a.yaml")
    assert issue.message == f"extends itself: a.yaml -> {folder}b.yaml -> {folder}c.yaml -> a.yaml"
    assert (issue.file, issue.line, issue.field) == (f"{folder}c.yaml", 2, "extends[0]")


def test_a_file_that_extends_itself_by_another_name() -> None:
    write("a.yaml", "extends: link.yaml\n")
    Path("link.yaml").symlink_to("a.yaml")
    (issue,) = issues("a.yaml")
    assert "extends itself: a.yaml -> a.yaml" in issue.message


def test_a_chain_that_is_too_long_is_refused() -> None:
    write("0.yaml", BASE)
    for number in range(1, MAX_CHAIN + 5):
        write(f"{number}.yaml", {"extends": f"{number - 1}.yaml"})
    assert load_campaign(f"{MAX_CHAIN - 1}.yaml").name == "base"
    (issue,) = issues(f"{MAX_CHAIN}.yaml")
    assert "a chain of more than 16 files" in issue.message
    assert issue.file == "1.yaml"


def test_a_tree_that_doubles_at_each_file_is_read_file_by_file() -> None:
    write("0.yaml", BASE)
    for number in range(1, MAX_CHAIN):
        write(f"{number}.yaml", {"extends": [f"{number - 1}.yaml"] * 9})
    assert load_campaign(f"{MAX_CHAIN - 1}.yaml").name == "base"


def test_too_many_files_are_refused() -> None:
    for number in range(65):
        write(f"{number}.yaml", {"cycles": 3})
    (issue,) = issues(write("over.yaml", {**BASE, "extends": [f"{number}.yaml" for number in range(65)]}))
    assert "more than 64 files" in issue.message
    assert issue.field == "extends[64]"


@pytest.mark.parametrize(
    ("named", "field", "message"),
    [
        ("missing.yaml", "extends", "there is no file"),
        ("''", "extends", "must be the path of a campaign file"),
        ("", "extends", "must be the path of a campaign file"),
        ("3", "extends", "must be the path of a campaign file"),
        ("[]", "extends", "must be the path of a campaign file"),
        ("[base.yaml, 3]", "extends[1]", "must be the path of a campaign file"),
        ("[base.yaml, missing.yaml]", "extends[1]", "there is no file"),
        (".", "extends", "it is no file"),
        ("loop", "extends", "leads nowhere"),
        ("~nobody-of-this-name/a.yaml", "extends", "leads nowhere"),
        ("x" * 300, "extends", "cannot be read"),
    ],
)
def test_what_cannot_be_extended(named: str, field: str, message: str) -> None:
    write("base.yaml", BASE)
    Path("loop").symlink_to("loop")
    (issue,) = issues(write("over.yaml", f"name: a\nextends: {named}\n"))
    assert (issue.file, issue.line, issue.field) == ("over.yaml", 2, field)
    assert message in issue.message


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a: [", 1, "not valid YAML"),
        ("- a\n", 1, "is a mapping"),
        ("", 1, "is a mapping"),
        ("name: a\nname: b\n", 2, "stands twice"),
    ],
)
def test_a_base_that_is_wrong_is_named(content: str, line: int, message: str) -> None:
    write("sub/base.yaml", content)
    (issue,) = issues(write("over.yaml", "\n\n\nextends: sub/base.yaml\n"))
    assert (issue.file, issue.line) == ("sub/base.yaml", line)
    assert message in issue.message


def test_each_fault_is_told_with_the_file_that_it_stands_in() -> None:
    write("base.yaml", "name: a\nmodel: org/m\nseed: x\nshared:\n  batch_size: 0\n  power_w: 0\nbackends: {}\n")
    over = write(
        "over.yaml", "extends: base.yaml\nseed: 3\nshared: {power_w: -1}\nbackends:\n  simulatd:\n  simulated:\n"
    )
    found = issues(over)
    assert [(issue.file, issue.line, issue.field) for issue in found] == [
        ("base.yaml", 5, "shared.batch_size"),
        ("over.yaml", 3, "shared.power_w"),
        ("over.yaml", 5, "backends.simulatd"),
    ]
    with pytest.raises(FileError, match=r"^base\.yaml:5: shared\.batch_size: .*\nover\.yaml:3: "):
        load_campaign(over)


def test_a_parameter_of_the_base_that_a_group_takes_is_named_with_the_base() -> None:
    write("base.yaml", BASE)
    text = "extends: base.yaml\nbackends:\n  simulated:\n    together:\n      g:\n        - {batch_size: 1}\n"
    (issue,) = issues(write("over.yaml", text))
    assert (issue.file, issue.line) == ("over.yaml", 6)
    assert "stands here and in backends.simulated.batch_size" in issue.message


def with_prompts(folder: str, lines: int = 2) -> None:
    write(f"{folder}/own.jsonl", '"a"\n' * lines)


def test_the_paths_of_a_base_count_from_the_base() -> None:
    with_prompts("sub", 1)
    with_prompts(".", 2)
    write("sub/base.yaml", {**BASE, "workload": {"dataset": "own.jsonl", "prompts": 1}})
    base_alone = load_campaign("sub/base.yaml").dataset_sha256["own.jsonl"]
    loaded = load_campaign(write("over.yaml", {"extends": "sub/base.yaml"}))
    assert loaded.dataset_sha256 == {"sub/own.jsonl": base_alone}
    own = load_campaign(write("own.yaml", {"extends": "sub/base.yaml", "workload": {"dataset": "own.jsonl"}}))
    assert own.dataset_sha256.keys() == {"own.jsonl"}
    assert own.dataset_sha256["own.jsonl"] != base_alone


def test_a_base_beside_a_file_changes_no_identity() -> None:
    with_prompts(".")
    declared = {**BASE, "workload": {"dataset": "own.jsonl", "prompts": 2}}
    write("base.yaml", declared)
    alone, over = load_campaign("base.yaml"), load_campaign(write("over.yaml", {"extends": "base.yaml"}))
    assert [p.experiment_id for p in expand(alone, Funnel())] == [p.experiment_id for p in expand(over, Funnel())]


def test_the_paths_of_a_base_above_count_from_there(tmp_path: Path) -> None:
    with_prompts(".", 1)
    with_prompts("campaigns", 2)
    write("models/m/config.json", "{}")
    write(
        "base.yaml",
        {
            **BASE,
            "model": "./models/m",
            "backends": {"pytorch": {"adapter": [None, "./models/m"], "generation_args": {"model": "./x"}}},
            "workload": {"prompts": 1, "together": {"g": [{"dataset": "own.jsonl"}, {"dataset": "builtin"}]}},
        },
    )
    experiments = [{"backend": "simulated", "model": "./m", "workload": {"dataset": "own.jsonl"}}]
    (Path("campaigns") / "m").mkdir()
    loaded = load_campaign(write("campaigns/over.yaml", {"extends": "../base.yaml", "experiments": experiments}))
    assert loaded.folder == tmp_path.resolve()
    assert loaded.dataset_sha256.keys() == {"own.jsonl", "campaigns/own.jsonl"}
    assert loaded.model_sha256.keys() == {"./models/m"}
    assert loaded.file.experiments[0]["model"] == "./campaigns/m"
    assert loaded.file.backends["pytorch"] == {
        "adapter": [None, "./models/m"],
        "generation_args": {"model": "./x"},
    }


def test_no_file_names_what_lies_outside_its_own_folder() -> None:
    with_prompts(".")
    write("sub/base.yaml", "name: a\nmodel: org/m\nworkload:\n  dataset: ../own.jsonl\nbackends: {simulated: }\n")
    (issue,) = issues(write("over.yaml", "extends: sub/base.yaml\n"))
    assert (issue.file, issue.line, issue.field) == ("sub/base.yaml", 4, "workload.dataset")
    assert "leads out of" in issue.message


def test_what_is_frozen_needs_none_of_the_files(tmp_path: Path) -> None:
    with_prompts("campaigns")
    write("base.yaml", {**BASE, "shared": {"power_w": {"min": 1, "max": 3}}})
    over = {"extends": "../base.yaml", "workload": {"dataset": "own.jsonl", "prompts": 2}}
    loaded = load_campaign(write("campaigns/over.yaml", over))
    ids = [p.experiment_id for p in expand(loaded, Funnel())]
    assert len(ids) == 6
    frozen = tmp_path / "results" / "base" / "campaign.json"
    frozen.parent.mkdir(parents=True)
    freeze(frozen, loaded, len(ids), "0" * 64, Dispatching("local", None))
    Path("base.yaml").unlink()
    Path("campaigns/over.yaml").unlink()
    thawed = thaw(frozen).campaign
    assert [p.experiment_id for p in expand(thawed, Funnel())] == ids
    assert local_inputs(thawed) == [tmp_path.resolve() / "campaigns" / "own.jsonl"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BASE, "campaign"),
        ({"name": "a", "extends": "b.yaml"}, "campaign"),
        ({"extends": "b.yaml"}, "campaign"),
        ({"name": "a", "model": "m", "experiments": [{"backend": "simulated"}]}, "campaign"),
        ({"name": "a", "model": "m", "backends": {"x": None}, "experiments": [{}]}, "campaign"),
        ({"name": "a", "modle": "m", "backends": {}}, "campaign"),
        ({"shared": {"dtype": "float32"}, "gaps": {}}, "base"),
        ({"name": "a", "services": {"vllm": {}}}, "other"),
        ({"results_dir": "x", "gaps": {}}, "other"),
        ({}, "other"),
        (None, "other"),
        (["name", "model"], "other"),
    ],
)
def test_kinds_of_files(text: Any, kind: str) -> None:
    assert kind_of(text) == kind
