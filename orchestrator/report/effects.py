"""Main effects as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.effects import Effect, Level
from orchestrator.analysis.groups import Group
from orchestrator.report.charts.wording import labelled
from orchestrator.report.chosen import MOST_ROWS
from orchestrator.report.figures import caveat_of, ratio_range, ratio_text
from orchestrator.report.tables import Column, Table, shortened
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES


def effects_table(effects: Sequence[Effect], metric: str, campaign: str, groups: Sequence[Group]) -> Table:
    """What each parameter does: a row a value beside the first.

    Args:
        effects: of one campaign.
        metric: the quantity that they are effects on.
        campaign: its name.
        groups: what was ranked, so that figures which were not measured are told from others.
    """
    quantity = QUANTITIES[metric]
    rows = [
        [
            effect.parameter if place == 0 else "",
            f"{shown(level.value)} ÷ {shown(effect.levels[0].value)}",
            ratio_text(level.ratio.estimate) if level.ratio else "—",
            ratio_range(level.ratio),
            str(level.settings),
            level.ratio.method if level.ratio else _untold(level),
        ]
        for effect in effects
        for place, level in enumerate(effect.levels[1:])
    ]
    columns = [
        Column("parameter"),
        Column("values"),
        Column("ratio", True),
        Column("95 % interval"),
        Column("settings", True),
        Column("method", prose=True),
    ]
    notes = [
        "a ratio is the average over the settings of the other parameters that were run with both values;"
        " each interval holds by itself"
    ]
    if any(effect.parameter == "backend" for effect in effects):
        notes.append(
            "each backend stands for the settings that it was run with, where what all of them have is the same"
        )
    what = labelled(quantity.title, caveat_of(groups, quantity))
    table = Table(f"{campaign}: what each parameter does to {what}", columns, rows, notes)
    return shortened(table, MOST_ROWS, "values: --json shows them all")


def _untold(level: Level) -> str:
    if level.not_positive and not level.settings:
        return "not told: 0 or less in a run, so no ratios"
    return "not told: fewer than two cycles" if level.settings else "not told: never changed alone"
