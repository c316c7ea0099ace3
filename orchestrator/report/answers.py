"""Everything that a report tells of a campaign: put together once, then written as HTML or as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.best import Best, Ranked, best_of
from orchestrator.analysis.conditions import parse_condition
from orchestrator.analysis.drift import Drift, drift_of
from orchestrator.analysis.effects import Effect, main_effects
from orchestrator.analysis.groups import Choice, Group, LeftOut, groups_of
from orchestrator.analysis.pareto import front
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.execution.changes import retired
from orchestrator.report.answerable import Metric, metric_of
from orchestrator.report.circumstances import Circumstances, circumstances_of
from orchestrator.report.incomplete import Incomplete, incomplete_of
from orchestrator.report.repeating import Repeating, frozen_campaign, repeating
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, program_version
from orchestrator.results.table import RunTable, read_table
from runners.contract.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LATENCY: Final = "ttft_s.p50"
BESIDE: Final = ("energy_per_output_token_j", "output_tokens_per_s", LATENCY, "memory_peak_bytes")
"""Shown of every configuration, whatever is ranked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about."""

    metric: str | None = None
    """What is ranked; None: energy per output token, or where that cannot be ranked, what can."""
    by: Sequence[str] = ()
    """Columns to group by; empty: by experiment."""
    where: Sequence[str] = ()
    """Conditions that a candidate has to meet, such as ``ttft_s.p95 < 0.5``."""
    choice: Choice = Choice()


@dataclass(frozen=True, slots=True)
class Standing:
    """One group with its figures and its place."""

    group: Group
    summaries: Mapping[str, Summary]
    """By metric."""
    ranked: Ranked | None
    """None where nothing is ranked."""
    place: int | None
    """From 1; None: it is no candidate, or has no figure."""
    on_front: bool | None
    """Of the ranked metric against latency; None where one of them is not known."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a campaign tells."""

    campaign: str
    made_at: datetime
    version: str
    """Of this program."""
    asked: Asked
    table: RunTable
    metric: Metric | None
    """What is ranked; None where no run measured anything that could be."""
    best: Best | None
    standings: Sequence[Standing]
    """In the order of the ranking."""
    effects: Sequence[Effect]
    drifts: Sequence[Drift]
    left_out: Sequence[LeftOut]
    incomplete: Incomplete
    circumstances: Circumstances
    frozen: FrozenCampaign | None
    repeating: Repeating
    readings: Sequence[RunResult]
    """Runs that were read whole: all, or a choice of them where there are very many."""

    @property
    def frame(self) -> pd.DataFrame:
        """A row a run; without those that were retired, of which the table tells too."""
        return self.table.frame[~self.table.frame["retired"].astype(bool)]

    @property
    def winner(self) -> Standing | None:
        """The best configuration, where one can be named."""
        chosen = self.best.winner if self.best else None
        return next((one for one in self.standings if chosen is not None and one.ranked is chosen), None)


def answers_of(folder: Path, asked: Asked = Asked(), index: Path | None = None) -> Answers:
    """Everything that can be told of the campaign in a results folder.

    Args:
        folder: of the campaign.
        asked: what about.
        index: of its results; None: without one.

    Raises:
        InputError: a column, a metric or a condition is not one.
    """
    table = read_table(folder, index, retired(CampaignFolder(folder)))
    frozen = frozen_campaign(folder)
    groups = groups_of(table, asked.by, asked.choice)
    metric = metric_of(groups, asked.metric, asked.choice)
    conditions = [parse_condition(text) for text in asked.where]
    best = best_of(groups, metric.name, conditions, asked.choice) if metric else None
    standings = _standings(groups, metric, best)
    circumstances, readings = circumstances_of(table, [one.group for one in standings])
    return Answers(
        campaign=table.campaign,
        made_at=datetime.now(UTC),
        version=program_version(),
        asked=asked,
        table=table,
        metric=metric,
        best=best,
        standings=standings,
        effects=main_effects(table, metric.name, asked.choice) if metric else [],
        drifts=[drift for drift in [drift_of(groups, metric.name)] if drift] if metric else [],
        left_out=_left_out([one.group for one in best.ranking] if best else groups),
        incomplete=incomplete_of(folder, frozen),
        circumstances=circumstances,
        frozen=frozen,
        repeating=repeating(table.campaign, frozen, readings),
        readings=readings,
    )


def _standings(groups: Sequence[Group], metric: Metric | None, best: Best | None) -> list[Standing]:
    ranking = {one.group.label: (place, one) for place, one in enumerate(best.ranking if best else ())}
    metrics = tuple(dict.fromkeys((*([metric.name] if metric else []), *BESIDE)))
    summed = {group.label: {name: summarise(group, name) for name in metrics} for group in groups}
    on_front = _front(summed, metric)
    standings = []
    for group in groups:
        place, ranked = ranking.get(group.label, (len(ranking), None))
        placed = place + 1 if ranked and ranked.interval else None
        standings.append(Standing(group, summed[group.label], ranked, placed, on_front.get(group.label)))
    return sorted(standings, key=lambda one: ranking.get(one.group.label, (len(ranking),))[0])


def _front(summed: Mapping[str, Mapping[str, Summary]], metric: Metric | None) -> dict[str, bool]:
    """Which groups no other beats in both the ranked metric and latency, by label."""
    import pandas as pd

    if metric is None or metric.name == LATENCY:
        return {}
    points = pd.DataFrame(
        {name: [typical(summaries[name]) for summaries in summed.values()] for name in (metric.name, LATENCY)},
        index=list(summed),
        dtype=float,
    ).dropna()
    return dict(zip(points.index, front(points, (metric.name, LATENCY)), strict=True))


def typical(summary: Summary) -> float | None:
    """The typical value of a group: as its interval estimates it, or the mean of too few cycles for one."""
    return summary.interval.estimate if summary.interval else summary.mean


def _left_out(groups: Sequence[Group]) -> list[LeftOut]:
    """What no answer rests on, by reason."""
    runs: Counter[str] = Counter()
    for group in groups:
        runs.update({left.reason: left.runs for left in group.left_out})
    return [LeftOut(reason, count) for reason, count in runs.most_common()]
