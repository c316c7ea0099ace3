"""What a campaign's configurations can be ranked by: joules that were not measured do not rank unless asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.groups import Choice, Group, LeftOut
from orchestrator.errors import InputError
from orchestrator.results.table import RunTable
from runners.contract.messages import nearest
from runners.contract.quantities import QUANTITIES, Quantity

_BY_DEFAULT: Final = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50")
ESTIMATED: Final = "estimated joules: they do not rank"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is ranked, and why it is that."""

    name: str
    why: str | None
    """Why it is not energy per output token, where nobody asked for another; None: it is, or somebody did."""
    methods: tuple[str, ...]
    """How the energy behind it came about; empty where it does not rest on energy."""
    excluded: frozenset[str] = frozenset()
    """Labels of groups that do not rank."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def quantity(self) -> Quantity:
        """How it is shown."""
        return QUANTITIES[self.name]

    @property
    def caveat(self) -> str | None:
        """What stands beside its every figure: ``simulated``, ``estimated``; None where it was measured."""
        return " and ".join(method for method in self.methods if method in ("estimated", "simulated")) or None

    def rankable(self, groups: Sequence[Group]) -> list[Group]:
        """The groups that take part."""
        return [group for group in groups if group.label not in self.excluded]


def metric_of(table: RunTable, groups: Sequence[Group], wanted: str | None, choice: Choice) -> Metric | None:
    """What to rank by; None where nothing was measured that could be ranked.

    Args:
        table: of the campaign.
        groups: that are to be ranked.
        wanted: by the user.
        choice: whether estimated joules rank.

    Raises:
        InputError: what is wanted is no quantity, or neither more nor less of it is better.
    """
    if wanted is not None and (wanted not in QUANTITIES or QUANTITIES[wanted].better is None):
        better = [name for name, quantity in QUANTITIES.items() if quantity.better]
        raise InputError(f"{wanted!r} is nothing to rank by", hint=nearest(wanted, better))
    whys = []
    for name in (wanted,) if wanted else _BY_DEFAULT:
        found = _metric(name, groups, choice)
        if found and len(found.excluded) < sum(_measured(group, name) for group in groups):
            return Metric(name, "; ".join(whys) or None, found.methods, found.excluded, found.left_out)
        title = QUANTITIES[name].title
        whys.append(f"{title} is estimated, and estimates do not rank" if found else f"{title} was not measured")
    return None


def _metric(name: str, groups: Sequence[Group], choice: Choice) -> Metric | None:
    """The metric with the groups that it cannot rank; None where no group has it."""
    measured = [group for group in groups if _measured(group, name)]
    if not measured:
        return None
    if not QUANTITIES[name].of_energy:
        return Metric(name, None, ())
    estimated = [group for group in measured if not choice.estimated and "estimated" in _methods(group)]
    methods = sorted({method for group in measured if group not in estimated for method in _methods(group)})
    runs = sum(len(group.frame) for group in estimated)
    return Metric(
        name,
        None,
        tuple(methods),
        frozenset(group.label for group in estimated),
        (LeftOut(ESTIMATED, runs),) if runs else (),
    )


def _measured(group: Group, name: str) -> bool:
    return bool(group.frame[name].notna().any())


def _methods(group: Group) -> set[str]:
    return set(group.frame["energy_method"].dropna())
