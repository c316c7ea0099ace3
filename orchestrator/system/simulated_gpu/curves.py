"""Power over time, and its exact energy."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from orchestrator.errors import InputError

_GRAMMAR = "a curve is steps of DURATION:WATTS, in seconds, as in `0.5:300 0.5:80`"
_SHORTEST_STEP_S = 1e-6
_LONGEST_STEP_S = 1e9
_HIGHEST_POWER_W = 1e6


class Step(NamedTuple):
    """A stretch of steady power."""

    duration_s: float
    power_w: float


@dataclass(frozen=True)
class Curve:
    """Steps of power, repeated for ever from the origin on.

    Args:
        steps: what is repeated.
        before_w: the power until the origin; None: the first step's.

    Raises:
        InputError: there are no steps, or one has no length, or a power is negative.
    """

    steps: tuple[Step, ...]
    before_w: float | None = None

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError("a curve without steps", hint=_GRAMMAR)
        for step in self.steps:
            if not _SHORTEST_STEP_S <= step.duration_s <= _LONGEST_STEP_S:
                raise InputError(f"a step of {step.duration_s:g} s: a microsecond is the shortest", hint=_GRAMMAR)
        for power_w in (*(step.power_w for step in self.steps), self.power_before_w):
            if not 0 <= power_w <= _HIGHEST_POWER_W:
                raise InputError(f"a power of {power_w:g} W is not from 0 to {_HIGHEST_POWER_W:g} W", hint=_GRAMMAR)

    @property
    def power_before_w(self) -> float:
        """The power until the origin."""
        return self.steps[0].power_w if self.before_w is None else self.before_w

    @property
    def lowest_w(self) -> float:
        """The lowest power at any time."""
        return min(self.power_before_w, *(step.power_w for step in self.steps))

    @property
    def highest_w(self) -> float:
        """The highest power at any time."""
        return max(self.power_before_w, *(step.power_w for step in self.steps))

    @property
    def period_s(self) -> float:
        """How long the steps take together."""
        return self._begins_s[-1]

    def energy_j(self, start_s: float, end_s: float, origin_s: float = 0.0) -> float:
        """The energy between two moments, exact but for the rounding of doubles.

        Args:
            start_s: moments and origin are on one clock.
            end_s: not before the start, or the energy is negative.
            origin_s: when the curve begins.
        """
        return self._since_origin_j(end_s - origin_s) - self._since_origin_j(start_s - origin_s)

    @cached_property
    def _begins_s(self) -> list[float]:
        return list(accumulate((step.duration_s for step in self.steps), initial=0.0))

    @cached_property
    def _before_j(self) -> list[float]:
        return list(accumulate((step.duration_s * step.power_w for step in self.steps), initial=0.0))

    def _since_origin_j(self, t_s: float) -> float:
        if t_s < 0:
            return self.power_before_w * t_s
        cycles = math.floor(t_s / self.period_s)
        within_s = t_s - cycles * self.period_s
        index = min(max(bisect_right(self._begins_s, within_s) - 1, 0), len(self.steps) - 1)
        within_j = self._before_j[index] + self.steps[index].power_w * (within_s - self._begins_s[index])
        return cycles * self._before_j[-1] + within_j


def square(low_w: float = 80.0, high_w: float = 600.0, period_s: float = 0.047) -> Curve:
    """A square wave that begins high.

    Raises:
        InputError: the low power is above the high one, or the period is not positive.
    """
    if low_w > high_w:
        raise InputError(f"a square wave from {low_w:g} to {high_w:g} W: the low power is above the high one")
    return Curve((Step(period_s / 2, high_w), Step(period_s / 2, low_w)), before_w=low_w)


def inference(requests: int = 12, seed: int = 1) -> Curve:
    """A server at work on one request after another: idle, a prefill at high power, a token at a time after it.

    A token has a stretch in which the GPU computes, and a short one in which it waits for the host.
    """
    chance = random.Random(seed)
    steps: list[Step] = []
    for _ in range(requests):
        steps.append(_step(chance, (0.05, 0.6), (84, 96)))
        steps.append(_step(chance, (0.06, 0.35), (560, 680)))
        compute_w = chance.uniform(300, 400)
        for _ in range(chance.randint(15, 60)):
            steps.append(_step(chance, (0.014, 0.02), (compute_w - 15, compute_w + 15)))
            steps.append(_step(chance, (0.003, 0.006), (180, 230)))
    return Curve(tuple(steps), before_w=88.0)


def _step(chance: random.Random, duration_s: tuple[float, float], power_w: tuple[float, float]) -> Step:
    return Step(round(chance.uniform(*duration_s), 4), round(chance.uniform(*power_w), 1))


BUILT_IN: dict[str, Callable[[], Curve]] = {"square": square, "inference": inference}


def parse_curve(lines: Iterable[str]) -> Curve:
    """The curve that a text says: steps ``DURATION:WATTS`` in seconds, and comments from ``#`` on.

    Raises:
        InputError: it says none.
    """
    return Curve(
        tuple(
            _parse_step(word, number)
            for number, line in enumerate(lines, start=1)
            for word in line.partition("#")[0].split()
        )
    )


def _parse_step(word: str, line: int) -> Step:
    duration_s, _, power_w = word.partition(":")
    try:
        return Step(float(duration_s), float(power_w))
    except ValueError:
        raise InputError(f"line {line}: {word!r} is not a step", hint=_GRAMMAR) from None
