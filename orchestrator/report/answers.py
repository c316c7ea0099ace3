"""Everything that a report tells of a campaign: put together once, then written as HTML or as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.best import Best, best_of
from orchestrator.analysis.compare import Comparison, compare_groups
from orchestrator.analysis.conditions import parse_condition, runs_meeting
from orchestrator.analysis.drift import Drift, drift_of
from orchestrator.analysis.effects import Effect, main_effects
from orchestrator.analysis.groups import ENVIRONMENT, EXPERIMENT, Choice, Group, LeftOut, groups_of
from orchestrator.report.answerable import Metric, metric_of
from orchestrator.report.circumstances import Circumstances, circumstances_of
from orchestrator.report.engine_messages import Said, messages_of
from orchestrator.report.incomplete import Incomplete, incomplete_of
from orchestrator.report.loading import load_table
from orchestrator.report.repeating import Repeating, frozen_campaign, repeating
from orchestrator.report.standings import LATENCY, Standing, standings_of
from orchestrator.results.frozen import FrozenCampaign, program_version
from orchestrator.results.known_issues import KnownIssue, known_issues
from orchestrator.results.table import RunTable
from orchestrator.system.project import Project, find_project
from runners.contract.result import RunResult

if TYPE_CHECKING:
    import pandas as pd

_USUAL: Final = Choice()
MOST_NEAR: Final = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about."""

    metric: str | None = None
    """What is ranked; None: energy per output token, or where that cannot be ranked, what can."""
    by: Sequence[str] = ()
    """Columns to group by; empty: by experiment."""
    where: Sequence[str] = ()
    """Conditions: those on figures (``ttft_s.p95 < 0.5``) say what a candidate has to meet, those on parameters
    (``dtype = bfloat16``) which runs are looked at."""
    choice: Choice = _USUAL


ALL: Final = Asked()
"""Everything, by what is usual."""


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
    narrowed_by: Sequence[str]
    """Conditions on parameters, which all runs meet that are looked at."""
    conditions: Sequence[str]
    """Those on figures, which candidates have to meet."""
    quickest: Best | None
    """The candidates by latency; None where that is ranked already, or no candidate is."""
    near: Sequence[Comparison]
    """The winner held against those that cannot be told apart from it, the nearest first, at most :data:`MOST_NEAR`."""
    effects: Sequence[Effect]
    drifts: Sequence[Drift]
    left_out: Sequence[LeftOut]
    incomplete: Incomplete
    labels: Mapping[str, str]
    """The group's label of each run, by run_id; also of runs that are left out of their group."""
    circumstances: Circumstances
    frozen: FrozenCampaign | None
    repeating: Repeating
    messages: Sequence[Said]
    """What engines warned of, what no known issue explains first."""
    issues: Sequence[KnownIssue]
    readings: Sequence[RunResult]
    """Runs that were read whole: all, or a choice of them where there are very many."""

    @property
    def frame(self) -> pd.DataFrame:
        """A row a run; without those that were retired, of which the table tells too."""
        return _planned(self.table)

    @property
    def winner(self) -> Standing | None:
        """The best configuration, where one can be named."""
        chosen = self.best.winner if self.best else None
        return next((one for one in self.standings if chosen is not None and one.ranked is chosen), None)


def answers_of(campaign: str | Path, asked: Asked = ALL, *, project: Project | None = None) -> Answers:
    """Everything that can be told of a campaign.

    Args:
        campaign: its name, or the path of its results folder.
        asked: what about.
        project: where a name is looked for; found from the current folder if not given.

    Raises:
        InputError: there is no such campaign; or a column, a metric or a condition is not one.
    """
    table = load_table(campaign, project=project)
    issues = known_issues((project or find_project()).folder)
    frozen = frozen_campaign(table.folder)
    conditions = [parse_condition(text) for text in asked.where]
    on_figures = [one for one in conditions if one.of_figure(table.frame.columns)]
    on_runs = [one for one in conditions if one not in on_figures]
    table = runs_meeting(table, on_runs)
    groups = groups_of(table, asked.by, asked.choice)
    metric = metric_of(groups, asked.metric, asked.choice)
    best = best_of(groups, metric.name, on_figures, asked.choice) if metric else None
    standings = standings_of(groups, metric, best, asked.choice)
    labels = _labels(table, groups)
    circumstances, readings = circumstances_of(table, [one.group for one in standings], labels)
    return Answers(
        campaign=table.campaign,
        made_at=datetime.now(UTC),
        version=program_version(),
        asked=asked,
        table=table,
        metric=metric,
        best=best,
        standings=standings,
        narrowed_by=[str(one) for one in on_runs],
        conditions=[str(one) for one in on_figures],
        quickest=_quickest(best),
        near=_near(best, asked.choice) if best else [],
        effects=main_effects(table, metric.name, asked.choice) if metric else [],
        drifts=[drift for drift in [drift_of(groups, metric.name)] if drift] if metric else [],
        left_out=_left_out([one.group for one in best.ranking] if best else groups),
        incomplete=incomplete_of(table.folder, frozen),
        labels=labels,
        circumstances=circumstances,
        frozen=frozen,
        repeating=repeating(table.campaign, frozen, readings),
        messages=messages_of(_planned(table)["engine_messages"].tolist(), issues),
        issues=issues,
        readings=readings,
    )


def _planned(table: RunTable) -> pd.DataFrame:
    return table.frame[~table.frame["retired"].astype(bool)]


def _near(best: Best, choice: Choice) -> list[Comparison]:
    if best.winner is None:
        return []
    tied = [one.group for one in best.may_be_best if one is not best.winner][:MOST_NEAR]
    among = [one.group for one in best.candidates]
    return compare_groups([(best.winner.group, group) for group in tied], [best.metric], choice, among)


def _quickest(best: Best | None) -> Best | None:
    if best is None or best.metric == LATENCY or best.winner is None:
        return None
    return best_of([one.group for one in best.candidates], LATENCY)


def _labels(table: RunTable, groups: Sequence[Group]) -> dict[str, str]:
    of_kind = {(group.key.get(EXPERIMENT), group.key.get(ENVIRONMENT)): group.label for group in groups}
    counted = {run: group.label for group in groups for run in group.frame["run_id"]}
    labels = {}
    for run, experiment, environment in table.frame[["run_id", EXPERIMENT, ENVIRONMENT]].itertuples(index=False):
        label = counted.get(run) or of_kind.get((experiment, environment)) or of_kind.get((experiment, None))
        labels[run] = label or str(experiment)
    return labels


def _left_out(groups: Sequence[Group]) -> list[LeftOut]:
    """What no answer rests on, by reason."""
    runs: Counter[str] = Counter()
    for group in groups:
        runs.update({left.reason: left.runs for left in group.left_out})
    return [LeftOut(reason, count) for reason, count in runs.most_common()]
