"""What each request of a run took, read back from its file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.series import read_columns
from runners.contract.paths import REQUESTS


@dataclass(frozen=True, slots=True)
class RequestLatencies:
    """Latencies of a run's requests, in the order they were asked."""

    batches: Sequence[int]
    """The batch that each was answered in."""
    seconds: Mapping[str, Sequence[float]]
    """By quantity, such as ``ttft_s``: one a request; NaN where the engine does not tell."""


def read_latencies(folder: Path) -> RequestLatencies:
    """The latencies that follow from ``requests.parquet``, from the begin of a request's batch.

    Args:
        folder: a run folder.

    Raises:
        InputError: the file is missing or broken.
    """
    ends = {"ttft_s": "first_token_s", "e2e_s": "end_s", "queue_s": "begun_s"}
    rows = read_columns(folder / REQUESTS, ["batch", "start_s", *ends.values()])
    seconds = {
        name: [math.nan if row[place] is None else row[place] - row[1] for row in rows]
        for place, name in enumerate(ends, start=2)
    }
    return RequestLatencies([row[0] for row in rows], seconds)
