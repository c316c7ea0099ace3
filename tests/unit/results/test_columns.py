from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputError
from orchestrator.results.columns import columns_of, full_name, metric_named, texts_of, values_of
from orchestrator.results.table import RunTable, as_table
from tests.builders import experiment, run_result


@pytest.fixture
def table() -> RunTable:
    of = [
        experiment("pytorch", batch_size=4),
        experiment("simulated", batch_size=8),
        experiment("vllm", max_num_seqs=16, engine_args={"swap": 1}),
    ]
    return as_table(Path("base"), [run_result(one, order_index=number) for number, one in enumerate(of)])


def test_what_is_unique_of_a_name_will_do(table: RunTable) -> None:
    columns = table.frame.columns
    assert full_name(columns, "max_num_seqs") == "vllm.max_num_seqs"
    assert full_name(columns, "vllm.max_num_seqs") == "vllm.max_num_seqs"
    assert full_name(columns, "swap") == "vllm.engine_args.swap"
    assert full_name(columns, "prompts") == "workload.prompts"


def test_backends_share_a_name_and_each_run_has_its_own_value(table: RunTable) -> None:
    assert columns_of(table.frame.columns, "batch_size") == ("pytorch.batch_size", "simulated.batch_size")
    assert values_of(table.frame, "batch_size").tolist() == [4, 8, None]
    assert texts_of(table.frame, "batch_size") == ["4", "8", ""]


def test_left_open_is_not_the_same_as_not_there(table: RunTable) -> None:
    assert texts_of(table.frame, "vllm.max_model_len") == ["", "", "—"]
    assert texts_of(table.frame, "queue_s.p50") == ["—"] * 3


def test_a_name_that_fits_several_or_none_is_refused_with_those_that_are_near(table: RunTable) -> None:
    with pytest.raises(InputError, match=r"could be ttft_s.p95, .*e2e_s.p95"):
        columns_of(table.frame.columns, "p95")
    with pytest.raises(InputError, match="no column 'max_num_seq'") as refused:
        columns_of(table.frame.columns, "max_num_seq")
    assert "vllm.max_num_seqs" in str(refused.value.hint)


def test_values_are_as_they_were_declared_beside_runs_that_have_none(table: RunTable) -> None:
    value = table.frame["vllm.max_num_seqs"].iloc[2]
    assert (value, type(value)) == (16, int)
    assert table.frame["vllm.max_num_seqs"].isna().tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("enrgy_j", "energy_j"),
        ("ttft", "ttft_s."),
        ("Output rate", "output_tokens_per_s"),
        ("memory", "memory_"),
        ("@", ""),
    ],
)
def test_an_unknown_quantity_is_refused_with_where_it_was_typed_what_is_near_and_where_all_are(
    name: str, near: str
) -> None:
    with pytest.raises(InputError) as refused:
        metric_named(name, "--maximize")
    assert str(refused.value) == f"--maximize {name!r} is no quantity"
    hint = str(refused.value.hint)
    assert hint.endswith("all of them: docs/reference/quantities.md")
    assert (near in hint) if near else "did you mean" not in hint


def test_what_fits_several_quantities_is_refused_with_them() -> None:
    with pytest.raises(InputError, match=r"--metric 'p95' could be ttft_s.p95, ") as refused:
        metric_named("p95")
    assert "name it in full" in str(refused.value.hint)
