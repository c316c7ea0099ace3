"""The measured requests: when each began, got its first token and ended, and what came back. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from runners.backends.base import Batch, Timing
from runners.contract.result import Distribution

_PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


class RequestRecord(NamedTuple):
    """One request of the window."""

    number: int
    batch: int
    start_s: float
    first_token_s: float | None
    end_s: float
    input_tokens: int
    output_tokens: int
    output_sha256: str
    gaps_s: tuple[float, ...] | None
    """Time between its tokens; None where the engine does not tell when each came."""
    last_token_s: float | None
    begun_s: float | None = None
    """The engine began to work on it; None where it does not tell."""

    @property
    def queue_s(self) -> float | None:
        """Time from the begin of its batch to its own."""
        return None if self.begun_s is None else self.begun_s - self.start_s

    @property
    def ttft_s(self) -> float | None:
        """Time to first token, from the begin of its batch."""
        return None if self.first_token_s is None else self.first_token_s - self.start_s

    @property
    def e2e_s(self) -> float:
        """Time from the begin of its batch to its own end."""
        return self.end_s - self.start_s

    @property
    def tpot_s(self) -> float | None:
        """Mean time of an output token after the first; None with fewer than two tokens."""
        if self.first_token_s is None or self.last_token_s is None or self.output_tokens < 2:
            return None
        return (self.last_token_s - self.first_token_s) / (self.output_tokens - 1)


class Latencies(NamedTuple):
    """The spread of each latency over the requests; None where it is not known."""

    ttft_s: Distribution | None
    tpot_s: Distribution | None
    itl_s: Distribution | None
    e2e_s: Distribution | None
    queue_s: Distribution | None


def records_of(batches: Sequence[tuple[Sequence[Sequence[int]], Batch]]) -> list[RequestRecord]:
    """A record of each request.

    Args:
        batches: the prompts of each batch as token ids, and what came of it.
    """
    records: list[RequestRecord] = []
    for number, (prompts, batch) in enumerate(batches):
        timings = batch.timings or [_timing_of(batch)] * len(prompts)
        for prompt, output, timing in zip(prompts, batch.outputs, timings, strict=True):
            times = timing.token_times_s
            records.append(
                RequestRecord(
                    number=len(records),
                    batch=number,
                    start_s=batch.start_s,
                    begun_s=timing.begun_s,
                    first_token_s=timing.first_token_s,
                    end_s=batch.end_s if batch.timings is None else timing.last_token_s or batch.end_s,
                    input_tokens=len(prompt),
                    output_tokens=len(output),
                    output_sha256=hashlib.sha256(",".join(map(str, output)).encode()).hexdigest(),
                    gaps_s=tuple(after - before for before, after in pairwise(times)) if times else None,
                    last_token_s=timing.last_token_s,
                )
            )
    return records


def output_sha256_of(records: Sequence[RequestRecord]) -> str:
    """SHA-256 over the answers of all requests in their order: equal where the token ids of all answers are."""
    return hashlib.sha256("".join(record.output_sha256 for record in records).encode()).hexdigest()


def _timing_of(batch: Batch) -> Timing:
    """What a static batch tells of each of its requests."""
    times = batch.token_times_s
    return Timing(None, times[0], times[-1], times) if times else Timing(None, None, None)


def latencies_of(records: Sequence[RequestRecord]) -> Latencies:
    """How the latencies are spread; ``itl_s`` over the gaps between tokens, the others over requests."""
    gaps = [gap for record in records for gap in record.gaps_s or ()]
    return Latencies(
        ttft_s=distribution([record.ttft_s for record in records]),
        tpot_s=distribution([record.tpot_s for record in records]),
        itl_s=distribution(gaps),
        e2e_s=distribution([record.e2e_s for record in records]),
        queue_s=distribution([record.queue_s for record in records]),
    )


def distribution(values: Sequence[float | None]) -> Distribution | None:
    """Mean and percentiles; None if a value is missing or there are none."""
    known = sorted(value for value in values if value is not None)
    if not known or len(known) < len(values):
        return None
    percentiles = {name: percentile(known, share) for name, share in _PERCENTILES.items()}
    return Distribution(mean=sum(known) / len(known), **percentiles)


def percentile(ordered: Sequence[float], share: float) -> float:
    """A percentile by linear interpolation between the nearest ranks.

    Args:
        ordered: the values, smallest first; at least one.
        share: the percentile as a share, 0 to 1.
    """
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
