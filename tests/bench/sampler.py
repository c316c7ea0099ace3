"""The sampler's own CPU time, as it says itself: read from the samples of a real one."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from runners.harness.sampling import Sampler
from runners.meters.choose import Spec


def sampler_cpu_share(runs: int, seconds: float) -> list[float]:
    """Share of one core that the sampler takes at 10 Hz between its first and last sample, in percent."""
    return [_share(seconds) for _ in range(runs)]


def _share(seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.jsonl"
        spec = Spec(
            samples=str(samples),
            sample_hz=10.0,
            runner_pid=os.getpid(),
            gpu_uuids=[],
            cpu_tdp_w=None,
            simulated_power_w=None,
        )
        with Sampler(spec):
            time.sleep(seconds)
        ticks = [json.loads(line) for line in samples.read_text().splitlines()]
    first, last = ticks[0], ticks[-1]
    assert len(ticks) >= 9 * seconds
    return 100 * (last["cpu_s"] - first["cpu_s"]) / (last["t_s"] - first["t_s"])
