from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.document import parse
from orchestrator.campaign.load import campaign_from_document, campaign_from_mapping
from orchestrator.errors import FileError
from runners.contract.messages import nearest
from tests.builders import campaign


def test_shared_holds_for_every_backend_that_has_the_parameter_and_its_own_wins() -> None:
    declared = campaign(
        shared={"batch_size": [1, 2], "dtype": "float32"},
        backends={"simulated": {"batch_size": 4}, "pytorch": None},
    )
    simulated, pytorch = (dict(grid.options) for grid in resolve_grids(declared.file)[0])
    assert simulated == {"batch_size": (4,)}
    assert pytorch == {"batch_size": (1, 2), "dtype": ("float32",)}


def test_an_explicit_experiment_takes_what_is_fixed_above_it() -> None:
    declared = campaign(
        backends={},
        workload={"prompts": 8, "output_tokens": 4},
        shared={"tokens_per_s": 10},
        experiments=[{"backend": "simulated", "workload": {"prompts": 9}, "model": "org/own"}],
    )
    (grid,) = resolve_grids(declared.file)[0]
    assert (grid.source, grid.models) == ("experiments[0]", ("org/own",))
    assert dict(grid.workload) == {"prompts": (9,), "output_tokens": (4,)}
    assert dict(grid.options) == {"tokens_per_s": (10.0,)}


def test_a_fault_in_shared_is_told_once_however_many_backends_take_it() -> None:
    with pytest.raises(FileError) as caught:
        campaign(shared={"batch_size": "x"}, backends={"simulated": {}, "pytorch": {}})
    assert len(caught.value.issues) == 1


def test_a_fault_in_a_union_is_told_once_at_its_deepest() -> None:
    with pytest.raises(FileError) as caught:
        campaign(model=["org/a", 3])
    assert [issue.field for issue in caught.value.issues] == ["model[1]"]


def test_a_mapping_is_one_value_and_a_list_of_them_an_axis() -> None:
    first, second = {"top_logprobs": 512}, {"rope": {"factor": [1, 2.5, None, "x"]}}
    declared = campaign(shared={"sampling_args": first}, backends={"vllm": {"engine_args": [first, second]}})
    (grid,) = resolve_grids(declared.file)[0]
    assert dict(grid.options) == {"sampling_args": (first,), "engine_args": (first, second)}
    assert grid.points == 2


def test_a_mapping_where_none_is_taken_is_refused() -> None:
    with pytest.raises(FileError) as caught:
        campaign(backends={"vllm": {"dtype": {"from": "a"}, "max_num_seqs": [1, {"to": 2}]}})
    assert [(issue.field, issue.message) for issue in caught.value.issues] == [
        ("backends.vllm.dtype", "takes neither a mapping nor a range"),
        ("backends.vllm.max_num_seqs[1]", "a range or a group does not stand in a list"),
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"since": date(2026, 1, 2)}, "since: a date is none of JSON's values; write it as text"),
        ({"a": {"b": [0, math.inf]}}, "a.b[1]: must be a finite number, not inf"),
        ({"a": (1, 2)}, "a: a tuple is none of JSON's values; write it as text"),
        ({"a": "\ud800"}, "a: holds a NUL or half a surrogate pair, which no file can carry"),
        ("x", "input should be a mapping of keys, not 'x'"),
    ],
)
def test_what_a_file_cannot_carry_is_named_with_its_place(value: object, message: str) -> None:
    with pytest.raises(FileError) as caught:
        campaign(backends={"vllm": {"engine_args": [{}, value]}})
    (issue,) = caught.value.issues
    assert (issue.field, issue.message) == ("backends.vllm.engine_args[1]", message)


def test_a_date_in_a_file_is_text() -> None:
    declared = parse("name: a\nmodel: org/m\nbackends:\n  vllm: {engine_args: {since: 2026-01-02}}\n")
    (grid,) = resolve_grids(campaign_from_document(declared, Path()).file)[0]
    assert dict(grid.options) == {"engine_args": ({"since": "2026-01-02"},)}


def test_a_shared_value_that_one_backend_refuses_names_it() -> None:
    with pytest.raises(FileError) as caught:
        campaign(shared={"dtype": ["float32", "auto"]}, backends={"pytorch": None, "vllm": None})
    (issue,) = caught.value.issues
    assert issue.field == "shared.dtype[1]"
    assert issue.message.startswith("pytorch: input should be 'float32', 'bfloat16' or 'float16'")
    assert issue.hint == "give each backend its own value under backends:"


def test_an_axis_in_shared_is_crossed_with_the_backends_that_have_it() -> None:
    declared = campaign(
        shared={"pipeline_parallel_size": [1, 2], "max_num_seqs": [1, 2, 3]},
        backends=dict.fromkeys(("pytorch", "vllm", "tensorrt")),
    )
    assert [(grid.backend, grid.points) for grid in resolve_grids(declared.file)[0]] == [
        ("pytorch", 1),
        ("vllm", 6),
        ("tensorrt", 2),
    ]


_sizes = st.integers(1, 4)


@given(_sizes, _sizes, _sizes, _sizes)
def test_points_are_the_product_of_the_axes(models: int, prompts: int, batches: int, rates: int) -> None:
    declared = campaign_from_mapping(
        {
            "name": "a",
            "model": [f"org/m{n}" for n in range(models)],
            "workload": {"prompts": list(range(1, prompts + 1))},
            "shared": {"batch_size": list(range(1, batches + 1))},
            "backends": {"simulated": {"tokens_per_s": [float(n + 1) for n in range(rates)]}},
        }
    )
    (grid,) = resolve_grids(declared.file)[0]
    assert grid.points == math.prod([models, prompts, batches, rates])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dtyp", "did you mean 'dtype'?"),
        ("DTYPE", "did you mean 'dtype'?"),
        ("", "known: batch_size, dtype"),
        ("zzz", "known: batch_size, dtype"),
    ],
)
def test_nearest(name: str, hint: str) -> None:
    assert nearest(name, ["dtype", "batch_size"]) == hint
