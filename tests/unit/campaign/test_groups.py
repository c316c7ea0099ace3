"""Parameters that vary together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.axes import product, resolve_grids
from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.validate import gpus_wanted
from orchestrator.errors import FileError
from tests.builders import campaign

PAIRS = [{"batch_size": 1, "load_s": 0.5}, {"batch_size": 8, "load_s": 2}]


def options(declared: Campaign, *names: str) -> list[tuple[Any, ...]]:
    planned = expand(declared, Funnel())
    return [(p.backend, *(getattr(p.experiment.options, name, None) for name in names)) for p in planned]


def refused(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(FileError) as caught:
        campaign(**changes)
    return [(issue.field, issue.message) for issue in caught.value.issues]


def test_a_group_is_one_axis_and_crossed_with_the_others() -> None:
    declared = campaign(backends={"simulated": {"power_w": [1, 2], "together": {"size": PAIRS}}})
    assert options(declared, "power_w", "batch_size", "load_s") == [
        ("simulated", 1.0, 1, 0.5),
        ("simulated", 1.0, 8, 2.0),
        ("simulated", 2.0, 1, 0.5),
        ("simulated", 2.0, 8, 2.0),
    ]
    (grid,) = resolve_grids(declared.file)[0]
    assert grid.points == 4


def test_several_groups_multiply() -> None:
    groups = {"size": PAIRS, "speed": [{"tokens_per_s": n, "power_w": 10 * n} for n in (1, 2, 3)]}
    declared = campaign(backends={"simulated": {"together": groups}})
    found = options(declared, "batch_size", "load_s", "tokens_per_s", "power_w")
    assert len(found) == len(set(found)) == 6
    assert {(rate, power) for _, _, _, rate, power in found} == {(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)}


def test_groups_of_the_workload() -> None:
    lengths = [{"input_tokens": 128, "output_tokens": 512}, {"input_tokens": 1024, "output_tokens": 16}]
    declared = campaign(workload={"together": {"shape": lengths}})
    found = [p.experiment.workload for p in expand(declared, Funnel())]
    assert [(w.input_tokens, w.output_tokens) for w in found] == [(128, 512), (128, 512), (1024, 16), (1024, 16)]


def test_a_shared_group_goes_to_the_backends_that_have_all_of_it() -> None:
    group = {"precision": [{"dtype": "float32", "batch_size": 1}, {"dtype": "bfloat16", "batch_size": 8}]}
    declared = campaign(shared={"together": group}, backends={"pytorch": None, "llamacpp": None})
    assert options(declared, "dtype", "batch_size") == [
        ("pytorch", "float32", 1),
        ("pytorch", "bfloat16", 8),
        ("llamacpp", None, None),
    ]


def test_a_backend_that_has_a_part_of_a_shared_group_is_named() -> None:
    group = {"g": [{"dtype": "float32", "batch_size": 1}]}
    assert refused(shared={"together": group}, backends={"pytorch": None, "simulated": None}) == [
        ("shared.together.g", "simulated has batch_size, and no dtype to vary with it")
    ]
    left_out = campaign(shared={"together": group}, backends={"pytorch": None, "simulated": {"together": {"g": None}}})
    assert options(left_out, "dtype", "batch_size") == [("pytorch", "float32", 1), ("simulated", None, 1)]


def test_a_backends_own_group_of_the_name_replaces_the_shared_one() -> None:
    declared = campaign(
        shared={"together": {"size": PAIRS}},
        backends={"simulated": {"together": {"size": [{"batch_size": 4, "power_w": 7}]}}},
    )
    assert options(declared, "batch_size", "load_s", "power_w") == [("simulated", 4, 0.0, 7.0)]


def test_a_backends_own_group_replaces_shared_parameters() -> None:
    declared = campaign(
        shared={"batch_size": [2, 4], "power_w": 3}, backends={"simulated": {"together": {"size": PAIRS}}}
    )
    assert options(declared, "batch_size", "load_s", "power_w") == [
        ("simulated", 1, 0.5, 3.0),
        ("simulated", 8, 2.0, 3.0),
    ]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "in a group and outside": (
        {"backends": {"simulated": {"batch_size": 3, "together": {"size": PAIRS}}}},
        "backends.simulated.together.size[0].batch_size",
        "batch_size stands here and in backends.simulated.batch_size",
    ),
    "in two groups": (
        {"backends": {"simulated": {"together": {"size": PAIRS, "other": [{"batch_size": 1}]}}}},
        "backends.simulated.together.other[0].batch_size",
        "batch_size stands here and in backends.simulated.together.size",
    ),
    "in a shared group, and its own": (
        {"shared": {"together": {"size": PAIRS}}, "backends": {"simulated": {"batch_size": 3}}},
        "backends.simulated.batch_size",
        "batch_size also varies in the group shared.together.size",
    ),
    "in a shared group, and another of its own": (
        {
            "shared": {"together": {"size": PAIRS}},
            "backends": {"simulated": {"together": {"own": [{"load_s": 1, "power_w": 1}]}}},
        },
        "backends.simulated.together.own",
        "load_s also varies in the group shared.together.size",
    ),
    "a list": (
        {"shared": {"together": [PAIRS]}},
        "shared.together",
        "must be a mapping of groups by their names",
    ),
    "no list": ({"shared": {"together": {"g": 3}}}, "shared.together.g", "must be a list of points"),
    "empty": ({"shared": {"together": {"g": []}}}, "shared.together.g", "must be a list of points"),
    "an empty point": ({"shared": {"together": {"g": [{}]}}}, "shared.together.g[0]", "must be a point"),
    "no mapping": ({"workload": {"together": {"g": [1]}}}, "workload.together.g[0]", "must be a point"),
    "unlike points": (
        {"shared": {"together": {"g": [{"batch_size": 1}, {"batch_size": 1, "load_s": 1}]}}},
        "shared.together.g[1]",
        "this point names load_s, and the first one does not",
    ),
    "a point that lacks one": (
        {"shared": {"together": {"g": [{"batch_size": 1, "load_s": 1}, {"load_s": 1}]}}},
        "shared.together.g[1]",
        "the first point names batch_size, and this one does not",
    ),
    "a wrong value": (
        {"backends": {"simulated": {"together": {"g": [{"batch_size": 1}, {"batch_size": 0}]}}}},
        "backends.simulated.together.g[1].batch_size",
        "input should be greater than or equal to 1, not 0",
    ),
    "a wrong shared value": (
        {"shared": {"together": {"g": [{"batch_size": 1}, {"batch_size": "x"}]}}, "backends": {"simulated": None}},
        "shared.together.g[1].batch_size",
        "input should be a valid integer, not 'x'",
    ),
    "an axis": (
        {"backends": {"simulated": {"together": {"g": [{"batch_size": [1, 2]}]}}}},
        "backends.simulated.together.g[0].batch_size",
        "a point of a group has one value",
    ),
    "a range": (
        {"workload": {"together": {"g": [{"prompts": {"min": 1, "max": 2}}]}}},
        "workload.together.g[0].prompts",
        "a point of a group has one value",
    ),
    "an unknown parameter": (
        {"backends": {"simulated": {"together": {"g": [{"batchsize": 1}]}}}},
        "backends.simulated.together.g[0].batchsize",
        "simulated has no such parameter",
    ),
    "an unknown shared parameter": (
        {"shared": {"together": {"g": [{"batchsize": 1}]}}},
        "shared.together.g[0].batchsize",
        "no backend of this campaign has this parameter",
    ),
    "in an experiment": (
        {"experiments": [{"backend": "simulated", "together": {"g": PAIRS}}]},
        "experiments[0].together",
        "an experiment is one point",
    ),
    "a misspelt key": (
        {"backends": {"simulated": {"togethr": {"g": PAIRS}}}},
        "backends.simulated.togethr",
        "simulated has no such parameter",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_group_is_told_once_where_it_stands(case: str) -> None:
    changes, field, message = WRONG[case]
    ((at, told),) = refused(**changes)
    assert at == field
    assert told.startswith(message)


def test_an_experiment_has_to_name_what_a_group_above_it_varies() -> None:
    above: dict[str, Any] = {"shared": {"together": {"size": PAIRS}}, "backends": {}}
    found = refused(**above, experiments=[{"backend": "simulated", "batch_size": 3}])
    assert found == [("experiments[0].load_s", "an experiment is one point, and this is an axis")]
    named = campaign(**above, experiments=[{"backend": "simulated", "batch_size": 3, "load_s": 1}])
    assert options(named, "batch_size", "load_s") == [("simulated", 3, 1.0)]


def test_a_group_of_one_point_is_fixed_for_an_experiment_too() -> None:
    declared = campaign(
        workload={"together": {"w": [{"prompts": 9, "output_tokens": 3}]}},
        shared={"together": {"size": PAIRS[:1]}},
        backends={},
        experiments=[{"backend": "simulated"}],
    )
    assert options(declared, "batch_size", "load_s") == [("simulated", 1, 0.5)]
    (planned,) = expand(declared, Funnel())
    assert planned.experiment.workload.prompts == 9


def test_values_that_are_lists_and_mappings_by_nature_stand_in_a_group() -> None:
    points = [
        {"engine_args": {"swap_space": 1}, "max_num_seqs": 1, "dtype": "auto"},
        {"engine_args": {"min": 1, "max": 3}, "max_num_seqs": 2, "dtype": "float32"},
    ]
    declared = campaign(backends={"vllm": {"together": {"g": points}}})
    assert options(declared, "engine_args", "max_num_seqs") == [
        ("vllm", {"swap_space": 1}, 1),
        ("vllm", {"min": 1, "max": 3}, 2),
    ]


def test_the_gpus_that_are_wanted_are_those_of_the_points() -> None:
    points = [{"tensor_parallel_size": 1, "max_num_seqs": 8}, {"tensor_parallel_size": 4, "max_num_seqs": 16}]
    declared = campaign(backends={"vllm": {"together": {"g": points}, "pipeline_parallel_size": [1, 2]}})
    (grid,) = resolve_grids(declared.file)[0]
    assert set(gpus_wanted(grid)) == {1, 2, 4, 8}


def test_a_prompt_file_is_held_against_the_counts_it_is_asked_for() -> None:
    Path("short.jsonl").write_text('"a"\n"b"\n')
    lengths = [{"dataset": "short.jsonl", "prompts": 2}, {"dataset": "builtin", "prompts": 32}]
    assert campaign(workload={"together": {"g": lengths}}).dataset_sha256.keys() == {"short.jsonl"}
    ((field, message),) = refused(workload={"together": {"g": [{**lengths[0], "prompts": 3}, lengths[1]]}})
    assert field == "workload.dataset"
    assert "holds 2 prompts, and workload.prompts asks for 3" in message


_names = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)


@given(_names, st.integers(1, 4), st.data())
def test_groups_and_axes_give_each_combination_once(names: list[str], size: int, data: st.DataObject) -> None:
    grouped = names[: data.draw(st.integers(0, len(names)))]
    axes = tuple((name, tuple(range(size if name in grouped else data.draw(st.integers(1, 3))))) for name in names)
    points = list(product(axes, (tuple(grouped),) if grouped else ()))
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)
    assert all(len({point[name] for name in grouped}) <= 1 for point in points)
    expected = size if grouped else 1
    for name, values in axes:
        expected *= 1 if name in grouped else len(values)
    assert len(points) == expected
