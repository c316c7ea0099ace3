"""The Pareto front as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.groups import Group
from orchestrator.analysis.pareto import Front
from orchestrator.report.charts.wording import labelled
from orchestrator.report.chosen import MOST_ROWS
from orchestrator.report.figures import caveat_of
from orchestrator.report.tables import Column, Table, shortened
from runners.contract.quantities import QUANTITIES


def front_table(front: Front, groups: Sequence[Group]) -> Table:
    """The groups on the Pareto front, with what they are traded by.

    Args:
        front: of the groups.
        groups: that it was found among.
    """
    quantities = [QUANTITIES[name] for name in front.points.columns]
    rows = [
        [str(label), *(quantity.show(value) for quantity, value in zip(quantities, values, strict=True))]
        for label, values, is_on in zip(front.points.index, front.points.itertuples(index=False), front.on, strict=True)
        if is_on
    ]
    hows = [caveat_of(groups, quantity) for quantity in quantities]
    shared = hows[0] if len(set(hows)) == 1 else ""
    titles = [quantity.title.removesuffix(" per output token") for quantity in quantities]
    headings = [
        f"{labelled(title, how if how != shared else '')}\n{quantity.unit}"
        for title, how, quantity in zip(titles, hows, quantities, strict=True)
    ]
    columns = [Column("candidate"), *(Column(heading, True) for heading in headings)]
    notes = ["the front is of typical values: how surely these differ is not in it"]
    notes += [f"the front leaves out {left}" for left in front.left_out]
    title = f"{labelled('Pareto front', shared)}: no other is as good in all of this and better in one"
    table = Table(title, columns, rows, notes)
    return shortened(table, MOST_ROWS, "on the front: --json shows them all")
