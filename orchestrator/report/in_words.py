"""What a campaign tells, in sentences that claim no more than its figures do. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.analysis.best import Ranked
from orchestrator.analysis.effects import Effect
from orchestrator.analysis.interval import Interval
from orchestrator.report.answers import Answers
from orchestrator.report.charts.ranking import standing
from orchestrator.report.charts.wording import labelled
from orchestrator.report.chosen import why_out
from orchestrator.report.counting import counted
from orchestrator.report.figures import caveat_of, ratio_range, ratio_text
from orchestrator.report.sentences import Name, Sentence
from orchestrator.report.standings import LATENCY, Standing
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES, Quantity

_MOST_NAMED: Final = 3


def in_short(answers: Answers) -> list[Sentence]:
    """The answer: which is best, how surely, and at what latency."""
    if answers.metric is None or answers.best is None:
        return [[_nothing(answers)]]
    return [*_best(answers), *_latency(answers), *_effects(answers)]


def banner(caveat: str) -> str:
    """That figures were not measured, for the top of a report."""
    return f"Figures are not {'all ' if 'in part' in caveat else ''}measured: {caveat}."


def effect_name(effect: Effect) -> str:
    """The parameter, with the backend that it is an effect within, where its name does not say so."""
    named = effect.within is None or effect.parameter.startswith(f"{effect.within}.")
    return effect.parameter if named else f"{effect.parameter} (within {effect.within})"


def _nothing(answers: Answers) -> str:
    """Why there is no answer."""
    frame = answers.frame
    if frame.empty:
        if len(answers.table.frame):
            return "All complete runs are retired: they are no longer in the campaign's file."
        if answers.narrowed_by and answers.incomplete.complete > len(answers.table.faults):
            return f"No complete run meets {all_of(answers.narrowed_by)}, so nothing can be answered."
        return "No run of this campaign is complete, so nothing can be answered."
    if not answers.asked.choice.suspect and not frame["verdict"].eq("good").any():
        return "Every run is suspect, so no answer rests on any: `--suspect` uses them all the same."
    return "Nothing was measured that configurations could be ranked by."


def _best(answers: Answers) -> Iterator[Sentence]:
    metric, best, winner = answers.metric, answers.best, answers.winner
    assert metric is not None
    assert best is not None
    quantity = metric.quantity
    if winner is None or winner.ranked is None or winner.ranked.interval is None:
        yield [_unranked(answers, quantity)]
        return
    caveat = labelled("", caveat_of([one.group for one in best.candidates], quantity))
    interval = winner.ranked.interval
    others = [one for one in best.candidates if one is not best.winner]
    if not others:
        yield [Name(winner.group.label), f": {quantity.title}{caveat} {_with_interval(quantity, interval)}."]
        yield from _failing(answers)
        if len(answers.standings) > 1:
            yield ["No other configuration can be held against it."]
        return
    superlative = "lowest" if best.better == "lower" else "highest"
    figure = _with_interval(
        quantity, interval, f", corrected for having been picked as the best of {len(best.candidates)}"
    )
    tied = [one for one in best.may_be_best if one is not best.winner]
    if tied:
        yield [f"The {superlative} {quantity.title}{caveat} seen is that of ", Name(winner.group.label), f": {figure}."]
        yield [f"{counted(len(tied), 'other')} cannot be told apart from it: ", *_listed(tied), f".{_more(answers)}"]
    else:
        yield [Name(winner.group.label), f" has the {superlative} {quantity.title}{caveat}: {figure}."]
        yield ["It is told apart from " + (f"all {len(others)} others." if len(others) > 1 else "the other.")]
    yield from _failing(answers)
    last = [one for one in best.candidates if one.interval][-1]
    if last.separable and last.interval:
        ratio = last.interval.estimate / interval.estimate
        yield ["At the other end stands ", Name(last.group.label), f", with {ratio_text(ratio)} times that."]


def _unranked(answers: Answers, quantity: Quantity) -> str:
    assert answers.best is not None
    if not answers.best.candidates and answers.conditions:
        return f"No configuration meets {all_of(answers.conditions)}."
    if not answers.best.candidates:
        return f"No configuration can be ranked by {quantity.title}: the table says why."
    return (
        f"Which configuration has the best {quantity.title} cannot be said: no configuration has two cycles that"
        " count, and of a single run no interval can be claimed."
    )


def _failing(answers: Answers) -> Iterator[Sentence]:
    """What the ranking is not about."""
    assert answers.best is not None
    without = len(answers.standings) - len(answers.best.candidates)
    if answers.conditions:
        met = len(answers.best.candidates)
        yield [f"That is of {met:,} of {counted(len(answers.standings), 'configuration')}: those that meet "
               f"{all_of(answers.conditions)}."]  # fmt: skip
    elif without:
        yield [f"{counted(without, 'configuration')} {'is' if without == 1 else 'are'} not ranked: the table says why."]


def all_of(conditions: Sequence[str]) -> str:
    """Conditions as they were typed, for a sentence."""
    return " and ".join(f"`{one.replace('`', '')}`" for one in conditions)


def _more(answers: Answers) -> str:
    """How many more cycles would tell, as far as that is known: of very many, only the nearest were asked."""
    assert answers.best is not None
    known = [cycles for one in answers.near if (cycles := one.cycles_more) is not None]
    if not known:
        return ""
    all_told = len(known) == len(answers.best.may_be_best) - 1
    which = "tell" if all_told else f"tell it from {len(known)} of them"
    return f" About {counted(max(known), 'more cycle')} would {which}, were the differences as seen."


def _latency(answers: Answers) -> Iterator[Sentence]:
    """What the winner's latency is beside the shortest, and how surely."""
    quantity, winner, quickest = QUANTITIES[LATENCY], answers.winner, answers.quickest
    if winner is None or quickest is None or len(quickest.candidates) < 2:
        return
    own = next((one for one in quickest.candidates if one.group.label == winner.group.label), None)
    first = quickest.winner
    if own is None or own.estimate is None or first is None or first.estimate is None:
        return
    figure, shortest = (f"{quantity.show(one.estimate)} {quantity.unit}" for one in (own, first))
    also = len(quickest.may_be_best) - 1
    if own is first and not also:
        yield [f"It has the shortest {quantity.title} too: {figure}."]
    elif own is first:
        yield [f"Its {quantity.title}, {figure}, is the shortest seen; {counted(also, 'other')} cannot be told apart"
               " from it in that."]  # fmt: skip
    else:
        seen = "shortest" if not also else "shortest seen"
        apart = "" if own.separable else "; the two cannot be told apart in that"
        yield [
            f"Its {quantity.title} is {figure}; the {seen}, {shortest}, is that of ",
            Name(first.group.label), f"{apart}.",
        ]  # fmt: skip
    on_front = [one for one in answers.standings if one.on_front]
    if len(on_front) > 1:
        known = sum(one.on_front is not None for one in answers.standings)
        yield [f"By typical values, {len(on_front)} of {known} configurations are on the Pareto front of the two: of"
               " these, no other is better in both."]  # fmt: skip


