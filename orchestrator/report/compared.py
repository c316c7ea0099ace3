"""What was compared as text: the answer in words, ratios with intervals, costs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrator.analysis.compare import ALPHA, Comparison
from orchestrator.analysis.difference import Difference
from orchestrator.analysis.interval import Interval
from orchestrator.report.charts.wording import labelled, sentence, told
from orchestrator.report.comparing import Compared
from orchestrator.report.costs import Cost
from orchestrator.report.counting import counted
from orchestrator.report.figures import ratio_text
from orchestrator.report.tables import Column, Table, shortened
from runners.contract.quantities import QUANTITIES, Quantity

_ROWS: Final = 30
_NONE: Final = "—"
_FEW: Final = 5


def answer(compared: Compared) -> list[str]:
    """What differs and how surely, a sentence a metric."""
    if not compared.pairs.found:
        return ["No pair is left to compare.", *compared.notes]
    lines = []
    for place, metric in enumerate(compared.metrics):
        own = compared.comparisons[place :: len(compared.metrics)]
        what = _title(compared, metric)
        if len(own) == 1:
            lines.append(f"{what}: {_in_words(own[0], compared.pairs.found[0].name_b)}.")
        else:
            counts = Counter("not compared" if one.why_not else one.verdict for one in own)
            told_apart = [f"{name} in {counts[name]}" for name in ("lower", "higher", "cannot tell", "not compared")]
            shown = [text for text in told_apart if not text.endswith(" 0")]
            lines.append(f"{what}, of {counted(len(own), 'pair')}: {', '.join(shown)}.")
    return lines


def comparison_tables(compared: Compared) -> list[Table]:
    """Ratios with their intervals: one table where there is one pair, else one a metric."""
    if not compared.pairs.found:
        return []
    unlike = len({one.design for one in compared.comparisons if one.ratio}) > 1
    if len(compared.pairs.found) == 1:
        rows = [[_title(compared, one.metric), *_row(one, unlike, with_unit=True)] for one in compared.comparisons]
        return [Table("B beside A", [Column("quantity"), *_columns(unlike)], rows, _notes(compared))]
    tables = []
    for place, metric in enumerate(compared.metrics):
        quantity, own = QUANTITIES[metric], compared.comparisons[place :: len(compared.metrics)]
        rows = [[pair.name_b, *_row(one, unlike)] for pair, one in zip(compared.pairs.found, own, strict=True)]
        title = ", ".join(filter(None, (_title(compared, metric), quantity.unit)))
        last = place + 1 == len(compared.metrics)
        notes = _notes(compared) if last else []
        table = Table(title, [Column("B"), *_columns(unlike)], rows, notes)
        tables.append(shortened(table, _ROWS, "pairs: --json has them all"))
    return tables


def cost_table(compared: Compared) -> Table | None:
    """What B takes beyond A for so much work; None where there is nothing of energy per work."""
    costs, prices = compared.costs, compared.prices
    if not costs:
        return None
    money, carbon = prices.per_kwh is not None, prices.gco2e_per_kwh is not None
    names = {(id(pair.a), id(pair.b)): pair.name_b for pair in compared.pairs.found}
    columns = [Column("B"), Column("for"), Column("kJ", True), Column("95 % interval")]
    columns += [Column(prices.currency or "money", True), Column("95 % interval")] * money
    columns += [Column("g CO2e", True), Column("95 % interval")] * carbon
    rows = [
        [
            names[id(cost.comparison.a), id(cost.comparison.b)],
            f"{prices.per:,.15g} {cost.work}",
            *_cells(cost.energy_j, 1e-3),
            *(_cells(cost.money, 1.0) if cost.money else []),
            *(_cells(cost.gco2e, 1.0) if cost.gco2e else []),
        ]
        for cost in costs
    ]
    caveat = " or ".join(dict.fromkeys(filter(None, (compared.caveats[cost.comparison.metric] for cost in costs))))
    notes = [_scope(costs)]
    if any(one.verdict == "cannot tell" and one.difference and one.difference.low * one.difference.high > 0
           for one in (cost.comparison for cost in costs)):  # fmt: skip
        notes.append("each interval holds by itself: one that leaves out 0 tells nothing where B is `cannot tell`")
    table = Table(labelled("What B takes beyond A", caveat), columns, rows, notes)
    return shortened(table, _ROWS, "pairs: --json has them all")


def _scope(costs: Sequence[Cost]) -> str:
    scopes = {scope for cost in costs for scope in cost.comparison.b.frame["energy_scope"].dropna()}
    whose = ", ".join(sorted(scopes)) or "unknown"
    return f"of what was metered ({whose}): neither the rest of the machine nor cooling is in it"


def _title(compared: Compared, metric: str) -> str:
    return sentence(labelled(QUANTITIES[metric].title, compared.caveats[metric]))


def _in_words(one: Comparison, name: str) -> str:
    if one.why_not:
        return f"not compared: {one.why_not}"
    if one.verdict == "cannot tell":
        more = f"; {counted(one.cycles_more, 'more cycle')} of both might tell" if one.cycles_more else ""
        seen = f" ({_factor(one.ratio.low)} to {_factor(one.ratio.high)} times A)" if one.ratio else ""
        return f"cannot tell whether {name} differs{seen}{more}"
    assert one.ratio is not None
    interval = f"{_factor(one.ratio.low)} to {_factor(one.ratio.high)}"
    return f"{name} is {one.verdict}, {_factor(one.ratio.estimate)} times A ({interval} at 95 %)"


def _columns(unlike: bool) -> list[Column]:
    """The columns of figures; with how each was compared, where that is unlike."""
    figures = [Column("A", True), Column("B", True), Column("B ÷ A", True), Column("95 % interval")]
    return [*figures, *([Column("compared")] * unlike), Column("B is", prose=True)]


def _row(one: Comparison, unlike: bool, *, with_unit: bool = False) -> list[str]:
    quantity = QUANTITIES[one.metric]
    ratio = one.ratio
    return [
        _typical(quantity, one.typical_a, with_unit=with_unit),
        _typical(quantity, one.typical_b, with_unit=with_unit),
        _factor(ratio.estimate) if ratio else _NONE,
        f"{_factor(ratio.low)} to {_factor(ratio.high)}" if ratio else _NONE,
        *([_design(one) if ratio else _NONE] * unlike),
        _verdict(one),
    ]


def _typical(quantity: Quantity, interval: Interval | None, *, with_unit: bool) -> str:
    value = interval.estimate if interval else None
    return told(quantity, value) if with_unit and value is not None else quantity.show(value)


def _verdict(one: Comparison) -> str:
    if one.why_not:
        return f"not compared: {one.why_not}"
    if one.verdict != "cannot tell":
        return one.verdict
    if one.p_value == 1.0 and one.ratio and one.ratio.low == one.ratio.high:
        return "the same in every cycle"
    return f"cannot tell; {counted(one.cycles_more, 'more cycle')} might" if one.cycles_more else "cannot tell"


def _notes(compared: Compared) -> list[str]:
    return [*_method(compared.comparisons), *compared.notes]


def _method(comparisons: Sequence[Comparison]) -> Iterator[str]:
    held = [one for one in comparisons if one.ratio is not None]
    if not held:
        return
    designs = _tallied(map(_design, held))
    methods = _tallied(one.ratio.method for one in held if one.ratio)
    few, many = (pick(one.ratio.count for one in held if one.ratio) for pick in (min, max))
    cycles = counted(few, "cycle") if few == many else f"{few} to {many} cycles"
    yield f"typical values, compared {designs}; {methods}; {cycles}"
    if len(held) > 1:
        yield (
            f"what B is holds of all {len(held):,} comparisons at once, wrong anywhere in {100 * ALPHA:.0f} of 100 such"
            " (Holm); each interval holds by itself"
        )
    if any(one.verdict == "cannot tell" for one in held) and few < _FEW:
        yield f"{counted(few, 'cycle')} tell little: more of them tell smaller differences"
    if any(one.cycles_more for one in held):
        yield "more cycles: these would tell in 8 of 10 cases, were ratio and spread as seen, which is uncertain itself"
    bounds = [
        (one.meter_low, one.meter_high) for one in held if one.meter_low is not None and one.meter_high is not None
    ]
    if bounds:
        low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
        yield f"the meters' own bounds come on top: × {low:.3f} to × {high:.3f}, where their errors are not shared"


def _design(one: Comparison) -> str:
    """How it was compared, as one phrase: in a list, a comma would read as the next."""
    return one.design.replace(", ", " and ")


def _tallied(told: Iterable[str]) -> str:
    """What is said of each: once where all are alike, else each with how many it is said of."""
    counts = Counter(told)
    return ", ".join(counts) if len(counts) == 1 else ", ".join(f"{one} ({n:,})" for one, n in counts.items())


def _factor(value: float) -> str:
    """A ratio: to three places, more where it is near 1, or three significant ones where it is large."""
    return ratio_text(value, ".3f") if value < 100 else f"{value:,.3g}" if value < 1e6 else "> 1,000,000"


def _cells(difference: Difference, scale: float) -> list[str]:
    low, high = (_amount(value * scale) for value in (difference.low, difference.high))
    return [_amount(difference.estimate * scale), f"{low} to {high}"]


def _amount(value: float) -> str:
    """Three significant digits, without an exponent, and the sign that a difference has."""
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - (len(f"{abs(rounded):.0f}") - 1)) if abs(rounded) >= 1 else 2 - _exponent(rounded)
    return f"{rounded:+,.{decimals}f}".replace("-", "−") if rounded else "0"


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2]) if value else 0
