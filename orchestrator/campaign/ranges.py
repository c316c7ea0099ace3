"""Ranges, ``{min: 1, max: 64, step: 1}`` and ``{log2: [1, 64]}``, and the values that they stand for. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

Number = int | float

MAX_VALUES: Final = 100_000
FORMS: Final = "write {min: 1, max: 64, step: 1} or {log2: [1, 64]}"

_STEPPED: Final = {"min", "max", "step"}
_SHOWN_DIGITS: Final = 30


class RangeError(ValueError):
    """A mapping that is no range.

    Args:
        place: where in it the fault is.
        message: what is wrong.
        hint: what to write.
    """

    def __init__(self, place: tuple[str | int, ...], message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.place, self.message, self.hint = place, message, hint


def range_values(declared: Mapping[str, Any]) -> tuple[Number, ...]:
    """The values of a range, from its least one upwards.

    Integers stay integers; where one of its numbers is no integer, all values are floats, each the one nearest to the
    decimal number that a reader expects: ``0.3``, not ``0.30000000000000004``.

    Raises:
        RangeError: it is no range, or one of more than :data:`MAX_VALUES` values.
    """
    if "log2" in declared and len(declared) == 1:
        return _powers_of_two(declared["log2"])
    if {"min", "max"} <= declared.keys() <= _STEPPED:
        return _steps(declared)
    raise RangeError((), "is no range", FORMS)


def _steps(declared: Mapping[str, Any]) -> tuple[Number, ...]:
    for key, value in declared.items():
        _require_number(value, (key,))
    low, high = declared["min"], declared["max"]
    whole = isinstance(low, int) and isinstance(high, int)
    if "step" not in declared and not whole:
        raise RangeError((), "a range between numbers that are no integers needs a step", "add step: 0.1, for instance")
    step = declared.get("step", 1)
    if step <= 0:
        raise RangeError(("step",), f"must be greater than 0, not {_shown(step)}")
    if low > high:
        raise RangeError((), f"min {_shown(low)} is greater than max {_shown(high)}")
    first, stride = _exact(low), _exact(step)
    count = (_exact(high) - first) // stride + 1
    if count > MAX_VALUES:
        raise RangeError((), f"has more than {MAX_VALUES:,} values", "narrow it, or take a greater step")
    exact = (first + stride * index for index in range(count))
    if whole and isinstance(step, int):
        return tuple(int(value) for value in exact)
    values = tuple(float(value) for value in exact)
    if len(set(values)) < count:
        raise RangeError(("step",), f"{step!r} is too small to tell its values apart")
    return values


def _powers_of_two(ends: Any) -> tuple[Number, ...]:
    if not isinstance(ends, list) or len(ends) != 2:
        raise RangeError(("log2",), "must be a list of two numbers, the first and the last power of two", FORMS)
    low, high = (_exponent(end, ("log2", index)) for index, end in enumerate(ends))
    if low > high:
        raise RangeError(("log2",), f"{_shown(ends[0])} is greater than {_shown(ends[1])}")
    if all(isinstance(end, int) for end in ends):
        return tuple(1 << exponent for exponent in range(low, high + 1))
    return tuple(math.ldexp(1.0, exponent) for exponent in range(low, high + 1))


def _exponent(end: Any, place: tuple[str | int, ...]) -> int:
    _require_number(end, place)
    if end > 0:
        mantissa = end & (end - 1) if isinstance(end, int) else math.frexp(end)[0] - 0.5
        if not mantissa:
            return end.bit_length() - 1 if isinstance(end, int) else math.frexp(end)[1] - 1
    raise RangeError(place, f"{_shown(end)} is no power of two", _nearest_powers(end))


def _nearest_powers(number: Number) -> str | None:
    if number < 1:
        return None
    below = 1 << (int(number).bit_length() - 1)
    return f"write {_shown(below)} or {_shown(2 * below)}"


def _require_number(value: Any, place: tuple[str | int, ...]) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RangeError(place, f"must be a number, not {_shown(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise RangeError(place, f"must be a finite number, not {_shown(value)}")


def _exact(number: Number) -> Fraction:
    """The decimal number that was written."""
    return Fraction(repr(number))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_DIGITS else f"{text[:_SHOWN_DIGITS]}…"