def _effects(answers: Answers) -> Iterator[Sentence]:
    ratios = [
        (abs(math.log(level.ratio.estimate)), effect, level)
        for effect in answers.effects
        for level in effect.levels
        if level.ratio and level.ratio.estimate > 0
    ]
    strongest = max(ratios, key=lambda one: one[0], default=None)
    if strongest is None or answers.metric is None or strongest[0] == 0:
        return
    _, effect, level = strongest
    ratio = level.ratio
    assert ratio is not None
    known = ratio.high < 1 or ratio.low > 1
    alone = ", not corrected for having been picked" if len(ratios) > 1 else ""
    first = "The greatest effect seen is" if len(ratios) > 1 else "The effect seen is"
    yield [
        f"{first} that of ", Name(effect_name(effect)), ": ", Name(shown(level.value)), " beside ",
        Name(shown(effect.levels[0].value)), f" gives {ratio_text(ratio.estimate)} times the"
        f" {answers.metric.quantity.title}"
        f" ({100 * ratio.level:.3g} % interval {ratio_range(ratio)}{alone})"
        + ("." if known else ", which may be no difference at all."),
    ]  # fmt: skip


def _listed(ranked: Sequence[Ranked]) -> list[str | Name]:
    named: list[str | Name] = []
    for one in ranked[:_MOST_NAMED]:
        named += [", " if named else "", Name(one.group.label)]
    more = len(ranked) - _MOST_NAMED
    return [*named, f" and {more:,} more"] if more > 0 else named


def place_of(one: Standing, answers: Answers) -> str:
    """Where a configuration stands, in words: why, where it is not ranked."""
    ranked, best = one.ranked, answers.best
    if ranked is None or best is None:
        reasons = [left.reason for left in one.group.left_out]
        return f"not ranked: {', '.join(reasons) or 'not measured'}"
    if ranked.fails:
        return why_out(ranked, best)
    if ranked.estimate is None:
        reasons = [left.reason for left in ranked.group.left_out]
        return f"not ranked: {', '.join(reasons) or 'not measured'}"
    if ranked.interval is None:
        return "not ranked: fewer than two cycles"
    return standing(ranked, best)


def _with_interval(quantity: Quantity, interval: Interval, how: str = "") -> str:
    level, low, high = f"{100 * interval.level:.3g} %", quantity.show(interval.low), quantity.show(interval.high)
    cycles = counted(interval.count, "cycle")
    return (
        f"{quantity.show(interval.estimate)} {quantity.unit}".strip()
        + f" ({level} interval {low} to {high}{how}; {interval.method}, {cycles})"
    )
