"""Which groups are held against which: read from campaigns as they are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.analysis.conditions import Condition, parse_condition, runs_meeting, unmet
from orchestrator.analysis.counterparts import counterparts
from orchestrator.analysis.groups import Choice, Group, groups_of
from orchestrator.analysis.operands import Operand, parse_operand, selected
from orchestrator.errors import InputError
from orchestrator.report.counting import counted, some_of
from orchestrator.report.loading import load_table
from orchestrator.results.table import RunTable
from orchestrator.system.project import Project


@dataclass(frozen=True, slots=True)
class Pair:
    """What is held against what."""

    a: Group
    b: Group
    name_a: str
    """What to call them: as typed, or by what sets the group apart."""
    name_b: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """All that is compared, and what is not."""

    tables: Mapping[str, RunTable]
    """By the name of the campaign, as they are."""
    found: Sequence[Pair]
    title_a: str
    """What the reference is called."""
    title_b: str
    """What is held against it is called, where that is one thing; else empty."""
    notes: Sequence[str]


@dataclass(slots=True)
class _Pairing:
    """What is known while pairs are looked for."""

    by: Sequence[str]
    conditions: Sequence[Condition]
    choice: Choice
    tables: dict[str, RunTable]
    notes: list[str] = field(default_factory=list)

    def table(self, operand: Operand) -> RunTable:
        table = selected(self.tables[operand.campaign], operand)
        columns = table.frame.columns
        return runs_meeting(table, [one for one in self.conditions if not one.of_figure(columns)])

    def groups(self, operand: Operand) -> list[Group]:
        return groups_of(self.table(operand), self.by, self.choice)

    def one_group(self, operand: Operand) -> Group:
        """All that an operand means as one group.

        Raises:
            InputError: it is no single thing.
        """
        groups = groups_of(self.table(operand), [one.name for one in operand.values], self.choice)
        if len(groups) == 1:
            return replace(groups[0], label=operand.text)
        if not groups:
            raise InputError(f"campaign {operand.campaign} has no complete run to compare")
        if operand.whole:
            hint = f"name one: {operand.campaign}:PART of its id, or {operand.campaign}:param=value"
            raise InputError(f"campaign {operand.campaign} has {len(groups)} experiments", hint=hint)
        raise InputError(
            f"the runs of {operand.text} come from {len(groups)} unlike environments",
            hint="--pool-environments takes them together",
        )

    def meeting(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs that meet the conditions on figures."""
        on_figures = [one for one in self.conditions if any(one.of_figure(pair.a.frame.columns) for pair in pairs)]
        fails: dict[int, list[str]] = {}
        for pair in pairs:
            for group in (pair.a, pair.b):
                if id(group) not in fails:
                    fails[id(group)] = unmet(group, on_figures)
        kept = [pair for pair in pairs if not fails[id(pair.a)] and not fails[id(pair.b)]]
        if out := len(pairs) - len(kept):
            self.notes.append(
                f"{some_of(out, len(pairs), 'pair')} left out: one of the two does not meet the conditions"
            )
        return kept


def pairs_of(
    project: Project, operands: Sequence[str], by: Sequence[str], against: str | None, where: Sequence[str],
    choice: Choice,
) -> Pairs:  # fmt: skip
    """Find what is to be compared.

    Args:
        project: whose campaigns.
        operands: as they were typed. One: its groups, each against one of them. Several: each against the first.
        by: what to group by; empty: whole campaigns experiment by experiment, and what was picked of them as one group.
        against: which group of one campaign is the reference; None: the first.
        where: conditions.
        choice: which runs are used.

    Raises:
        InputError: there is no such campaign, experiment, column or group, or nothing to compare.
    """
    parsed = [parse_operand(text) for text in operands]
    if against is not None and len(parsed) > 1:
        raise InputError("--against is about the groups of one campaign", hint="of several, the first is the reference")
    tables = {one.campaign: _called(one.campaign, load_table(one.campaign, project=project)) for one in parsed}
    pairing = _Pairing(by, [parse_condition(text) for text in where], choice, tables)
    first, *others = parsed
    if not others:
        found = list(_within(pairing, first, against))
        title_a, title_b = found[0].name_a, ""
    elif by or all(one.whole for one in parsed):
        found = list(_matched(pairing, parsed))
        title_a, title_b = first.text, others[0].text if len(others) == 1 else ""
    else:
        reference = pairing.one_group(first)
        found = [Pair(reference, pairing.one_group(one), first.text, one.text) for one in others]
        title_a, title_b = first.text, others[0].text if len(others) == 1 else ""
    found = [_like(pairing, pair) for pair in pairing.meeting(found)]
    title_b = found[0].name_b if len(found) == 1 and not others else title_b
    return Pairs(tables, found, title_a, title_b, list(dict.fromkeys(pairing.notes)))


