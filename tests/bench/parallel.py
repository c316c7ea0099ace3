"""What several runs at once cost beside their bare commands: a campaign in eight slots, and ``xargs -P 8``.

python -m tests.bench.parallel [--quick]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.system.simulated_gpu.build import build, environment
from orchestrator.system.simulated_gpu.settings import SimulatedGpu, Simulation, uuid_of
from runners.contract.paths import ENV_VISIBLE_GPUS, REQUEST
from tests.bench.pairs import HEADER, Row, machine

SLOTS = 8
RUNS = 400
RUN_S = 2.0
_TOKENS = 20


def parallel_overhead(folder: Path, runs: int = RUNS, pairs: int = 1) -> Row:
    """Wall time of a campaign against that of the same runner commands, with the same requests and environment.

    The runs sleep for most of their time, so that a few cores serve eight slots.
    """
    build(folder / "gpu", Simulation(tuple(SimulatedGpu(uuid=uuid_of(index)) for index in range(SLOTS))))
    variables = {**os.environ, **environment(folder / "gpu", os.environ)}
    values, bare = [], []
    for pair in range(pairs):
        project = folder / f"pair-{pair}"
        project.mkdir()
        ours_s = _campaign(project, runs, variables)
        theirs_s = _commands(project, variables)
        values.append(ours_s / theirs_s)
        bare.append(theirs_s)
    note = f"xargs: {', '.join(f'{value:.1f}' for value in bare)} s, {runs * RUN_S / SLOTS:.0f} s of them asleep"
    return Row(f"{runs} runs of {RUN_S:g} s in {SLOTS} slots, against `xargs -P {SLOTS}`", "×", values, 1.08, note)


def _campaign(project: Path, runs: int, variables: dict[str, str]) -> float:
    experiments = runs // SLOTS
    speeds = [_TOKENS / RUN_S * (1 + index / 1e6) for index in range(experiments)]
    declared = {
        "name": "bench",
        "model": "any/model",
        "workload": {"prompts": 1, "output_tokens": _TOKENS},
        "measurement": {"warmup": {"iterations": 0}, "baseline_s": 0, "loaded_idle_s": 0},
        "backends": {"simulated": {"tokens_per_s": speeds, "spread": 0}},
        "cycles": SLOTS,
        "parallel": "per-gpu",
    }
    (project / "bench.yaml").write_text(json.dumps(declared))
    command = [str(Path(sys.executable).parent / "orchestrate"), "campaign", "bench.yaml", "--quiet"]
    command += ["--project-dir", str(project)]
    started_s = time.perf_counter()
    subprocess.run(command, cwd=project, env=variables, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def _commands(project: Path, variables: dict[str, str]) -> float:
    """The same requests, each in a folder of its own, in the order and on the GPUs that the campaign had."""
    requests = list((project / "results").glob(f"bench/runs/*/*/{REQUEST}"))
    requests.sort(key=lambda path: json.loads(path.read_text())["order_index"])
    lines = []
    for index, request in enumerate(requests):
        copy = project / "bare" / f"{index:03}"
        copy.mkdir(parents=True)
        shutil.copy2(request, copy)
        (gpu,) = json.loads(request.read_text())["gpus"]
        runner = f"{sys.executable} -m runners simulated --request {copy / REQUEST}"
        lines.append(f"{ENV_VISIBLE_GPUS}={gpu['uuid']} exec {runner} 2>{copy}/runner.log >/dev/null\n")
    started_s = time.perf_counter()
    xargs = ["xargs", "-P", str(SLOTS), "-d", "\n", "-n", "1", "sh", "-c"]
    subprocess.run(xargs, input="".join(lines), text=True, cwd=project, env=variables, check=True)
    elapsed_s = time.perf_counter() - started_s
    done = len(list((project / "bare").glob("*/result.json")))
    assert done == len(requests), f"{done} of {len(requests)} bare runs gave a result"
    return elapsed_s


def main() -> None:
    """Print the row alone."""
    folder = Path(tempfile.mkdtemp(prefix="orchestrate-bench-", dir=".")).resolve()
    print(f"Machine: {machine()}\n\n{HEADER}")
    try:
        print(parallel_overhead(folder, 40 if "--quick" in sys.argv else RUNS), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
