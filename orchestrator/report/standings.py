"""Each group of a campaign with its figures and its place. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.best import Best, Ranked
from orchestrator.analysis.groups import Choice, Group, for_ranking
from orchestrator.analysis.pareto import front
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.report.answerable import Metric

LATENCY: Final = "ttft_s.p50"
BESIDE: Final = ("energy_per_output_token_j", "output_tokens_per_s", LATENCY, "memory_peak_bytes")
"""Shown of every configuration, whatever is ranked."""


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
    """Of the ranked metric against latency, among candidates; None: it is none, or one of the two is not known."""

    @property
    def candidate(self) -> bool:
        """Whether it is held against the others."""
        return self.ranked is not None and not self.ranked.fails and self.ranked.estimate is not None


def standings_of(groups: Sequence[Group], metric: Metric | None, best: Best | None, choice: Choice) -> list[Standing]:
    """The groups in the order of their ranking; those that are not ranked last.

    Args:
        groups: of the campaign.
        metric: what is ranked; None: nothing.
        best: the ranking.
        choice: which runs count.
    """
    ranking = {one.group.label: (place, one) for place, one in enumerate(best.ranking if best else ())}
    metrics = tuple(dict.fromkeys((*([metric.name] if metric else []), *BESIDE)))
    summed = {
        group.label: {name: summarise(_measured(group, name, choice), name) for name in metrics} for group in groups
    }
    on_front = _front(summed, best)
    standings = []
    for group in groups:
        place, ranked = ranking.get(group.label, (len(ranking), None))
        placed = place + 1 if ranked and ranked.interval else None
        standings.append(Standing(group, summed[group.label], ranked, placed, on_front.get(group.label)))
    return sorted(standings, key=lambda one: ranking.get(one.group.label, (len(ranking),))[0])


def _measured(group: Group, metric: str, choice: Choice) -> Group:
    """Its runs that measured a metric; where all of them estimated it, these."""
    usable = for_ranking(group, metric, choice)
    return usable if len(usable.frame) else group


def _front(summed: Mapping[str, Mapping[str, Summary]], best: Best | None) -> dict[str, bool]:
    """Which candidates no other beats in both the ranked metric and latency, by label."""
    import pandas as pd

    if best is None or best.metric == LATENCY:
        return {}
    candidates = [one.group.label for one in best.candidates]
    points = pd.DataFrame(
        {name: [typical(summed[label][name]) for label in candidates] for name in (best.metric, LATENCY)},
        index=candidates,
        dtype=float,
    ).dropna()
    return dict(zip(points.index, front(points, (best.metric, LATENCY)), strict=True))


def typical(summary: Summary) -> float | None:
    """The typical value of a group: as its interval estimates it, or the mean of too few cycles for one."""
    return summary.interval.estimate if summary.interval else summary.mean