def _called(name: str, table: RunTable) -> RunTable:
    """A table whose runs are of the campaign that its folder is named for: a folder that was renamed is another."""
    return replace(table, frame=table.frame.assign(campaign=name))


def _within(pairing: _Pairing, operand: Operand, against: str | None) -> Iterator[Pair]:
    """The groups of one campaign, each against one of them."""
    groups = pairing.groups(operand)
    if len(groups) < 2:
        what = "no group of runs" if not groups else "one group of runs only"
        raise InputError(f"{operand.text} has {what}: there is nothing to compare", hint="name another campaign too")
    reference = groups[0] if against is None else _named(groups, against)
    for group in groups:
        if group is not reference:
            yield Pair(reference, group, reference.label, group.label)


def _named(groups: Sequence[Group], name: str) -> Group:
    """The group that is meant: by its label, its value, or a part of its experiment's id."""
    rules: tuple[Any, ...] = (
        lambda group: group.label == name,
        lambda group: any(str(value) == name for value in group.key.values()),
        lambda group: name in group.label,
        lambda group: name in str(group.key.get("experiment_id", "")),
    )
    for fits in rules:
        fitting = [group for group in groups if fits(group)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            break
    listed = "; ".join(group.label for group in groups[:8])
    what = f"fits {len(fitting)} groups" if fitting else "is no group"
    raise InputError(f"--against {name!r} {what}", hint=f"groups: {listed}")


def _matched(pairing: _Pairing, operands: Sequence[Operand]) -> Iterator[Pair]:
    """The groups of several campaigns, each against its like of the first."""
    first, *others = operands
    references = _some(pairing, first)
    for operand in others:
        groups, met = _some(pairing, operand), set()
        for group in groups:
            like = [one for one in references if _key(one, pairing.by) == _key(group, pairing.by)]
            same = [one for one in like if one.key.get("environment_id") == group.key.get("environment_id")]
            if len(partner := same or like) == 1:
                met.add(id(partner[0]))
                name = group.label if len(others) == 1 else f"{operand.text}: {group.label}"
                yield Pair(partner[0], group, f"{first.text}: {partner[0].label}", name)
            else:
                pairing.notes.append(_alone(operand.text, group.label, first.text, len(partner)))
        pairing.notes += [_alone(first.text, one.label, operand.text, 0) for one in references if id(one) not in met]
        if not met:
            what = "experiment" if not pairing.by else "group"
            raise InputError(
                f"{first.text} and {operand.text} have no {what} in common",
                hint="name one of each, NAME:PART or NAME:param=value; or group by what both have: --group-by",
            )


def _some(pairing: _Pairing, operand: Operand) -> list[Group]:
    groups = pairing.groups(operand)
    if not groups:
        raise InputError(f"{operand.text} has no complete run to compare")
    return groups


def _key(group: Group, by: Sequence[str]) -> tuple[str, ...]:
    """What must be the same in both: what was grouped by, else the experiment."""
    ignored = {"environment_id"} if not by or "experiment_id" in by else {"environment_id", "experiment_id"}
    return tuple(str(value) for name, value in group.key.items() if name not in ignored)


def _alone(campaign: str, label: str, other: str, partners: int) -> str:
    if partners:
        return f"of {campaign}: {label} is not compared: {other} has it from {partners} environments"
    return f"only {campaign} has: {label}"


def _like(pairing: _Pairing, pair: Pair) -> Pair:
    matched = counterparts(pair.a, pair.b)
    if matched.unlike:
        pairing.notes.append(
            f"{pair.name_a} and {pair.name_b} hold unlike experiments: each stands for the average of its own"
        )
    if matched.without:
        without = counted(matched.without, "experiment")
        pairing.notes.append(f"{pair.name_a}, {pair.name_b}: {without} left out, of which the other has no like")
    return replace(pair, a=matched.a, b=matched.b)
