"""What a recording says of the energy counter and the power sensor. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import gcd
from statistics import fmean, median, pvariance
from typing import NamedTuple

from runners.contract.energy import Counter, CounterEdge, EnergyError, PowerReading, power_at, power_energy
from runners.contract.lag import lag_of
from runners.harness.recording import Recording
from runners.meters.nvml import POWER_HEADROOM
from tests.gpu.check.figures import Spread, cv, spread_of
from tests.gpu.check.recorded import IDLE, STEADY, Recorded, Stretch
from tests.gpu.check.report import Expectation, Part, Table, at_most, shown, within
from tests.gpu.check.watch import Answer, Known

AGREE = 0.05
_MISSED = 1.75
_SHARP = 0.2
_LAG_PERIODS = 0.35
_RAMP_S = 2.0
_LENGTHS_S = (0.3, 1.0, 3.0, 10.0)
_WINDOWS = 200
_JUDGED_S = 1.0
_AVERAGES_S = (0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0)
_TELLING = 0.7
_FEW = 5
_SENSORS = {
    "energy counter": lambda answer: answer.energy_mj,
    "nvmlDeviceGetPowerUsage": lambda answer: answer.usage_w,
    "average (field 185)": lambda answer: answer.average_w,
    "instant (field 186)": lambda answer: answer.instant_w,
}
_SPREAD = ("count", "median", "p5", "p95")


class Averaging(NamedTuple):
    """Over how long a power reading is a mean."""

    seconds: float
    explained: float
    """Share of the reading's variance that the mean of instant power over so long explains."""


def counter_part(recorded: Recorded, known: Known) -> Part:
    """The counter's pace, how well the sampler follows it, and what it costs."""
    counter = recorded.series.counter
    calls = Table(
        ("call", "answers", *_SPREAD),
        [
            (name, "yes" if answered else "no", *_cells(spread_of(known.call_s.get(name, [])), 1e6, " µs"))
            for name, answered in known.answered.items()
        ],
        "One NVML call",
    )
    changes = Table(
        ("sensor", "stretch", *_SPREAD),
        [
            (name, kind, *_cells(spread_of(_change_intervals(stretches, recorded.answers, of)), 1e3, " ms"))
            for name, of in _SENSORS.items()
            for kind, stretches in (("idle", recorded.stretches[:1]), ("bursts", recorded.bursty()))
        ],
        f"Time between two changes, NVML asked {_asked_hz(recorded):,.0f} times a second",
    )
    shares = {one.name: cpu_share(recorded.recording, one) for one in recorded.stretches}
    by_stretch = ", ".join(f"{name} {shown(share, 100, ' %', 2)}" for name, share in shares.items())
    notes = [_averaging_in_words(averaging_of(recorded)), f"sampler's CPU time, share of one core: {by_stretch}"]
    expectations = [
        Expectation(
            "energy counter",
            "is there and moves",
            "yes" if counter else recorded.series.fault or "there is none",
            bool(counter),
        ),
        at_most("sampler's CPU time while idle, share of a core", 0.01, shares.get(IDLE), " %", 100),
    ]
    tables = [calls, changes]
    if counter:
        pace, more = _pace(counter, recorded)
        tables.insert(0, pace)
        expectations += more
    return Part("Counter and power sensor", tables, expectations, notes)


