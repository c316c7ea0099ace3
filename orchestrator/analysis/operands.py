"""What is held against what, as it is typed: ``NAME``, ``NAME:PART``, ``NAME:param=value,param=value``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.analysis.conditions import Condition, parse_condition, runs_meeting
from orchestrator.errors import InputError
from orchestrator.results.columns import full_name, texts_of
from orchestrator.results.table import RunTable

_NAMED: Final = 8
_OPENING, _CLOSING = "[{(", "]})"


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison."""

    text: str
    """As it was typed."""
    campaign: str
    part: str = ""
    """Of the id of the one experiment that is meant; empty: not given that way."""
    values: Sequence[Condition] = ()
    """What the runs that are meant have in common; empty: not given that way."""

    @property
    def whole(self) -> bool:
        """Whether it is a campaign as it is."""
        return not self.part and not self.values


def parse_operand(text: str) -> Operand:
    """An operand from its text.

    Raises:
        InputError: it is none.
    """
    campaign, colon, rest = text.partition(":")
    if not campaign or (colon and not rest.strip()):
        hint = "NAME, NAME:PART of an experiment's id, or NAME:param=value,param=value"
        raise InputError(f"{text!r} names nothing to compare", hint=hint)
    if "=" not in rest:
        return Operand(text, campaign, part=rest.strip())
    return Operand(text, campaign, values=[parse_condition(part) for part in _split(rest)])


def selected(table: RunTable, operand: Operand) -> RunTable:
    """The runs of a campaign that an operand means.

    Raises:
        InputError: there are none, or its part fits several experiments.
    """
    if operand.part:
        experiments = table.frame["experiment_id"]
        fitting = [name for name in experiments.unique() if operand.part in name]
        exact = [name for name in fitting if name == operand.part]
        fitting = exact or fitting
        if len(fitting) != 1:
            raise _which(operand, fitting or experiments.unique().tolist(), fits=bool(fitting))
        return replace(table, frame=table.frame[experiments == fitting[0]].reset_index(drop=True))
    some = runs_meeting(table, operand.values)
    if some.frame.empty and not table.frame.empty:
        seen = "; ".join(
            f"{full_name(table.frame.columns, one.name)} is {_listed(dict.fromkeys(texts_of(table.frame, one.name)))}"
            for one in operand.values
        )
        raise InputError(
            f"no run of {operand.campaign} has {', '.join(map(str, operand.values))}", hint=f"there {seen}"
        )
    return some


def _which(operand: Operand, experiments: Sequence[str], *, fits: bool) -> InputError:
    if not fits:
        return InputError(
            f"no experiment of {operand.campaign} has {operand.part!r} in its id",
            hint=f"there are: {_listed(experiments)}",
        )
    return InputError(
        f"{operand.part!r} fits {len(experiments)} experiments of {operand.campaign}",
        hint=f"name more of one of them: {_listed(experiments)}; or NAME:param=value for all that have it",
    )


def _listed(names: Sequence[str] | dict[str, None]) -> str:
    shown = [name for name in names if name]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more


def _split(text: str) -> Iterator[str]:
    """The parts between commas, but for commas in brackets or quotes."""
    part, depth, quote = "", 0, ""
    for char in text:
        if char == "," and not depth and not quote:
            yield part
            part = ""
            continue
        part += char
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        else:
            depth += (char in _OPENING) - (char in _CLOSING)
    yield part
