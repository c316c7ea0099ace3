"""Groups of runs summed up, as tables for a person and as data for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from orchestrator.analysis.groups import Group
from orchestrator.analysis.interval import Interval
from orchestrator.analysis.summary import Summary
from orchestrator.report.counting import counted
from orchestrator.report.figures import ALL_ALIKE
from orchestrator.report.tables import Column, Table
from runners.contract.quantities import QUANTITIES

FIGURES: Final[Mapping[str, type]] = {
    "runs": int, "cycles": int, "mean": float, "median": float, "typical": float, "low": float, "high": float,
    "method": str, "spread": float, "meter_low": float, "meter_high": float,
}  # fmt: skip
"""What is said of each metric of a group in a flat row."""
_NONE = "—"


def group_table(name: str, metric: str, found: Sequence[Summary], notes: Sequence[str] = ()) -> Table:
    """One metric of all groups: a row a group.

    Args:
        name: what the groups are of.
        metric: that was summed up.
        found: of each group.
        notes: remarks below.
    """
    quantity = QUANTITIES[metric]
    left_out = any(one.group.left_out for one in found)
    unit = f", {quantity.unit}" if quantity.unit else ""
    columns = [Column("group"), Column("runs", True), Column("cycles", True), Column("mean", True)]
    columns += [Column("median", True), Column("typical", True), Column("95 % interval", True), Column("by")]
    columns += [Column("spread", True)]
    bounded = any((one.meter_low, one.meter_high) not in ((None, None), (1.0, 1.0)) for one in found)
    columns += [Column("meter", True)] * bounded + [Column("method")] * quantity.of_energy
    columns += [Column("left out")] * left_out
    rows = [
        [
            one.group.label,
            str(one.runs),
            str(one.cycles),
            quantity.show(one.mean),
            quantity.show(one.median),
            quantity.show(one.interval.estimate) if one.interval else _NONE,
            _range(metric, one.interval),
            one.interval.method if one.interval else _NONE,
            f"{one.spread:.2%}".replace("%", " %") if one.spread is not None else _NONE,
            *([_bounds(one)] * bounded),
            *([methods_of(one.group)] * quantity.of_energy),
            *([_left_out(one.group)] * left_out),
        ]
        for one in found
    ]
    return Table(f"{name}: {quantity.title}{unit}", columns, rows, notes)


def group_notes(groups: Sequence[Group], found: Sequence[Sequence[Summary]]) -> list[str]:
    """What to know of groups as such: what was left out of them, what cannot be said.

    Args:
        groups: all.
        found: for each metric, what was summed up of each group.
    """
    reasons: dict[str, list[int]] = {}
    for group in groups:
        for one in group.left_out:
            reasons.setdefault(one.reason, []).append(one.runs)
    notes = [
        f"{counted(sum(runs), 'run')} left out, in {counted(len(runs), 'group')}: {reason}"
        for reason, runs in reasons.items()
    ]
    if pooled := sum(group.frame["environment_id"].nunique() > 1 for group in groups if len(group.key) > 1):
        notes.append(
            f"{counted(pooled, 'group')} of several environments: each backend brings its own, or you asked for it"
        )
    summaries = [one for of_metric in found for one in of_metric]
    if any(
        one.cycles < one.group.frame.loc[one.group.frame[one.metric].notna(), "cycle"].nunique() for one in summaries
    ):
        notes.append("cycles that lack some of a group's experiments tell of the others only, and do not count")
    if any(one.runs and one.cycles < 2 for one in summaries):
        notes.append("no interval: it takes two cycles to say how surely a figure is known")
    if alike := [one for one in summaries if one.interval and one.interval.low == one.interval.high]:
        notes.append(f"{ALL_ALIKE}: {counted(len(alike), 'figure')} the same in every cycle, so that no spread is seen")
    if any(one.interval and one.interval.method == "t" for one in summaries):
        notes.append("t: not all figures are above 0, so typical is their mean, and there are no ratios to rank by")
    if any(one.interval for one in summaries):
        notes.append("interval: of the typical value over cycles; the meter's own bounds come on top")
    return notes


def group_document(
    campaign: str, by: Sequence[str], groups: Sequence[Group], found: Sequence[Sequence[Summary]]
) -> Any:
    """The same for machines.

    Args:
        campaign: its name.
        by: what was grouped by.
        groups: all.
        found: for each metric, what was summed up of each group.
    """
    return {
        "campaign": campaign,
        "group_by": list(by),
        "groups": [
            {
                "label": group.label,
                "key": dict(group.key),
                "runs": len(group.frame),
                "left_out": [asdict(one) for one in group.left_out],
                "environments": sorted(set(group.frame["environment_id"])),
                "energy_methods": sorted(set(group.frame["energy_method"].dropna())),
                "metrics": {one.metric: _figures(one) for one in of_group},
            }
            for group, of_group in zip(groups, zip(*found, strict=True), strict=True)
        ],
    }


def group_records(groups: Sequence[Group], found: Sequence[Sequence[Summary]]) -> list[dict[str, Any]]:
    """The same as flat rows, each metric's figures under its name: ``ttft_s.p50.mean``."""
    names = dict.fromkeys(name for group in groups for name in group.key)
    return [
        {"group": group.label}
        | {name: group.key.get(name) for name in names}
        | {"runs": len(group.frame), "left_out": _left_out(group), "energy_method": methods_of(group)}
        | {f"{one.metric}.{name}": value for one in of_group for name, value in _flat(one).items()}
        for group, of_group in zip(groups, zip(*found, strict=True), strict=True)
    ]


def methods_of(group: Group) -> str:
    """How the energy of a group's runs was found."""
    return ", ".join(sorted({method or _NONE for method in group.frame["energy_method"].unique()})) or _NONE


def _figures(one: Summary) -> Mapping[str, Any]:
    names = ("runs", "cycles", "mean", "median", "spread", "meter_low", "meter_high")
    interval = asdict(one.interval) if one.interval else None
    return {name: getattr(one, name) for name in names} | {"interval": interval}


def _flat(one: Summary) -> dict[str, Any]:
    interval = one.interval
    return {
        "runs": one.runs,
        "cycles": one.cycles,
        "mean": one.mean,
        "median": one.median,
        "typical": interval.estimate if interval else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "method": interval.method if interval else None,
        "spread": one.spread,
        "meter_low": one.meter_low,
        "meter_high": one.meter_high,
    }


def _range(metric: str, interval: Interval | None) -> str:
    if interval is None:
        return _NONE
    show = QUANTITIES[metric].show
    return ALL_ALIKE if interval.low == interval.high else f"{show(interval.low)} – {show(interval.high)}"


def _bounds(one: Summary) -> str:
    if one.meter_low is None or one.meter_high is None:
        return _NONE
    return f"{100 * (one.meter_low - 1):+.1f} {100 * (one.meter_high - 1):+.1f} %"


def _left_out(group: Group) -> str:
    return ", ".join(f"{one.runs} {one.reason.partition(':')[0]}" for one in group.left_out)
