"""A campaign that was looked at until it was known says so in its table, and its intervals allow for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.groups import groups_of
from orchestrator.analysis.interval import interval_of
from orchestrator.analysis.stopping import sequential_interval
from orchestrator.analysis.summary import summarise
from orchestrator.campaign.schema import Dispatching
from orchestrator.results.frozen import freeze, repeated_until, thaw
from orchestrator.results.table import as_table
from tests.builders import campaign
from tests.made import made_results, points

UNTIL = {"metric": "ttft_s.p95", "relative_half_width": 0.1, "max_cycles": 9}
METRIC = "energy_per_output_token_j"


def frozen(folder: Path, *revisions: dict[str, Any]) -> Path:
    before = None
    for declared in revisions:
        freeze(folder / "campaign.json", campaign(folder, **declared), 2, "0" * 64, Dispatching("local", None), before)
        before = thaw(folder / "campaign.json")
    return folder


def test_it_says_for_what_quantity_also_if_that_was_so_once(tmp_path: Path) -> None:
    assert repeated_until(frozen(tmp_path, {"until": UNTIL})) == "ttft_s.p95"
    assert repeated_until(frozen(tmp_path, {"until": UNTIL}, {"cycles": 7})) == "ttft_s.p95"
    assert repeated_until(frozen(tmp_path, {"cycles": 7})) is None


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"campaign": {"file": {"until": 3}}, "earlier": []}'])
def test_of_a_file_that_is_none_nothing_is_known(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "campaign.json").write_text(content)
    assert repeated_until(tmp_path) is None


def test_what_an_older_version_froze_has_none(tmp_path: Path) -> None:
    file = frozen(tmp_path, {"cycles": 2}) / "campaign.json"
    before = json.loads(file.read_text())
    del before["campaign"]["file"]["until"]
    file.write_text(json.dumps(before))
    assert repeated_until(tmp_path) is None


def test_its_intervals_allow_for_having_been_looked_at(tmp_path: Path) -> None:
    results = made_results("base", points([0.5]), 6)
    values = [result.energy_per_output_token_j for result in results]
    for declared, expected in (({"until": UNTIL}, sequential_interval(values)), ({"cycles": 6}, interval_of(values))):
        table = as_table(frozen(tmp_path, declared), results)
        assert set(table.frame["until"]) == {UNTIL["metric"] if "until" in declared else None}
        (group,) = groups_of(table)
        interval = summarise(group, METRIC).interval
        assert interval
        assert expected
        assert interval.method == expected.method
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
