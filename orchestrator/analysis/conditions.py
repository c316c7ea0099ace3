"""Conditions as they are typed, ``ttft_s.p95 < 0.5`` or ``dtype = bfloat16``, and what meets them. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.analysis.groups import Choice, Group, groups_of
from orchestrator.errors import InputError
from orchestrator.results.columns import full_name, values_of
from orchestrator.results.parameters import shown
from orchestrator.results.table import RunTable
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_FORM = re.compile(r"\s*(?P<name>[^\s<>=!]+)\s*(?P<sign><=|>=|!=|==|<|>|=)\s*(?P<value>.*?)\s*", re.DOTALL)
_EXAMPLE = "such as 'ttft_s.p95 < 0.5' (in the unit that its name ends with) or 'dtype = bfloat16'"


@dataclass(frozen=True, slots=True)
class Condition:
    """A column held against a value; whatever is missing meets no condition."""

    name: str
    """The column, as it was typed."""
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.value}"

    def holds(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Which runs of a frame meet it.

        Raises:
            InputError: there is no such column, or its values cannot be compared with this one.
        """
        import pandas as pd

        values = values_of(frame, self.name)
        missing = values.isna()
        known = self._met_by_each(values[~missing].unique() if values.dtype != object else values[~missing].tolist())
        met = [
            not gone and known[type(value), value] for value, gone in zip(values.array, missing.to_numpy(), strict=True)
        ]
        return pd.Series(met, index=frame.index, dtype=bool)

    def _met_by_each(self, values: Iterable[Any]) -> dict[tuple[type, Any], bool]:
        """Which values meet it; one that cannot be compared with this one, where others can, is just another one."""
        known: dict[tuple[type, Any], bool] = {}
        unlike: dict[tuple[type, Any], InputError] = {}
        for value in values:
            key = type(value), value
            if key in known or key in unlike:
                continue
            try:
                known[key] = self.met_by(value)
            except InputError as error:
                unlike[key] = error
        if unlike and not known:
            raise next(iter(unlike.values()))
        return known | dict.fromkeys(unlike, self.sign == "!=")

    def met_by(self, value: Any) -> bool:
        """Whether a value meets it; None does not.

        Raises:
            InputError: it cannot be compared with this one.
        """
        if value is None or value != value:
            return False
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _OPERATORS[self.sign](value, self._number())
        if self.sign not in ("=", "==", "!="):
            raise InputError(f"in {str(self)!r}: {self.name} is no number, so it can only be = or !=")
        return _OPERATORS[self.sign](shown(value), self.value)

    def of_figure(self, columns: Iterable[str]) -> bool:
        """Whether it is about something measured, and so about what is typical of a group; else about a parameter.

        Raises:
            InputError: there is no such column.
        """
        return full_name(columns, self.name) in QUANTITIES

    def seen(self, group: Group) -> Any:
        """What a group has there: the median of a figure, else the value that its runs share; None: none.

        Raises:
            InputError: there is no such column.
        """
        values = values_of(group.frame, self.name).dropna()
        if values.empty:
            return None
        if self.of_figure(group.frame.columns):
            return float(values.median())
        return values.iloc[0] if values.nunique() == 1 else None

    def _number(self) -> float:
        try:
            number = float(self.value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise InputError(
                f"in {str(self)!r}: {self.name} is a number, and {self.value!r} is none",
                hint="leave the unit out: it is the one that the name ends with",
            )
        return number


def parse_condition(text: str) -> Condition:
    """A condition from its text: ``NAME SIGN VALUE``, the sign one of ``< <= > >= = !=``.

    Raises:
        InputError: it is none.
    """
    match = _FORM.fullmatch(text)
    if not match or not match["value"]:
        raise InputError(f"{text!r} is no condition", hint=_EXAMPLE)
    value = match["value"]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return Condition(match["name"], match["sign"], value)


def unmet(group: Group, conditions: Sequence[Condition]) -> list[str]:
    """The conditions that a group does not meet, with what was seen: ``ttft_s.p95 < 0.5: 0.62``.

    Raises:
        InputError: a column is not there, or its values cannot be compared.
    """
    found = []
    for condition in conditions:
        value = condition.seen(group)
        if not condition.met_by(value):
            found.append(f"{condition}: {f'{value:.4g}' if isinstance(value, float) else shown(value)}")
    return found


def runs_meeting(table: RunTable, conditions: Sequence[Condition]) -> RunTable:
    """The table with those runs only that meet every condition.

    Raises:
        InputError: a column is not there, or its values cannot be compared.
    """
    frame = table.frame
    for condition in conditions:
        frame = frame[condition.holds(frame)]
    return replace(table, frame=frame.reset_index(drop=True)) if conditions else table


def groups_meeting(table: RunTable, by: Sequence[str], choice: Choice, conditions: Sequence[Condition]) -> list[Group]:
    """The groups of a campaign that meet every condition: runs by their parameters, groups by their medians.

    Single runs are not picked by a figure that was measured of them, which would flatter what is left.

    Raises:
        InputError: a column is not there, or its values cannot be compared.
    """
    measured = [condition for condition in conditions if condition.of_figure(table.frame.columns)]
    declared = [condition for condition in conditions if condition not in measured]
    groups = groups_of(runs_meeting(table, declared), by, choice)
    return [group for group in groups if not unmet(group, measured)]
