"""What was chosen as text: the answer in words, and the ranking. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.best import Best, Ranked
from orchestrator.analysis.groups import Group, LeftOut
from orchestrator.analysis.interval import Interval
from orchestrator.report.charts.wording import labelled, sentence, told
from orchestrator.report.counting import counted
from orchestrator.report.figures import caveat_of, range_of, ratio_range
from orchestrator.report.tables import Column, Table, shortened
from runners.contract.quantities import QUANTITIES

MOST_ROWS: Final = 30
_NAMED: Final = 5
_FEW_CYCLES: Final = 5


def answer(best: Best) -> list[str]:
    """Which is best and how surely, in sentences."""
    quantity = QUANTITIES[best.metric]
    what = f"the {_most(best)} {labelled(quantity.title, caveat_of(_groups(best), quantity))}"
    winner, others = best.winner, len(best.candidates) - 1
    if winner is None or winner.interval is None:
        return [_why_none(best, what)]
    interval = (
        f"{told(quantity, winner.interval.estimate)} ({range_of(quantity, winner.interval)} at {_percent(best.level)})"
    )
    said = f"{winner.group.label} has {what}: {interval}"
    if not others:
        return [f"{said}. It is the only candidate."]
    beside = best.may_be_best[1:]
    if not beside:
        return [
            f"{said}. It is told from all {others} others." if others > 1 else f"{said}. It is told from the other."
        ]
    names = "; ".join(one.group.label for one in beside[:_NAMED])
    more = f"; and {len(beside) - _NAMED} more" if len(beside) > _NAMED else ""
    lines = [
        f"{said}.",
        f"{counted(len(beside), 'other')} of {others} cannot be told from it, and may be as good: {names}{more}.",
    ]
    if winner.beside_best and all(one.interval for one in beside):
        lines.append(f"At worst it is {_behind(winner.beside_best)} behind the best, at {_percent(best.level)}.")
    return lines


def ranking_table(best: Best, notes: Sequence[str] = ()) -> Table:
    """Every group from the best down; below them those that fail a condition, and those without the figure.

    Args:
        best: what was found.
        notes: further remarks.
    """
    quantity = QUANTITIES[best.metric]
    columns = [
        Column("candidate"),
        Column(f"typical\n{quantity.unit}", True),
        Column(f"{_percent(best.level)} interval"),
        Column("÷ best"),
        Column("cycles", True),
        Column("best?", prose=True),
    ]
    rows = [
        [
            one.group.label,
            quantity.show(one.estimate),
            range_of(quantity, one.interval) if one.interval else "—",
            ratio_range(one.beside_best, apart=bool(one.separable)),
            str(one.cycles) if one.cycles or not one.fails else "—",
            _verdict(one, best),
        ]
        for one in best.ranking
    ]
    title = sentence(labelled(quantity.title, caveat_of(_groups(best), quantity)))
    table = Table(f"{title}, from the {_most(best)}", columns, rows, [*_notes(best), *notes])
    return shortened(table, MOST_ROWS, "groups, the worst: --json shows them all")


def _groups(best: Best) -> list[Group]:
    return [one.group for one in best.ranking]


def _most(best: Best) -> str:
    return "lowest" if best.better == "lower" else "highest"


def _why_none(best: Best, what: str) -> str:
    if not best.ranking:
        return "There is no complete run to choose from."
    start = f"No candidate can be said to have {what}"
    if best.candidates:
        return f"{start}: each was measured in one cycle only, and nothing is known of its noise."
    if any(one.fails for one in best.ranking):
        if not best.where:
            return f"{start}: {'; '.join(dict.fromkeys(why for one in best.ranking for why in one.fails))}."
        return f"{start}: none meets the conditions."
    if any(left.reason == "energy estimated" for one in best.ranking for left in one.group.left_out):
        return f"{start}: energy is estimated, and estimates do not rank; --estimated ranks them all the same."
    if all(one.group.left_out and not len(one.group.frame) for one in best.ranking):
        return f"{start}: no run is usable ({_left_out(best)})."
    return f"{start}: it was not measured."


def why_out(one: Ranked, best: Best) -> str:
    """Why one is no candidate: it fails a condition, or cannot be ranked at all."""
    of_conditions = tuple(f"{condition}:" for condition in best.where)
    fails = all(fail.startswith(of_conditions) for fail in one.fails) if of_conditions else False
    return f"{'fails' if fails else 'not ranked:'} {'; '.join(one.fails)}"


def _verdict(one: Ranked, best: Best) -> str:
    if one.fails:
        return why_out(one, best)
    if one.estimate is None:
        return "not known"
    if one is best.winner:
        return "winner"
    if one.separable is None:
        return "cannot tell"
    return "no" if one.separable else "maybe"


def _notes(best: Best) -> list[str]:
    notes = []
    if best.winner and len(best.candidates) > 1:
        notes.append(
            f"corrected for having picked the best of {len(best.candidates)}: intervals and ratios hold all at once;"
            f" {best.method}"
        )
        few = min(one.cycles for one in best.may_be_best)
        if len(best.may_be_best) > 1 and few < _FEW_CYCLES:
            notes.append(f"{counted(few, 'cycle')} of some that may be best: more cycles separate more")
    if best.where:
        notes.append("conditions are held against medians over runs")
    if left := _left_out(best):
        notes.append(f"left out: {left}")
    if best.unlike_gpus:
        notes.append(
            "candidates ran on unlike GPUs, and nothing tells what these add: part of a difference may be theirs"
        )
    return notes


def _left_out(best: Best) -> str:
    counts: dict[str, int] = {}
    for left in left_out_of(best):
        counts[left.reason] = counts.get(left.reason, 0) + left.runs
    return ", ".join(f"{counted(runs, 'run')} ({reason})" for reason, runs in counts.items())


def left_out_of(best: Best) -> list[LeftOut]:
    """Runs that the ranking does not rest on."""
    return [left for one in best.ranking for left in one.group.left_out]


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _behind(beside_best: Interval) -> str:
    """How far behind the best something may be, in percent of it."""
    most = max(abs(beside_best.low - 1), abs(beside_best.high - 1))
    return f"{100 * most:.3g} %" if most < 1 else f"{beside_best.high:.3g} times"
