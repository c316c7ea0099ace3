"""What the first screen answers: which configuration is best, by how much, how surely, and at what latency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.analysis.best import Best, Ranked
from orchestrator.analysis.interval import Interval
from orchestrator.report.answers import Answers
from orchestrator.report.charts.wording import caveats, labelled
from orchestrator.report.counting import counted, percent
from orchestrator.report.figures import range_of
from orchestrator.report.page.html import Html, element, joined, name
from orchestrator.report.standings import LATENCY, Standing, typical
from runners.contract.quantities import QUANTITIES, Quantity

_BESIDE_LATENCY: Final = "output_tokens_per_s"
"""Told beside the best where what is ranked is the latency itself."""


def headline_figures(answers: Answers) -> Html | None:
    """The winner and its four figures; None where no configuration can be named as the best."""
    best, winner = answers.best, answers.winner
    if best is None or winner is None or winner.ranked is None or winner.ranked.interval is None:
        return None
    quantity, interval = QUANTITIES[best.metric], winner.ranked.interval
    superlative = "lowest" if best.better == "lower" else "highest"
    seen = "" if len(best.may_be_best) == 1 else " seen"
    told = [_item(_titled(quantity, winner), _figure(quantity, interval.estimate), _between(quantity, interval))]
    told += [*_lead(best, winner.ranked), _surely(best, interval)]
    told += _beside(winner, LATENCY if best.metric != LATENCY else _BESIDE_LATENCY, answers)
    return element(
        "dl",
        element(
            "div",
            element("dt", f"{superlative.capitalize()} {labelled(quantity.title, _caveat(quantity, winner))}{seen}"),
            element("dd", name(winner.group.label)),
            class_="winner",
        ),
        *told,
        class_="headline",
    )


def _item(title: str, figure: object, *small: object) -> Html:
    return element("div", element("dt", title), element("dd", figure, *(element("small", one) for one in small if one)))


def _caveat(quantity: Quantity, one: Standing) -> str:
    of_all, _ = caveats([one.summaries[quantity.name].group], [quantity])
    return of_all


def _titled(quantity: Quantity, one: Standing) -> str:
    titled = labelled(quantity.title, _caveat(quantity, one))
    return f"{titled[:1].upper()}{titled[1:]}"


def _figure(quantity: Quantity, value: float) -> Html:
    return joined(quantity.show(value), " ", element("span", quantity.unit, class_="unit"))


def _between(quantity: Quantity, interval: Interval) -> str:
    bounds = range_of(quantity, interval)
    return f"{100 * interval.level:.3g}\u00a0% interval {bounds}, over {counted(interval.count, 'cycle')}"


def _lead(best: Best, winner: Ranked) -> Iterator[Html]:
    """How much better it is than the first that is told apart from it, and than the last."""
    apart = [one for one in best.candidates if one.separable and one.estimate and one.estimate > 0]
    if not apart or not winner.estimate or winner.estimate <= 0:
        return
    first, last = apart[0], apart[-1]
    small = [joined("than ", name(first.group.label), ", the first that is told apart" if len(apart) > 1 else "")]
    if beside := first.beside_best:
        small.append(joined(_bounds(best, beside)))
    if len(apart) > 1:
        small.append(joined(f"{_by(best, winner, last)} than the last"))
    yield _item("By how much", _by(best, winner, first), *small)


def _by(best: Best, winner: Ranked, other: Ranked) -> str:
    assert winner.estimate is not None
    assert other.estimate is not None
    ratio = winner.estimate / other.estimate
    share = 1 - ratio if best.better == "lower" else ratio - 1
    return f"{percent(share)} {'less' if best.better == 'lower' else 'more'}".replace(" %", "\u00a0%")


def _bounds(best: Best, beside: Interval) -> str:
    """Bounds of that share, from those of the ratio to the best."""
    ends = [1 - 1 / ratio if best.better == "lower" else 1 / ratio - 1 for ratio in (beside.low, beside.high)]
    least, most = (f"{percent(end)}".replace(" %", "\u00a0%") for end in sorted(ends))
    return f"{100 * beside.level:.3g}\u00a0% interval {least} to {most}, of all at once"


def _surely(best: Best, interval: Interval) -> Html:
    others = len(best.candidates) - 1
    if not others:
        return _item("How surely", "—", "no other configuration can be held against it")
    tied = len(best.may_be_best) - 1
    apart = sum(one.separable is True for one in best.candidates)
    level = f"at {100 * interval.level:.3g}\u00a0%, of all at once"
    counts = joined(f"{apart:,} of {others:,} ", element("span", "others", class_="unit"))
    return _item("Told apart from", counts, f"{counted(tied, 'other')} may be as good" if tied else level)


def _beside(winner: Standing, metric: str, answers: Answers) -> Iterator[Html]:
    value, interval = typical(winner.summaries[metric]), winner.summaries[metric].interval
    if value is None:
        return
    quantity = QUANTITIES[metric]
    between = _between(quantity, interval) if interval else None
    shortest = _shortest(winner, answers) if metric == LATENCY else None
    yield _item(_titled(quantity, winner), _figure(quantity, value), shortest or between)


def _shortest(winner: Standing, answers: Answers) -> str | None:
    quickest = answers.quickest
    first = quickest.winner if quickest and len(quickest.candidates) > 1 else None
    if first is None or first.estimate is None:
        return None
    if first.group.label == winner.group.label:
        return "the shortest of all"
    quantity = QUANTITIES[LATENCY]
    return f"the shortest is {quantity.show(first.estimate)} {quantity.unit}"
