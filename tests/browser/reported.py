"""Reports of made-up campaigns, as files to be opened."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.campaign.schema import Dispatching
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import freeze
from runners.contract.paths import COUNTERS, TIMESERIES
from runners.contract.result import RunResult
from tests.builders import call, campaign, experiment
from tests.made import Point, lognormal, made_results, write_result

_SAMPLES = 600
_SOURCES = [
    {"name": name, "kind": "gpu", "method": "nvml", "scope": "gpu", "uuid": name, "power_limit_w": 400.0}
    for name in ("GPU-1", "GPU-2")
]
_MARKS = [
    {"phase": "baseline", "start_s": 70.0, "end_s": 75.0},
    {"phase": "load", "start_s": 75.0, "end_s": 85.0},
    {"phase": "warmup", "start_s": 90.0, "end_s": 98.0},
    {"phase": "window", "start_s": 100.0, "end_s": 150.0},
    *({"phase": "prefill", "start_s": 100.0 + 5 * batch, "end_s": 100.8 + 5 * batch} for batch in range(10)),
    *({"phase": "decode", "start_s": 100.8 + 5 * batch, "end_s": 105.0 + 5 * batch} for batch in range(10)),
]


def trade_off(experiments: int, backend: str = "simulated", model: str = "org/model") -> list[Point]:
    """Experiments that spend the less energy the later they answer: each is on the front."""
    return [
        Point(
            experiment(backend, model, {"input_tokens": 16 * (1 + number // 6)}, batch_size=2 ** (number % 6)),
            0.3 * 0.9**number + 0.1,
            0.01 * 1.1**number,
            lognormal(0.01),
        )
        for number in range(experiments)
    ]


def made(folder: Path, name: str, points: Sequence[Point], cycles: int, *, series: bool = True) -> Path:
    """A campaign's results in a project's folder, with the power of each run."""
    results = made_results(name, points, cycles, sources=_SOURCES, marks=_MARKS)
    return written(folder, name, results, series=series)


def written(folder: Path, name: str, results: Sequence[RunResult], *, series: bool = False) -> Path:
    """These results in a project's folder."""
    place = CampaignFolder(folder / "results" / name)
    place.make()
    chance = random.Random(1)
    for result in results:
        run = write_result(place, result)
        if series:
            _write_series(run, chance)
    dispatching = Dispatching(dispatcher="local", container_strategy=None)
    freeze(place.campaign_file, campaign(folder, name=name), 2, "0" * 64, dispatching)
    return place.path


def report(folder: Path, name: str, *options: str) -> Path:
    """The report of a campaign there."""
    file = folder / "report.html"
    ended = call("report", name, "--output", file, "--project-dir", folder, *options)
    assert ended.returncode == 0, ended.stderr
    return file


def _write_series(run: Path, chance: random.Random) -> None:
    times = [70.0 + 85.0 * number / _SAMPLES for number in range(_SAMPLES)]
    rows = [
        (source["name"], t_s, (60.0 if t_s < 100 else 250 + 30 * math.sin(t_s)) + 10 * chance.random())
        for source in _SOURCES
        for t_s in times
    ]
    names, at, watts = zip(*rows, strict=True)
    pq.write_table(pa.table({"source": names, "t_s": at, "power_w": watts}), run / TIMESERIES)
    edges = pa.table({"source": names, "earliest_s": at, "latest_s": at, "energy_j": [100.0 * t_s for t_s in at]})
    pq.write_table(edges, run / COUNTERS)
