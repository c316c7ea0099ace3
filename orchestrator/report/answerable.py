"""What a campaign's configurations can be ranked by: joules that were not measured do not rank unless asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.groups import Choice, Group, for_ranking
from orchestrator.errors import InputError
from orchestrator.report.charts.wording import made_how
from orchestrator.results.columns import metric_named
from runners.contract.quantities import QUANTITIES, Quantity

_BY_DEFAULT: Final = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50")


@dataclass(frozen=True, slots=True)
class Metric:
    """What is ranked, and why it is that."""

    name: str
    why: str | None
    """Why it is not energy per output token, where nobody asked for another; None: it is, or somebody did."""
    caveat: str | None
    """What stands beside its figures: ``simulated``, ``energy estimated``; None where all were measured."""

    @property
    def quantity(self) -> Quantity:
        """How it is shown."""
        return QUANTITIES[self.name]


def metric_of(groups: Sequence[Group], wanted: str | None, choice: Choice) -> Metric | None:
    """What to rank by; None where nothing was measured that could be ranked.

    Args:
        groups: that are to be ranked.
        wanted: by the user.
        choice: whether estimated joules rank.

    Raises:
        InputError: what is wanted is no quantity, or neither more nor less of it is better; or it is estimated.
    """
    wanted = metric_named(wanted) if wanted is not None else None
    if wanted is not None and QUANTITIES[wanted].better is None:
        raise InputError(
            f"neither more nor less of {wanted} is better", hint="rank by another: docs/reference/quantities.md"
        )
    whys: list[str] = []
    for name in (wanted,) if wanted else _BY_DEFAULT:
        candidates = [for_ranking(group, name, choice) for group in groups]
        found = [group for group in candidates if group.frame[name].notna().any()]
        if found:
            return Metric(name, "; ".join(whys) or None, _caveat(found, QUANTITIES[name]))
        title = QUANTITIES[name].title
        measured = any(group.frame[name].notna().any() for group in groups)
        whys.append(f"{title} is estimated, and estimates do not rank" if measured else f"{title} was not measured")
        if wanted and measured:
            raise InputError(whys[0], hint="--estimated ranks them all the same")
    return None


def _caveat(groups: Sequence[Group], quantity: Quantity) -> str | None:
    made = {made_how(group, [quantity]) for group in groups}
    named = " or ".join(sorted(made - {""}))
    return f"{named}, in part" if named and "" in made else named or None