def ratio_part(recorded: Recorded) -> Part:
    """Energy by the counter against power integrated, for each load; and the highest power."""
    rows, expectations = [], []
    limit_w = recorded.series.source.power_limit_w
    highest_w = 0.0
    for one in recorded.stretches:
        counted_j = _counted_j(recorded, one)
        ratios = [
            _ratio(counted_j, powers, one)
            for powers in (recorded.powers("instant_w"), recorded.powers("usage_w"), recorded.series.powers)
        ]
        seen_w = _highest_w(recorded, one)
        highest_w = max([highest_w, *seen_w.values()])
        mean_w = None if counted_j is None else counted_j / (one.end_s - one.start_s)
        rows.append((one.name, shown(mean_w, 1, " W"), *(shown(r) for r in ratios), _powers(seen_w)))
        told = next((r for r in ratios if r is not None), None)
        expectations.append(within(f"counter ÷ integral, {one.name}", 1 - AGREE, 1 + AGREE, told))
    if limit_w is not None:
        ratio = highest_w / (limit_w / POWER_HEADROOM) if highest_w else None
        expectations.append(at_most("highest power ÷ power limit", POWER_HEADROOM, ratio))
    columns = (
        "load",
        "mean power",
        "÷ instant power, asked directly",
        "÷ nvmlDeviceGetPowerUsage, asked directly",
        "÷ the sampler's readings",
        "highest power: instant, PowerUsage, counter",
    )
    notes = [
        "judged is the first of the three ratios that there is",
        "the last is what a run has: a few readings in each period of the counter, too few for bursts in step with it",
    ]
    table = Table(columns, rows, "Energy by the counter ÷ integrated power")
    return Part("Counter against integrated power", [table], expectations, notes, recorded.failure)


def windows_part(recorded: Recorded) -> Part:
    """Windows cut out of the steady load: alike they should be."""
    steady = next((one for one in recorded.stretches if one.name == STEADY), None)
    counter = recorded.series.counter
    if steady is None or counter is None:
        return Part("Windows of the steady load", failure=recorded.failure or recorded.series.fault or "no counter")
    start_s = steady.start_s + min(_RAMP_S, (steady.end_s - steady.start_s) / 4)
    rows, judged = [], None
    for length_s in _LENGTHS_S:
        windows = cut(counter, start_s, steady.end_s, length_s)
        if not windows:
            rows.append((f"{length_s:g} s", "0", "–", "–", "–", "–"))
            continue
        powers = [joules / length_s for joules, _ in windows]
        spread, relative = spread_of(powers), cv(powers)
        assert spread
        judged = relative if length_s == _JUDGED_S else judged
        rows.append(
            (
                f"{length_s:g} s",
                str(len(windows)),
                shown(spread.median, 1, " W"),
                shown(relative, 100, " %"),
                f"{(spread.p5 / spread.median - 1) * 100:+.2g} to {(spread.p95 / spread.median - 1) * 100:+.2g} %",
                shown(median(half for _, half in windows), 100, " %"),
            )
        )
    columns = ("length", "windows", "median power", "CV", "p5 to p95", "half the interval ÷ energy, median")
    notes = ["overlapping windows of one recording: a drift of the load itself is in the spread as well"]
    expectation = at_most(f"CV of the energy of {_JUDGED_S:g} s windows", 0.02, judged, " %", 100)
    return Part("Windows of the steady load", [Table(columns, rows)], [expectation], notes)


def cut(counter: Counter, start_s: float, end_s: float, length_s: float) -> list[tuple[float, float]]:
    """Windows at evenly spaced starts: energy in joules, and half its interval as a share of it."""
    room_s = end_s - start_s - length_s
    windows = []
    for number in range(_WINDOWS if room_s > 0 else 0):
        begin_s = start_s + room_s * number / (_WINDOWS - 1)
        try:
            energy = counter.energy(begin_s, begin_s + length_s)
        except EnergyError:
            continue
        assert energy.low is not None
        assert energy.high is not None
        windows.append((energy.joules, (energy.high - energy.low) / 2 / energy.joules))
    return windows


def missed_of(edges: Sequence[CounterEdge], period_s: float) -> int:
    """How many updates no poll saw."""
    middles = [(edge.earliest_s + edge.latest_s) / 2 for edge in edges]
    gaps = [after - before for before, after in pairwise(middles)]
    return sum(round(gap / period_s) - 1 for gap in gaps if gap > _MISSED * period_s)


