"""How long a campaign takes and what energy it spends, from what like runs took. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.campaign.settings import Gaps
from orchestrator.results.known import KnownRun

_MOST_LIKE = 50
"""Of like runs of other experiments no more are looked at than these, the newest."""


class Span(NamedTuple):
    """A figure that is not certain."""

    low: float
    mean: float
    high: float

    def plus(self, more: float) -> Span:
        """So much more of it, for certain."""
        return Span(self.low + more, self.mean + more, self.high + more)


class Asked(NamedTuple):
    """What of an experiment bears on how long it takes."""

    experiment_id: str
    backend: str
    model: str
    device: str
    prompts: int
    input_tokens: int | None
    output_tokens: int
    """Of each answer."""


class Plan(NamedTuple):
    """What is to be run."""

    asked: Sequence[Asked]
    """The experiments, or the first of very many."""
    experiments: int
    runs: int
    """Those that are left to run."""
    gaps: Gaps
    slots: int
    """How many runs go on at once."""
    grouped: bool
    """Whether no cycle follows another."""
    min_window_s: float
    least: int | None = None
    """How many of the runs it takes at least, where ``until`` may spare some; None: all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of the runs that are left."""

    runs: int
    seconds: Span | None
    """None: no like run is known."""
    joules: Span | None
    """None: no like run is known that was measured."""
    gaps_s: float
    """Pauses, which are part of the seconds."""
    same: int
    """How many runs of the same experiments it is drawn from."""
    like: int
    """How many of the same backend and model."""
    without: int
    """How many experiments no run is like; they are taken to be as the others are."""
    methods: frozenset[str]
    """How the energy of those runs was come by."""
    size_bytes: int | None
    """Of the results."""
    least: int | None = None
    """How many of the runs it takes at least, where ``until`` may spare some: the figures are then the most; None: all.
    """


def estimate(plan: Plan, known: Iterable[KnownRun]) -> Estimate:
    """What a plan takes, as far as known runs tell."""
    by_id, by_like = defaultdict(list), defaultdict(list)
    for run in known:
        by_id[run.experiment_id, run.device].append(run)
        by_like[run.backend, run.model, run.device].append(run)
    seconds: list[Span] = []
    joules: list[Span] = []
    used: dict[int, KnownRun] = {}
    same: set[int] = set()
    like: set[int] = set()
    without = 0
    for asked in plan.asked:
        alike = by_id.get((asked.experiment_id, asked.device))
        source = same if alike else like
        alike = alike or by_like.get((asked.backend, asked.model, asked.device), [])[-_MOST_LIKE:]
        if not alike:
            without += 1
            continue
        source.update(map(id, alike))
        used.update((id(run), run) for run in alike)
        seconds.append(_span([_wall_s(asked, run, plan.min_window_s) for run in alike]))
        measured = [spent for run in alike if (spent := _energy_j(asked, run, plan.min_window_s)) is not None]
        if measured:
            joules.append(_span(measured))
    rounds, cycles = _rounds(plan)
    gaps_s = _gaps_s(plan, rounds, cycles)
    took = _total(seconds, rounds)
    sizes = [run.size_bytes for run in used.values()]
    return Estimate(
        plan.runs,
        took.plus(gaps_s) if took else None,
        _total(joules, plan.runs),
        gaps_s,
        len(same),
        len(like - same),
        without,
        frozenset(run.method for run in used.values() if run.method and run.window_j is not None),
        round(plan.runs * sum(sizes) / len(sizes)) if sizes else None,
        plan.least,
    )


def _span(values: Sequence[float]) -> Span:
    return Span(min(values), sum(values) / len(values), max(values))


def _total(spans: Sequence[Span], runs: int) -> Span | None:
    """Of all runs, if each experiment has as many of them as any other."""
    if not spans:
        return None
    return Span(*(runs * sum(column) / len(spans) for column in zip(*spans, strict=True)))


def _window_s(asked: Asked, run: KnownRun, min_window_s: float) -> float:
    """How long the window would be: in proportion to the tokens of the answers, and at least as long as is asked."""
    tokens = asked.prompts * asked.output_tokens
    scale = tokens / run.output_tokens if run.output_tokens and run.experiment_id != asked.experiment_id else 1.0
    return max(run.window_s * scale, min_window_s)


def _wall_s(asked: Asked, run: KnownRun, min_window_s: float) -> float:
    return max(run.wall_s - run.window_s, 0.0) + _window_s(asked, run, min_window_s)


def _energy_j(asked: Asked, run: KnownRun, min_window_s: float) -> float | None:
    if run.window_j is None or run.window_s <= 0:
        return None
    return run.other_j + run.window_j / run.window_s * _window_s(asked, run, min_window_s)


def _rounds(plan: Plan) -> tuple[int, int]:
    """How many runs follow one another on the slot that has most of them, and how many cycles wait for the one before.

    Where cycles are held apart, a slot that has nothing left to do in one waits for the others.
    """
    if plan.runs < 1:
        return 0, 0
    if plan.grouped or not plan.gaps.cycle_s:
        return -(-plan.runs // plan.slots), 1
    whole, rest = divmod(plan.runs, max(plan.experiments, 1))
    rounds = whole * -(-plan.experiments // plan.slots) + -(-rest // plan.slots)
    return rounds, whole + (rest > 0)


def _gaps_s(plan: Plan, rounds: int, cycles: int) -> float:
    """All pauses that are left; those of several slots are side by side."""
    return (rounds - cycles) * plan.gaps.experiment_s + max(cycles - 1, 0) * plan.gaps.cycle_s


def told(found: Estimate, *, until_cool: bool = False) -> Iterator[str]:
    """An estimate in words."""
    if not found.runs:
        return
    runs, at_most = _counted(found.runs, "run"), ""
    if found.least is not None:
        runs, at_most = f"at most {runs}, at least {found.least:,}", "at most "
    if found.seconds is None:
        pauses = f", {at_most}{duration(found.gaps_s)} of it pauses" if found.gaps_s else ""
        later = "; told once the first have ended" if found.runs > 1 else ""
        yield f"{runs}: time and energy unknown, since no like run is known{pauses}{later}"
        return
    figures = [f"{at_most}about {_range(found.seconds, duration)}"]
    if found.joules:
        made_up = found.methods & {"estimated", "simulated"}
        figures.append(_range(found.joules, energy, f" {', '.join(sorted(found.methods))}" if made_up else ""))
    else:
        figures.append("energy unknown")
    sources = [f"{found.same:,} of the same experiments"] if found.same else []
    sources += [f"{found.like:,} of the same backend and model, by tokens"] if found.like else []
    drawn_from = _counted(found.same + found.like, "like run")
    yield f"{runs}: {', '.join(figures)}; estimated from {drawn_from} ({', '.join(sources)})"
    if found.without:
        yield f"{_counted(found.without, 'experiment')} like no known run, taken to be as the others are"
    if found.gaps_s:
        yield f"{'at most ' * (until_cool or bool(at_most))}{duration(found.gaps_s)} of the time is pauses"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _range(span: Span, show: Callable[[float], str], how: str = "") -> str:
    low, mean, high = (show(value) for value in span)
    return f"{mean}{how}" if low == high else f"{mean}{how} ({low} to {high})"


def duration(seconds: float) -> str:
    """A time as a person reads it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def energy(joules: float) -> str:
    """An energy as a person reads it."""
    for unit, size in (("kWh", 3.6e6), ("Wh", 3.6e3)):
        if joules >= 0.1 * size:
            return f"{joules / size:.3g} {unit}"
    return f"{joules:.3g} J"
