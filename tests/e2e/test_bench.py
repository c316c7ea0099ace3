"""The benchmarks themselves work; what they measure is for `make bench` to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.execution.planning import plan
from orchestrator.results.folders import CampaignFolder
from tests.bench import __main__ as bench


def test_each_row_can_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "EXPERIMENTS", 200)
    monkeypatch.chdir(Path(__file__).parents[2])
    rows = list(bench.planning(tmp_path))
    large, _ = plan(campaign_from_mapping(bench.declared(200)), tmp_path / "large.db")
    small, _ = plan(campaign_from_mapping(bench.declared(100)), tmp_path / "small.db")
    with large, small:
        rows += bench.transitions(large, small, tmp_path)
        rows.append(bench.resuming(large, CampaignFolder(tmp_path / "results")))
    assert len(rows) == 5
    assert all(min(row.values) > 0 for row in rows)
    assert all(str(row).count("|") == 7 for row in rows)