def averaging_of(recorded: Recorded) -> Averaging | None:
    """Over how long nvmlDeviceGetPowerUsage is a mean; None where the bursts do not tell."""
    answers = [answer for one in recorded.bursty() for answer in one.within(recorded.answers)]
    changed = [
        (after.t_s, after.usage_w)
        for before, after in pairwise(answers)
        if after.usage_w is not None and before.usage_w is not None and after.usage_w != before.usage_w
    ]
    instant = recorded.powers("instant_w")
    if len(changed) < _FEW or len(instant) < _FEW:
        return None
    variance = pvariance([watts for _, watts in changed])
    if not variance:
        return None
    mean_w = _means(instant)
    errors = {seconds: fmean((watts - mean_w(t_s, seconds)) ** 2 for t_s, watts in changed) for seconds in _AVERAGES_S}
    best = min(errors, key=errors.__getitem__)
    explained = 1 - errors[best] / variance
    return Averaging(best, explained) if explained >= _TELLING else None


def cpu_share(recording: Recording, stretch: Stretch) -> float | None:
    """CPU time of the sampler over a stretch, as a share of one core."""
    ticks = [t for t in recording.between(stretch.start_s, stretch.end_s) if t.cpu_s is not None]
    if len(ticks) < 2:
        return None
    first, last = ticks[0], ticks[-1]
    assert first.cpu_s is not None
    assert last.cpu_s is not None
    return (last.cpu_s - first.cpu_s) / (last.t_s - first.t_s)


def _asked_hz(recorded: Recorded) -> float:
    """How often NVML was asked directly, beside the sampler; it was to be a thousand times a second."""
    answers = recorded.answers
    return (len(answers) - 1) / (answers[-1].t_s - answers[0].t_s) if len(answers) > 1 else 0.0


def _pace(counter: Counter, recorded: Recorded) -> tuple[Table, list[Expectation]]:
    period_s = counter.period_s
    first, last = recorded.stretches[0], recorded.stretches[-1]
    edges = [edge for edge in counter.edges if edge.latest_s >= first.start_s and edge.earliest_s <= last.end_s]
    intervals = [b - a for a, b in pairwise(counter.moments) if a >= first.start_s and b <= last.end_s]
    widths = [edge.latest_s - edge.earliest_s for edge in edges]
    sharp = [width_s for width_s in widths if width_s <= _SHARP * period_s]
    steps_mj = [round((b.energy_j - a.energy_j) * 1e3) for a, b in pairwise(edges)]
    raw = spread_of(_change_intervals(recorded.stretches, recorded.answers, _SENSORS["energy counter"]))
    missed = missed_of(edges, period_s)
    lag = lag_of(counter, recorded.series.powers)
    rows = [
        ("period, as the sampler learned it", shown(period_s, 1e3, " ms")),
        (
            "time between two updates, as it places them (count, median, p5, p95)",
            _joined(spread_of(intervals), 1e3, " ms"),
        ),
        ("width of the bracket around an update (likewise)", _joined(spread_of(widths), 1e3, " ms")),
        (f"of these, within {_SHARP:.0%} of the period (likewise)", _joined(spread_of(sharp), 1e3, " ms")),
        ("updates seen, not seen", f"{len(edges)}, {missed}"),
        ("smallest step seen", shown(min(steps_mj, default=None), 1, " mJ")),
        ("all steps are multiples of", shown(gcd(*steps_mj) if steps_mj else None, 1, " mJ")),
        (
            "lag behind power",
            "power varied too little, or too fast, to tell"
            if lag is None
            else f"{lag.seconds * 1e3:.3g} ms (explains {lag.explained:.1%})",
        ),
    ]
    expectations = [
        within(
            "learned period ÷ time between changes seen directly", 0.95, 1.05, period_s / raw.median if raw else None
        ),
        at_most("updates not seen", 0.01, missed / (len(edges) + missed) if edges else None, " %", 100),
    ]
    if lag:
        expectations.append(at_most("lag of the counter ÷ its period", _LAG_PERIODS, lag.seconds / period_s))
    return Table(("energy counter", "seen"), rows), expectations


