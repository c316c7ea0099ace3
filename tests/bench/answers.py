"""What answers cost over 10,000 finished runs: time as a ratio to what their imports cost alone, and peak memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

from orchestrator.results.folders import CampaignFolder
from runners.contract.paths import TIMESERIES
from tests.bench.pairs import HEADER, Row, machine, ratios, wall_s
from tests.builders import experiment
from tests.made import Point, made_campaign

RUNS, CYCLES = 10_000, 10
NAME = "many"
_PREFILL_S, _DECODE_S = 0.02, 0.1
_BATCHES = 40


def finished_campaign(results: Path, name: str = NAME, runs: int = RUNS, cycles: int = CYCLES) -> CampaignFolder:
    """A campaign of so many runs over two backends and five parameters, each with a recorded power.

    Args:
        results: a project's results folder.
        name: of the campaign.
        runs: how many, a multiple of the cycles.
        cycles: how many.
    """
    of = [point for _, point in zip(range(runs // cycles), _points(), strict=False)]
    marks = [{"phase": "window", "start_s": 0.0, "end_s": _BATCHES * (_PREFILL_S + _DECODE_S)}]
    for batch in range(_BATCHES):
        start_s = batch * (_PREFILL_S + _DECODE_S)
        marks.append({"phase": "prefill", "start_s": start_s, "end_s": start_s + _PREFILL_S})
        marks.append({"phase": "decode", "start_s": start_s + _PREFILL_S, "end_s": start_s + _PREFILL_S + _DECODE_S})
    folder = made_campaign(results, name, of, cycles, marks=marks)
    series = results / "series.parquet"
    _write_series(series)
    for run in folder.runs.glob("*/*"):
        os.link(series, run / TIMESERIES)
    series.unlink()
    return folder


def _points() -> Iterator[Point]:
    axes = product(("float32", "bfloat16"), ("eager", "sdpa"), (32, 64, 128, 256, 512), range(1, 26))
    for dtype, attention, tokens, size in axes:
        workload = {"output_tokens": tokens}
        joules = (0.5 if dtype == "float32" else 0.3) / size**0.5
        of = experiment("pytorch", workload=workload, dtype=dtype, attn_implementation=attention, batch_size=size)
        yield Point(of, joules * (1.0 if attention == "sdpa" else 1.1))
        yield Point(
            experiment(
                "vllm",
                workload=workload,
                dtype=dtype,
                max_num_seqs=size,
                max_model_len=tokens + 512 if attention == "sdpa" else tokens + 1024,
            ),
            joules * 0.8,
        )


def _write_series(path: Path) -> None:
    """Power of one GPU over a minute, ten times a second."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    moments = [number / 10 for number in range(600)]
    table = pa.table(
        {"source": ["gpu0"] * 600, "t_s": moments, "power_w": [100.0 + number % 7 for number in range(600)]}
    )
    pq.write_table(table, path)


def peak_mib(argv: list[str]) -> float:
    """Peak memory of a whole process."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code, *argv], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def rows(project: Path, pairs: int = 7) -> Iterator[Row]:
    """A row for each answer's time, and one for its memory."""
    ours = str(Path(sys.executable).parent / "orchestrate")
    out = str(project / "out")
    answers = [
        (["results", "list", NAME], "pandas", 3),
        (["results", "list", NAME, "--group-by", "backend"], "pandas, scipy.special", 3),
        (["results", "export", NAME, "-o", f"{out}.parquet"], "pandas, pyarrow.parquet", 3),
        (["compare", NAME, "--group-by", "backend"], "pandas, scipy.special", 3),
        (["compare", NAME], "pandas, scipy.special, orchestrator.report.compared", 3),
        (["best", NAME], "pandas, scipy.special, scipy.stats", 3),
        (["report", NAME, "--output", f"{out}.html"], "pandas, scipy.special, scipy.stats, vl_convert", 30),
    ]
    for words, modules, target in answers:
        argv = [ours, *words, "--project-dir", str(project)]
        theirs = [sys.executable, "-c", f"import {modules}"]
        values, other = ratios(partial(wall_s, argv), partial(wall_s, theirs), pairs)
        named = [word for word in words if not word.startswith(str(project))]
        what = f"`orchestrate {' '.join(named)}` of {RUNS:,} runs"
        yield Row(f"{what}, wall time", "×", values, target, f"`import {modules}`: {median(other):.2f} s")
        yield Row(f"{what}, peak memory", "MiB", [peak_mib(argv)], 500)


def main() -> None:
    """Print the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    print(f"Machine: {machine()}\n\n{HEADER}")
    project = Path(tempfile.mkdtemp(prefix="orchestrate-bench-", dir=".")).resolve()
    try:
        (project / ".orchestrate.yaml").touch()
        finished_campaign(project / "results")
        for row in rows(project):
            print(row, flush=True)
    finally:
        shutil.rmtree(project)


if __name__ == "__main__":
    main()
