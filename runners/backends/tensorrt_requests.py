"""Requests in flight: when each of their tokens came to the host, and what the engine says of their times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from runners.backends.base import Timing

_RESOLUTION_S = 1e-6
"""Of a timedelta, in which the engine's moments come."""


class Answered(NamedTuple):
    """What came of one request."""

    output: list[int]
    timing: Timing


async def follow(streams: Sequence[AsyncIterable[Any]], start_s: float, alive: Callable[[], None]) -> list[Answered]:
    """Waits until all are answered; each token is a sign of life.

    Args:
        streams: the requests, as ``LLM.generate_async`` returns them while streaming.
        start_s: when they were handed over, of CLOCK_MONOTONIC.
        alive: called whenever tokens come.

    Raises:
        Exception: whatever the engine raised first; the other requests are given up.
    """
    tasks = [asyncio.ensure_future(_follow_one(stream, start_s, alive)) for stream in streams]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _follow_one(stream: AsyncIterable[Any], start_s: float, alive: Callable[[], None]) -> Answered:
    times_s: list[float] = []
    answer: Any = None
    async for step in stream:
        now_s = time.monotonic()
        (answer,) = step.outputs
        if new := len(answer.token_ids) - len(times_s):
            times_s += [now_s] * new
            alive()
    if not times_s:
        return Answered([], Timing(None, None, None))
    begun_s = begun(answer.request_perf_metrics, start_s, times_s[0])
    return Answered(list(answer.token_ids), Timing(begun_s, times_s[0], times_s[-1], times_s))


def begun(metrics: Any, start_s: float, first_token_s: float) -> float | None:
    """When the engine took a request up, by its own metrics.

    They are of std::chrono::steady_clock, which on Linux is CLOCK_MONOTONIC, as a duration since its origin. Another
    origin would show: then its moments do not lie between the request and its first token here.

    Args:
        metrics: the ``RequestPerfMetrics`` of a request; None where there are none.
        start_s: when it was handed over.
        first_token_s: when its first token was on the host.

    Returns:
        None where the engine does not tell, or by another clock.
    """
    timing = getattr(metrics, "timing_metrics", None)
    moments = [getattr(timing, name, None) for name in ("arrival_time", "first_scheduled_time", "first_token_time")]
    if not all(isinstance(moment, timedelta) for moment in moments):
        return None
    arrived_s, begun_s, first_s = (moment.total_seconds() for moment in moments if moment is not None)
    known = start_s - _RESOLUTION_S <= arrived_s <= begun_s <= first_s <= first_token_s + _RESOLUTION_S
    return begun_s if known else None