def _change_intervals(
    stretches: Sequence[Stretch], answers: Sequence[Answer], of: Callable[[Answer], float | None]
) -> list[float]:
    """Seconds from one change of a value to the next, within each stretch."""
    intervals = []
    for stretch in stretches:
        seen = [(answer.t_s, of(answer)) for answer in stretch.within(answers)]
        moments = [t_s for (_, before), (t_s, value) in pairwise(seen) if value is not None and value != before]
        intervals += [after - before for before, after in pairwise(moments)]
    return intervals


def _means(powers: Sequence[PowerReading]) -> Callable[[float, float], float]:
    """The mean power over so long before a moment; over no time, the power at it."""
    moments = [power.t_s for power in powers]
    steps = ((b.t_s - a.t_s) * (a.power_w + b.power_w) / 2 for a, b in pairwise(powers))
    joules = [0.0, *accumulate(steps)]

    def until(t_s: float) -> float:
        place = min(max(bisect_left(moments, t_s), 1), len(moments) - 1)
        share = (t_s - moments[place - 1]) / (moments[place] - moments[place - 1])
        return joules[place - 1] + share * (joules[place] - joules[place - 1])

    def mean_w(t_s: float, seconds: float) -> float:
        return (until(t_s) - until(t_s - seconds)) / seconds if seconds else power_at(powers, t_s)

    return mean_w


def _counted_j(recorded: Recorded, stretch: Stretch) -> float | None:
    if recorded.series.counter is None:
        return None
    try:
        return recorded.series.counter.energy(stretch.start_s, stretch.end_s).joules
    except EnergyError:
        return None


def _ratio(counted_j: float | None, powers: Sequence[PowerReading], stretch: Stretch) -> float | None:
    try:
        integrated = power_energy(powers, stretch.start_s, stretch.end_s).joules
    except EnergyError:
        return None
    return counted_j / integrated if counted_j is not None and integrated > 0 else None


def _highest_w(recorded: Recorded, stretch: Stretch) -> dict[str, float]:
    """The highest power in a stretch, as each of three tells it."""
    answers = stretch.within(recorded.answers)
    instant = [a.instant_w for a in answers if a.instant_w is not None]
    instant += [p.power_w for p in recorded.series.powers if stretch.start_s <= p.t_s <= stretch.end_s]
    usage = [a.usage_w for a in answers if a.usage_w is not None]
    counter = recorded.series.counter
    counted = [
        # The least mean power that the step can have had.
        (after.energy_j - before.energy_j) / (after.latest_s - before.earliest_s)
        for before, after in pairwise(counter.edges if counter else [])
        if before.latest_s >= stretch.start_s and after.earliest_s <= stretch.end_s
    ]
    found = {"instant": instant, "usage": usage, "counter": counted}
    return {name: max(watts) for name, watts in found.items() if watts}


def _powers(seen_w: dict[str, float]) -> str:
    return ", ".join(shown(seen_w.get(name), 1, " W") for name in ("instant", "usage", "counter"))


def _averaging_in_words(averaging: Averaging | None) -> str:
    if averaging is None:
        return "of what nvmlDeviceGetPowerUsage is a mean cannot be told: power varied too little, or it is no mean"
    over = f"the mean of instant power over the {averaging.seconds * 1e3:g} ms before each change"
    return (
        f"nvmlDeviceGetPowerUsage is best told by {over if averaging.seconds else 'instant power'},"
        f" which explains {averaging.explained:.1%} of its variance under the bursts"
    )


def _cells(spread: Spread | None, scale: float, unit: str) -> tuple[str, ...]:
    if spread is None:
        return ("0", "–", "–", "–")
    return (str(spread.number), *(shown(value, scale, unit, 3) for value in (spread.median, spread.p5, spread.p95)))


def _joined(spread: Spread | None, scale: float, unit: str) -> str:
    return ", ".join(_cells(spread, scale, unit))
