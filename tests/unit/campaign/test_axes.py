from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.load import campaign_from_mapping
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
