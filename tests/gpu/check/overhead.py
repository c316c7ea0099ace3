"""Throughput with metering on against off.

The child, ``python -m tests.gpu.check.overhead JSON``, generates with the project's own backend, in pairs whose
order alternates; with metering on, the sampler runs and is read as the harness reads it. The JSON has ``request``
(a RunRequest), ``pairs``, ``seconds`` (of each side) and ``samples`` (a file). For each pair it says
``{"off", "on", "cpu"}``: tokens a second of each side, and the sampler's share of a core.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from runners.backends.base import Backend
from runners.backends.create import create
from runners.contract.request import RunRequest
from runners.harness.sampling import Sampler
from runners.meters.choose import Spec
from tests.bench.pairs import median_interval
from tests.gpu.check.children import Child, PartError, say
from tests.gpu.check.plan import Plan
from tests.gpu.check.report import Part, Table, at_least, at_most, shown
from tests.gpu.check.requests import Runs

LEAST_RATIO = 0.99
_TOKEN_IDS = 250
_WARM = 3
_SETTLE_S = 1.0
_START_S = 120.0
_FEWEST_PAIRS = 6


def overhead_part(runs: Runs, plan: Plan, folder: Path) -> Part:
    """Starts the child, and makes a part of what it says."""
    asked = {
        "request": runs.request().model_dump_json(),
        "pairs": plan.pairs,
        "seconds": plan.generation_s,
        "samples": str(folder / "overhead.jsonl"),
    }
    limit_s = _START_S + plan.pairs * (4 * plan.generation_s + 15.0)
    try:
        with Child("tests.gpu.check.overhead", [json.dumps(asked)], folder, runs.machine.variables) as child:
            pairs = child.finish(limit_s)
    except PartError as error:
        return Part("Throughput with metering on against off", failure=str(error))
    return part_of(pairs)


def part_of(pairs: list[dict[str, Any]]) -> Part:
    """The part of the pairs that the child said."""
    ratios = [pair["on"] / pair["off"] for pair in pairs]
    low, high = median_interval(ratios)
    first, _, third = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    rows = [
        (str(number), shown(pair["off"]), shown(pair["on"]), shown(ratio), shown(pair["cpu"], 100, " %"))
        for number, (pair, ratio) in enumerate(zip(pairs, ratios, strict=True), start=1)
    ]
    columns = ("pair", "tokens/s, metering off", "tokens/s, metering on", "on ÷ off", "sampler, share of a core")
    certain = "at least 95 %" if len(ratios) >= _FEWEST_PAIRS else "less than 95 %: too few pairs"
    shares = [pair["cpu"] for pair in pairs]
    return Part(
        "Throughput with metering on against off",
        [Table(columns, rows)],
        [
            at_least("throughput with metering on ÷ off, median", LEAST_RATIO, median(ratios)),
            at_most("sampler's CPU time while generating, share of a core", 0.01, median(shares), " %", 100),
        ],
        [
            f"on ÷ off: median {median(ratios):.4f}, quartiles {first:.4f} and {third:.4f},"
            f" interval of the median {low:.4f} to {high:.4f} (from order statistics, confidence {certain})",
        ],
    )


def main() -> None:
    """Generates."""
    asked = json.loads(sys.argv[1])
    request = RunRequest.model_validate_json(asked["request"])
    backend = create(request, lambda: None)
    backend.prepare()
    backend.load()
    generation = _Generation(backend, request)
    batches = generation.calibrated(asked["seconds"])
    for number in range(asked["pairs"]):
        sides = {}
        for metered in (number % 2 == 1, number % 2 == 0):
            sides["on" if metered else "off"] = generation.measured(batches, metered, asked["samples"])
        (off, _), (on, share) = sides["off"], sides["on"]
        say({"off": off, "on": on, "cpu": share})


class _Generation:
    def __init__(self, backend: Backend, request: RunRequest) -> None:
        workload = request.experiment.workload
        numbers = random.Random(0)
        size, length = request.experiment.options.batch_size, workload.input_tokens or 1
        self._prompts = [[numbers.randrange(_TOKEN_IDS) for _ in range(length)] for _ in range(size)]
        self._tokens = size * workload.output_tokens
        self._backend = backend
        self._uuids = [gpu.uuid for gpu in request.gpus]

    def calibrated(self, seconds: float) -> int:
        """How many batches take about so long, once warm."""
        for _ in range(_WARM):
            batch = self._backend.generate(self._prompts)
        return max(1, round(seconds / (batch.end_s - batch.start_s)))

    def measured(self, batches: int, metered: bool, samples: str) -> tuple[float, float]:
        """Tokens a second, and the sampler's share of a core; 0 where it does not run."""
        with ExitStack() as opened:
            sampler = None
            if metered:
                sampler = opened.enter_context(Sampler(self._spec(samples)))
                sampler.follow(time.monotonic())
            time.sleep(_SETTLE_S)
            self._backend.generate(self._prompts)  # clocks fall while it settles
            self._backend.synchronize()
            start_s = time.monotonic()
            for _ in range(batches):
                self._backend.generate(self._prompts)
                if sampler:
                    sampler.power_w()
                    sampler.check()
            self._backend.synchronize()
            end_s = time.monotonic()
            share = _share(sampler, start_s) if sampler else 0.0
        return batches * self._tokens / (end_s - start_s), share

    def _spec(self, samples: str) -> Spec:
        Path(samples).unlink(missing_ok=True)
        return Spec(
            samples=samples,
            sample_hz=10.0,
            runner_pid=os.getpid(),
            gpu_uuids=self._uuids,
            cpu_tdp_w=None,
            simulated_power_w=None,
            meter="nvml",
        )


def _share(sampler: Sampler, start_s: float) -> float:
    """Of one core, from the last sample before a moment on."""
    sampler.follow(time.monotonic())
    ticks = [tick for tick in sampler.recording().ticks if tick.cpu_s is not None]
    before = [tick for tick in ticks if tick.t_s <= start_s][-1]
    last = ticks[-1]
    assert before.cpu_s is not None
    assert last.cpu_s is not None
    return (last.cpu_s - before.cpu_s) / (last.t_s - before.t_s)


if __name__ == "__main__":
    main()
