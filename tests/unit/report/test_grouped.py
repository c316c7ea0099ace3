"""What is said below groups that were summed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from orchestrator.analysis.groups import Group, groups_of
from orchestrator.analysis.summary import summarise
from orchestrator.report.drifting import drift_notes
from orchestrator.report.grouped import group_notes, group_table
from orchestrator.results.table import as_table
from tests.bench.stats.harness import METRIC, made_group
from tests.made import made_results, points

METRICS = (METRIC, "output_tokens_per_s", "ttft_s.p50", "memory_peak_bytes")


def test_cycles_that_lack_experiments_are_said_not_to_count() -> None:
    results = made_results("made", points((0.5, 0.4)), 6)
    results = [one for place, one in enumerate(results) if place < 6 or place % 2]
    groups = groups_of(as_table(Path("base"), results), ["backend"])
    found = summarise(groups[0], METRIC)
    assert (found.runs, found.cycles) == (9, 3)
    said = "cycles that lack some of a group's experiments tell of the others only, and do not count"
    assert said in group_notes(groups, [[found]])
    alone = groups_of(as_table(Path("base"), results))
    assert said not in group_notes(alone, [[summarise(group, METRIC) for group in alone]])


def test_figures_that_are_not_above_0_have_no_ratios_and_no_spread_relative_to_their_mean() -> None:
    groups = [made_group("below", np.array([-1.0, 0.0, 2.0])), made_group("nothing", np.zeros(3))]
    found = [summarise(group, METRIC) for group in groups]
    assert [one.spread for one in found] == [None, None]
    rows = group_table("made", METRIC, found).rows
    assert [row[6:8] for row in rows] == [["-3.46 – 4.13", "t"], ["all alike", "t"]]
    notes = " ".join(group_notes(groups, [found]))
    assert "all alike: 1 figure the same in every cycle" in notes
    assert "not all figures are above 0, so typical is their mean" in notes


def test_drift_of_many_quantities_is_told_no_more_often_than_of_one() -> None:
    """Each by itself at 5 %, one or more of four would be told in 19 of 100 campaigns."""
    chance = np.random.default_rng(4)
    campaigns = [_still(chance) for _ in range(20)]
    by_itself = sum(any(drift_notes({"made": groups}, [metric]) for metric in METRICS) for groups in campaigns)
    together = sum(bool(drift_notes({"made": groups}, METRICS)) for groups in campaigns)
    assert together <= 2 < by_itself


def _still(chance: np.random.Generator) -> list[Group]:
    groups = [made_group(name, np.ones(5)) for name in "abc"]
    noise = {metric: np.exp(0.03 * chance.standard_normal((3, 5))) for metric in METRICS}
    return [
        replace(group, frame=pd.DataFrame(group.frame).assign(**{name: rows[place] for name, rows in noise.items()}))
        for place, group in enumerate(groups)
    ]
