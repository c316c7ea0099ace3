"""The requests of a batch while vLLM works on them: their tokens, and when each came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runners.backends.base import Timing


class Progress:
    """What the engine's steps brought for each request.

    The moments are the engine's own, taken where it schedules and where it has the tokens: CLOCK_MONOTONIC, the
    same in all its processes. (Its ``arrival_time`` is wall clock and is not used.)

    Args:
        ids: names of the requests, in the order of the prompts.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(ids)}
        self._tokens: list[list[int]] = [[] for _ in ids]
        self._times_s: list[list[float]] = [[] for _ in ids]
        self._begun_s: list[float | None] = [None] * len(ids)

    def add(self, outputs: Sequence[Any]) -> None:
        """Takes what one step returned: RequestOutputs that hold the new tokens only (deltas)."""
        for output in outputs:
            place, metrics = self._places[output.request_id], output.metrics
            new = output.outputs[0].token_ids
            self._tokens[place].extend(new)
            self._times_s[place].extend([metrics.last_token_ts] * len(new))
            self._begun_s[place] = metrics.scheduled_ts or None

    @property
    def outputs(self) -> list[list[int]]:
        """Token ids of each answer."""
        return self._tokens

    @property
    def timings(self) -> list[Timing]:
        """The moments of each request."""
        return [
            Timing(begun_s, times_s[0], times_s[-1], times_s) if times_s else Timing(begun_s, None, None)
            for begun_s, times_s in zip(self._begun_s, self._times_s, strict=True)
        ]
