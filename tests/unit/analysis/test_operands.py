from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.operands import parse_operand, selected
from orchestrator.errors import InputError
from orchestrator.results.table import RunTable, as_table
from tests.made import made_results, points

TABLE = as_table(Path("grid"), made_results("grid", points([0.5, 0.4, 0.3]), 2))


def ids(table: RunTable) -> list[int]:
    return table.frame["simulated.batch_size"].tolist()


def test_a_campaign_a_part_and_values_are_told_apart() -> None:
    whole = parse_operand("grid")
    assert whole.whole
    assert ids(selected(TABLE, whole)) == [1, 2, 4] * 2
    part = parse_operand("grid:-model-2-")
    assert (part.campaign, part.part, part.whole) == ("grid", "-model-2-", False)
    assert ids(selected(TABLE, part)) == [2, 2]
    values = parse_operand("grid:batch_size=4, backend=simulated")
    assert [str(one) for one in values.values] == ["batch_size = 4", "backend = simulated"]
    assert ids(selected(TABLE, values)) == [4, 4]


def test_commas_within_brackets_and_quotes_are_of_the_value() -> None:
    operand = parse_operand("""x:stop=["a, b"],name='c,d',e={"f": [1, 2]}""")
    assert [one.value for one in operand.values] == ['["a, b"]', "c,d", '{"f": [1, 2]}']


@pytest.mark.parametrize("text", ["", ":x", "x:", "x: "])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="names nothing to compare"):
        parse_operand(text)


def test_a_part_that_fits_several_or_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="'simulated' fits 3 experiments of grid") as several:
        selected(TABLE, parse_operand("grid:simulated"))
    assert "simulated-model-1" in str(several.value.hint)
    with pytest.raises(InputError, match="no experiment of grid has 'vllm' in its id") as none:
        selected(TABLE, parse_operand("grid:vllm"))
    assert "simulated-model-4" in str(none.value.hint)


def test_an_id_in_full_is_that_experiment_even_if_others_contain_it() -> None:
    frame = TABLE.frame.assign(experiment_id=["a", "ab", "abc"] * 2)
    table = RunTable("grid", Path("grid"), frame, TABLE.parameters)
    assert ids(selected(table, parse_operand("grid:a"))) == [1, 1]


def test_values_that_no_run_has_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="no run of grid has batch_size = 3") as error:
        selected(TABLE, parse_operand("grid:batch_size=3"))
    assert error.value.hint == "there simulated.batch_size is 1, 2, 4"
