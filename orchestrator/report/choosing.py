"""The best of one campaign or several: read, ranked, and put together with what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orchestrator.analysis.best import Best, Ranked, best_of
from orchestrator.analysis.comparable import meters_of, named
from orchestrator.analysis.conditions import Condition, parse_condition, runs_meeting
from orchestrator.analysis.effects import Effect, main_effects
from orchestrator.analysis.groups import Choice, Group, groups_of
from orchestrator.analysis.pareto import Front, front_of
from orchestrator.analysis.summary import summarise
from orchestrator.errors import InputError
from orchestrator.report.drifting import drift_notes
from orchestrator.report.loading import load_table
from orchestrator.report.notes import columns_of_frame, notes_on
from orchestrator.results.columns import full_name, metric_named
from orchestrator.results.table import RunTable
from orchestrator.system.project import Project
from runners.contract.quantities import QUANTITIES, Better


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of campaigns."""

    metric: str
    better: Better
    where: Sequence[str] = ()
    by: Sequence[str] = ()
    effects: bool = False
    choice: Choice = field(default_factory=Choice)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The answer."""

    campaigns: Sequence[str]
    best: Best
    front: Front | None
    """Of the candidates; None where there are not two of them, or not two figures."""
    effects: Mapping[str, Sequence[Effect]]
    """By campaign; empty unless they were asked for."""
    notes: Sequence[str]
    faults: Sequence[str]

    @property
    def groups(self) -> list[Group]:
        """All that was ranked."""
        return [one.group for one in self.best.ranking]


def choose(project: Project, names: Sequence[str], question: Question) -> Chosen:
    """Answer a question about campaigns of a project.

    Conditions on parameters say which runs are looked at; those on figures, which groups are candidates.

    Raises:
        InputError: there is no such campaign, quantity or column, or a condition cannot be understood.
    """
    metric = metric_named(question.metric, "--minimize" if question.better == "lower" else "--maximize")
    names = list(dict.fromkeys(names))
    conditions = [parse_condition(text) for text in question.where]
    read = [load_table(name, project=project) for name in names]
    on_figures = [each for each in conditions if _is_on_figure(each, read)]
    on_parameters = [each for each in conditions if each not in on_figures]
    tables = _narrowed(read, on_parameters)
    groups = [group for table in tables for group in _groups(table, question, named=len(tables) > 1)]
    best = best_of(groups, metric, on_figures, question.choice, question.better)
    candidates = [one.group for one in best.candidates]
    front = front_of(candidates, metric, question.choice) if QUANTITIES[metric].better == question.better else None
    return Chosen(
        campaigns=names,
        best=best,
        front=front if front and len(candidates) > 1 and len(front.points.columns) > 1 else None,
        effects={table.campaign: main_effects(table, metric, question.choice) for table in tables}
        if question.effects
        else {},
        notes=_notes(tables, best, metric),
        faults=[fault for table in tables for fault in table.faults],
    )


def _is_on_figure(condition: Condition, tables: Sequence[RunTable]) -> bool:
    return any(_has_column(table, condition) and condition.of_figure(table.frame.columns) for table in tables)


def _has_column(table: RunTable, condition: Condition) -> bool:
    try:
        full_name(table.frame.columns, condition.name)
    except InputError:
        return False
    return True


def _narrowed(tables: Sequence[RunTable], conditions: Sequence[Condition]) -> list[RunTable]:
    """The runs that meet conditions on parameters; a campaign that has no such parameter has none of them.

    Raises:
        InputError: no campaign has such a column.
    """
    narrowed = []
    for table in tables:
        for condition in conditions:
            nowhere = not any(_has_column(other, condition) for other in tables)
            table = (
                runs_meeting(table, [condition])
                if nowhere or _has_column(table, condition)
                else replace(table, frame=table.frame.iloc[:0])
            )
        narrowed.append(table)
    return narrowed


def _groups(table: RunTable, question: Question, *, named: bool) -> list[Group]:
    """A campaign's groups; those of several campaigns carry its name."""
    groups = groups_of(table, question.by, question.choice)
    return [replace(group, label=f"{table.campaign}: {group.label}") for group in groups] if named else groups


def _notes(tables: Sequence[RunTable], best: Best, metric: str) -> list[str]:
    """What has to be known of the runs that were looked at: their energy, environments, outputs, drift, meters."""
    import pandas as pd

    frames = [table.frame for table in tables if len(table.frame)]
    notes = notes_on(columns_of_frame(pd.concat(frames))) if frames else []
    candidates = [one.group for one in best.candidates]
    own = {
        table.campaign: [group for group in candidates if (group.frame["campaign"] == table.campaign).any()]
        for table in tables
    }
    notes += drift_notes(own, [metric])
    winner = best.winner
    if winner and QUANTITIES[metric].of_energy:
        summed = summarise(winner.group, metric)
        bounds = [f"{bound:.3f}" for bound in (summed.meter_low, summed.meter_high) if bound is not None]
        if bounds and set(bounds) != {"1.000"}:
            notes.append(
                f"the meter's own bounds of the winner, × {' to × '.join(bounds)}, are not in the interval:"
                " no repetition narrows them"
            )
    return notes


def chosen_json(chosen: Chosen) -> dict[str, Any]:
    """The answer for machines; figures in SI units."""
    best, front = chosen.best, chosen.front
    on_front = dict(zip(front.points.index, front.on, strict=True)) if front else {}
    may_be = {one.group.label for one in best.may_be_best}
    return {
        "campaigns": list(chosen.campaigns),
        "metric": best.metric,
        "better": best.better,
        "level": best.level,
        "method": best.method,
        "winner": best.winner.group.label if best.winner else None,
        "may_be_best": [one.group.label for one in best.may_be_best],
        "ranking": [_ranked(one, one.group.label in may_be, on_front) for one in best.ranking],
        "front": {"metrics": list(front.points.columns), "points": _points(front)} if front else None,
        "effects": {campaign: [asdict(effect) for effect in effects] for campaign, effects in chosen.effects.items()},
        "notes": list(chosen.notes),
        "faults": list(chosen.faults),
    }


def _ranked(one: Ranked, may_be_best: bool, on_front: Mapping[Any, bool]) -> dict[str, Any]:
    return {
        "label": one.group.label,
        "key": dict(one.group.key),
        "estimate": one.estimate,
        "interval": asdict(one.interval) if one.interval else None,
        "beside_best": asdict(one.beside_best) if one.beside_best else None,
        "separable": one.separable,
        "may_be_best": may_be_best,
        "on_front": on_front.get(one.group.label),
        "fails": list(one.fails),
        "cycles": one.cycles,
        "runs": len(one.group.frame),
        "energy_methods": named(meters_of(one.group, "energy_j")),
        "backends": sorted(set(one.group.frame["backend"])),
        "left_out": [asdict(left) for left in one.group.left_out],
    }


def _points(front: Front) -> list[dict[str, Any]]:
    return [
        {
            "label": str(label),
            "on_front": on,
            **{str(name): None if value != value else float(value) for name, value in values.items()},
        }
        for (label, values), on in zip(front.points.iterrows(), front.on, strict=True)
    ]
