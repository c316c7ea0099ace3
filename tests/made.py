"""Campaigns whose truth is known, since they were made up: run folders with nothing but a result in them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.results.folders import CampaignFolder
from runners.contract.paths import RESULT, run_id
from runners.contract.request import Experiment
from runners.contract.result import RunResult
from tests.builders import begun, experiment, identity, run_result

Noise = Callable[[random.Random], float]
"""A factor around 1."""
_TOKENS = 2048
_START = datetime(2026, 1, 2, tzinfo=UTC)


def lognormal(sigma: float) -> Noise:
    return lambda chance: math.exp(chance.gauss(0.0, sigma))


@dataclass(frozen=True, slots=True)
class Point:
    """An experiment, and the truth about it."""

    of: Experiment
    joules_per_token: float
    ttft_s: float = 0.02
    noise: Noise = field(default=lognormal(0.02))
    memory_bytes: int = 512 * 2**20


def points(joules: Sequence[float], backend: str = "simulated", **options: Any) -> list[Point]:
    """Experiments that differ in their batch size."""
    return [Point(experiment(backend, batch_size=2**n, **options), value) for n, value in enumerate(joules)]


def made_results(
    name: str,
    of: Sequence[Point],
    cycles: int,
    *,
    seed: int = 0,
    per_cycle: float = 0.0,
    gpus: Sequence[str] = (),
    gpu_factors: Sequence[float] = (),
    **changes: Any,
) -> list[RunResult]:
    """The results of a campaign in interleaved order.

    Args:
        name: of the campaign.
        of: its experiments.
        cycles: how many.
        seed: of the noise.
        per_cycle: relative drift of energy from one cycle to the next.
        gpus: UUIDs; experiments take turns on them, as a Latin square does.
        gpu_factors: how much more than its due each spends.
        changes: fields of each result.
    """
    chance = random.Random(seed)
    results = []
    for cycle in range(1, cycles + 1):
        for place, point in enumerate(of):
            joules = point.joules_per_token * point.noise(chance) * (1 + per_cycle) ** (cycle - 1)
            on: list[dict[str, Any]] = []
            if gpus:
                unit = (place + cycle) % len(gpus)
                joules *= gpu_factors[unit] if gpu_factors else 1.0
                energy = dict.fromkeys(("energy_j", "energy_low_j", "energy_high_j"), joules * _TOKENS)
                on = [{"uuid": gpus[unit], "name": "a GPU", **energy}]
            results.append(_result(name, point, cycle, len(results), joules, chance, on, changes))
    return results


def made_campaign(results: Path, name: str, of: Sequence[Point], cycles: int, **options: Any) -> CampaignFolder:
    """Such a campaign in a project's results folder; the options are those of :func:`made_results`."""
    folder = CampaignFolder(results / name)
    folder.make()
    for result in made_results(name, of, cycles, **options):
        write_result(folder, result)
    begun(results, name)
    return folder


def write_result(folder: CampaignFolder, result: RunResult) -> Path:
    """A complete run of that result."""
    path = folder.run_folder(result.experiment_id, result.cycle)
    path.mkdir(parents=True)
    (path / RESULT).write_text(json.dumps(result.model_dump(mode="json")))
    return path


def _result(
    name: str,
    point: Point,
    cycle: int,
    order_index: int,
    joules: float,
    chance: random.Random,
    gpus: list[dict[str, Any]],
    changes: dict[str, Any],
) -> RunResult:
    ttft_s = point.ttft_s * math.exp(chance.gauss(0.0, 0.03))
    rate = 200.0 / joules * math.exp(chance.gauss(0.0, 0.01))
    started = _START + timedelta(minutes=order_index)
    latency = {"mean": ttft_s, "p50": ttft_s, "p90": 1.3 * ttft_s, "p95": 1.4 * ttft_s, "p99": 1.6 * ttft_s}
    fields: dict[str, Any] = {
        "campaign": name,
        "run_id": run_id(identity(point.of), cycle),
        "order_index": order_index,
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(seconds=50)).isoformat(),
        "order": "interleaved",
        "gpus": gpus,
        "energy_j": joules * _TOKENS,
        "energy_low_j": joules * _TOKENS * 0.99,
        "energy_high_j": joules * _TOKENS * 1.01,
        "energy_per_output_token_j": joules,
        "energy_per_total_token_j": joules / 3,
        "energy_per_request_j": joules * 64,
        "energy_prefill_j": None,
        "energy_decode_j": None,
        "tokens_per_j": 1 / joules,
        "output_tokens_per_s": rate,
        "duration_s": _TOKENS / rate,
        "power_mean_w": joules * rate,
        "ttft_s": latency,
        "memory_peak_bytes": point.memory_bytes,
        "output_sha256": "a" * 64,
    }
    return run_result(point.of, cycle=cycle, **{**fields, **changes})
