"""What a campaign tells, in sentences. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from orchestrator.analysis.effects import Effect
from orchestrator.analysis.groups import SUSPECT
from orchestrator.analysis.interval import Interval
from orchestrator.report.answers import LATENCY, Answers, Standing, typical
from orchestrator.report.counting import counted
from orchestrator.report.notes import circumstances, columns_of_frame, notes_on
from orchestrator.results.parameters import shown
from runners.contract.quantities import QUANTITIES, Quantity

_MOST_NAMED: Final = 3


class Name(NamedTuple):
    """A name from a campaign within a sentence: data, in any script."""

    text: str


Sentence = Sequence[str | Name]


def in_short(answers: Answers) -> list[Sentence]:
    """The answer: which is best, how surely, and at what latency."""
    if answers.frame.empty:
        return [["No run of this campaign is complete, so nothing can be answered."]]
    if answers.metric is None or answers.best is None:
        return [["Nothing was measured that configurations could be ranked by."]]
    return [*_best(answers), *_latency(answers), *_effects(answers)]


def trust(answers: Answers) -> list[Sentence]:
    """What a reader must know before relying on it."""
    why = answers.metric.why if answers.metric else None
    said = [f"ranked by {answers.metric.quantity.title}: {why}"] if answers.metric and why else []
    columns = columns_of_frame(answers.frame) if len(answers.frame) else None
    said += notes_on(columns, pooled=answers.asked.choice.pooled) if columns else []
    return [
        *([_sentence(note)] for note in said),
        *_sample(answers),
        *([_sentence(note)] for note in (circumstances(columns) if columns else ())),
    ]


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def _best(answers: Answers) -> Iterator[Sentence]:
    metric = answers.metric
    assert metric is not None
    assert answers.best is not None
    quantity = metric.quantity
    winner = answers.winner
    if winner is None or winner.ranked is None or winner.ranked.interval is None:
        yield [_unranked(answers, quantity)]
        return
    caveat = f" ({metric.caveat})" if metric.caveat else ""
    interval = winner.ranked.interval
    superlative = "lowest" if answers.best.better == "lower" else "highest"
    if len(answers.standings) == 1:
        yield [Name(winner.group.label), f": {quantity.title}{caveat} {_with_interval(quantity, interval)}."]
        return
    picked = f", corrected for having been picked as the best of {len(answers.best.candidates)}"
    yield [
        Name(winner.group.label),
        f" has the {superlative} {quantity.title}{caveat}: {_with_interval(quantity, interval, picked)}.",
    ]
    yield _separation(answers, winner)
    last = [one for one in answers.standings if one.place is not None][-1]
    if last is not winner and last.ranked and last.ranked.interval:
        ratio = last.ranked.interval.estimate / interval.estimate
        yield ["At the other end stands ", Name(last.group.label), f", with {ratio:.3g} times that."]


def _unranked(answers: Answers, quantity: Quantity) -> str:
    if any(one.ranked and one.ranked.fails for one in answers.standings):
        return "No configuration that was repeated meets the conditions."
    return (
        f"Which configuration has the best {quantity.title} cannot be said: no configuration has two cycles that"
        " count, and of a single run no interval can be claimed."
    )


def _separation(answers: Answers, winner: Standing) -> Sentence:
    ranked = [one for one in answers.standings if one.place is not None and one is not winner]
    tied = [one for one in ranked if one.ranked and one.ranked.separable is False]
    unknown = [one for one in ranked if one.ranked and one.ranked.separable is None]
    if not ranked:
        return ["No other configuration can be held against it."]
    if tied:
        return [f"{counted(len(tied), 'other')} cannot be told apart from it: ", *_listed(tied), f".{_more(answers)}"]
    if unknown:
        return ["Whether the others differ from it cannot be said."]
    return ["It is told apart from " + (f"all {len(ranked)} others." if len(ranked) > 1 else "the other.")]


def _more(answers: Answers) -> str:
    """How many more cycles would tell, as far as that is known."""
    wanted = [one.cycles_more for one in answers.near]
    known = [cycles for cycles in wanted if cycles is not None]
    if not known:
        return ""
    which = "tell" if len(known) == len(wanted) else f"tell it from {len(known)} of them"
    return f" About {counted(max(known), 'more cycle')} would {which}, were the differences as seen."


def _latency(answers: Answers) -> Iterator[Sentence]:
    quantity, winner = QUANTITIES[LATENCY], answers.winner
    assert answers.metric is not None
    timed = [(value, one) for one in answers.standings if (value := typical(one.summaries[LATENCY])) is not None]
    if answers.metric.name == LATENCY or winner is None or len(timed) < 2:
        return
    fastest_s, fastest = min(timed, key=lambda pair: pair[0])
    own_s = typical(winner.summaries[LATENCY])
    if fastest is winner:
        yield [f"It has the shortest {quantity.title} too: {quantity.show(fastest_s)} {quantity.unit}."]
    elif own_s is not None:
        yield [
            f"Its {quantity.title} is {quantity.show(own_s)} {quantity.unit}; the shortest, "
            f"{quantity.show(fastest_s)} {quantity.unit}, is that of ", Name(fastest.group.label), ".",
        ]  # fmt: skip
    on_front = [one for one in answers.standings if one.on_front]
    if len(on_front) > 1:
        yield [f"{len(on_front)} of {len(timed)} configurations are on the Pareto front of the two:"
               " no other is better in both."]  # fmt: skip


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
    yield [
        "Of what was varied, ", Name(effect_name(effect)), " does most: ", Name(shown(level.value)), " beside ",
        Name(_reference(effect)), f" gives {ratio.estimate:.3g} times the {answers.metric.quantity.title}"
        f" ({ratio.low:.3g} to {ratio.high:.3g})" + ("." if known else ", which may be no difference at all."),
    ]  # fmt: skip


def effect_name(effect: Effect) -> str:
    """The parameter, with the backend that it is an effect within, where its name does not say so."""
    named = effect.within is None or effect.parameter.startswith(f"{effect.within}.")
    return effect.parameter if named else f"{effect.parameter} (within {effect.within})"


def _reference(effect: Effect) -> str:
    return shown(effect.levels[0].value)


def _sample(answers: Answers) -> Iterator[Sentence]:
    for drift in answers.drifts:
        if drift.found:
            yield [f"Figures drift by {100 * drift.per_cycle:+.2g} % a cycle ({drift.method}, p = {drift.p_value:.2g}):"
                   " repetitions are not independent, and intervals are too narrow."]  # fmt: skip
    if answers.best and answers.best.unlike_gpus:
        yield ["Configurations ran on unlike GPUs, and nothing tells what these add."]
    few = [cycles for one in answers.standings if (cycles := _cycles(answers, one)) is not None]
    if few and min(few) < 5:
        yield [f"Some figures rest on {counted(min(few), 'cycle')}: intervals are wide where cycles are few."]
    for left in answers.left_out:
        if left.reason == SUSPECT:  # a remark on the runs says so
            continue
        yield [f"Left out: {counted(left.runs, 'run')}, ", Name(left.reason), "."]
    incomplete = answers.incomplete
    if incomplete.failed:
        kinds = ", ".join(f"{len(kind.runs):,} {kind.kind}" for kind in incomplete.failed)
        yield [f"{counted(incomplete.failed_runs, 'run')} failed and gave no result: {kinds}."]
    planned = incomplete.planned or 0
    missing = planned - incomplete.complete - incomplete.failed_runs
    if incomplete.until:
        runs = f"{incomplete.complete:,} runs, of {planned:,} at most"
        yield [f"Each configuration is repeated until {incomplete.until}: {runs}."]
    elif missing > 0:
        yield [f"{counted(missing, 'run')} of {planned:,} planned are not there."]
    if answers.table.faults:
        yield [f"{counted(len(answers.table.faults), 'result')} could not be read."]


def _cycles(answers: Answers, standing: Standing) -> int | None:
    assert answers.metric is None or answers.metric.name in standing.summaries
    summary = standing.summaries[answers.metric.name] if answers.metric else None
    return summary.cycles if summary and summary.cycles else None


def _listed(standings: Sequence[Standing]) -> list[str | Name]:
    named: list[str | Name] = []
    for one in standings[:_MOST_NAMED]:
        named += [", " if named else "", Name(one.group.label)]
    more = len(standings) - _MOST_NAMED
    return [*named, f" and {more:,} more"] if more > 0 else named


def _with_interval(quantity: Quantity, interval: Interval, how: str = "") -> str:
    level, low, high = f"{100 * interval.level:.3g} %", quantity.show(interval.low), quantity.show(interval.high)
    cycles = counted(interval.count, "cycle")
    return (
        f"{quantity.show(interval.estimate)} {quantity.unit}".strip()
        + f" ({level} interval {low} to {high}{how}; {interval.method}, {cycles})"
    )
