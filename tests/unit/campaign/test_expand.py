from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.expand import Funnel, Planned, expand
from orchestrator.campaign.schema import Campaign
from orchestrator.errors import FileError
from tests.builders import campaign


def expanded(declared: Campaign) -> tuple[list[Planned], Funnel]:
    funnel = Funnel()
    return list(expand(declared, funnel)), funnel


_values = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@given(_values, _values)
def test_funnel_adds_up(batches: list[int], prompts: list[int]) -> None:
    declared = campaign(workload={"prompts": [*prompts, 64]}, backends={"simulated": {"batch_size": batches}})
    found, funnel = expanded(declared)
    pairs = list(itertools.product(batches, [*prompts, 64]))
    kept = {(b, p) for b, p in pairs if b <= p}
    assert funnel.declared == len(pairs)
    assert funnel.dropped.total() == sum(b > p for b, p in pairs)
    assert funnel.experiments == len(found) == len({p.experiment_id for p in found}) == len(kept)
    assert funnel.declared == funnel.dropped.total() + funnel.duplicates + funnel.experiments


def test_dropped_points_are_counted_by_rule() -> None:
    grid = {
        "attn_implementation": ["sdpa", "flash_attention_2"],
        "dtype": ["float32", "bfloat16"],
        "batch_size": [1, 9],
    }
    _, funnel = expanded(campaign(workload={"prompts": 8}, backends={"pytorch": grid}))
    assert funnel.declared == 8
    assert funnel.dropped == {"batch-exceeds-prompts": 4, "flash-attention-needs-half-precision": 1}
    assert funnel.experiments == 3


def test_a_point_of_grid_and_list_is_one_experiment_and_keeps_its_first_source() -> None:
    found, funnel = expanded(
        campaign(
            backends={"simulated": {"batch_size": [1, 2, 1]}},
            experiments=[
                {"backend": "simulated", "batch_size": 2},
                {"backend": "simulated", "batch_size": 3},
                {"backend": "simulated", "batch_size": 3, "spread": 0.05},
            ],
        )
    )
    assert [(p.experiment.options.batch_size, p.source) for p in found] == [
        (1, "grid"),
        (2, "grid"),
        (3, "experiments[1]"),
    ]
    assert (funnel.declared, funnel.duplicates, funnel.experiments) == (6, 3, 3)


def test_the_order_is_that_of_the_file() -> None:
    found, _ = expanded(
        campaign(model=["org/b", "org/a"], backends={"simulated": {"batch_size": [2, 1]}, "pytorch": None})
    )
    assert [(p.backend, p.experiment.model, p.experiment.options.batch_size) for p in found] == [
        ("simulated", "org/b", 2),
        ("simulated", "org/b", 1),
        ("simulated", "org/a", 2),
        ("simulated", "org/a", 1),
        ("pytorch", "org/b", 1),
        ("pytorch", "org/a", 1),
    ]


def test_expansion_is_lazy() -> None:
    many = list(range(1, 101))
    declared = campaign(
        workload={"prompts": 1_000_000, "output_tokens": many},
        backends={"simulated": {"batch_size": many, "power_w": many}},
    )
    funnel = Funnel()
    assert len(list(itertools.islice(expand(declared, funnel), 3))) == 3
    assert funnel.declared == 3


def test_more_runs_than_anybody_can_make_are_refused_before_they_are_counted() -> None:
    many = list(range(1, 1001))
    with pytest.raises(FileError, match="declares 2,000,000,000 runs, and at most 10,000,000 are taken"):
        campaign(cycles=2, workload={"output_tokens": many}, backends={"simulated": {"power_w": many, "load_s": many}})


def test_nothing_left_names_the_rules() -> None:
    with pytest.raises(FileError, match=r"no experiment is left: .*batch-exceeds-prompts \(2\)"):
        expanded(campaign(workload={"prompts": 1}, backends={"simulated": {"batch_size": [2, 3]}}))


def test_numbers_written_as_integers_and_as_floats_are_one_experiment() -> None:
    found, funnel = expanded(campaign(backends={"simulated": {"tokens_per_s": [200, 200.0]}}))
    assert (len(found), funnel.duplicates) == (1, 1)
