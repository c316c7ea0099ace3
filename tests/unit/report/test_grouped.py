"""What is said below groups that were summed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from orchestrator.analysis.groups import Group, groups_of
from orchestrator.analysis.summary import summarise
from orchestrator.report.drifting import drift_notes
from orchestrator.report.grouped import group_notes
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
