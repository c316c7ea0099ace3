from __future__ import annotations

from pathlib import Path

from orchestrator.results.table import HOW, WHO, read_table
from runners.contract.quantities import QUANTITIES
from tests.made import made_campaign, points


def test_a_row_a_run_in_the_order_they_ran(tmp_path: Path) -> None:
    folder = made_campaign(tmp_path, "made", points([0.5, 0.4]), 3)
    table = read_table(folder.path)
    assert list(table.frame["order_index"]) == list(range(6))
    assert list(table.frame["simulated.batch_size"]) == [1, 2] * 3
    assert "simulated.batch_size" in table.parameters
    assert list(table.frame.columns) == [*WHO, *HOW, *table.parameters, *QUANTITIES]


def test_no_runs_are_a_table_with_columns(tmp_path: Path) -> None:
    table = read_table(tmp_path)
    assert table.frame.empty
    assert "energy_j" in table.frame.columns
