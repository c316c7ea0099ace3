"""``python -m tests.bench``: every benchmark that docs/benchmarks.md keeps, each a ratio or a share of a core."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.execution.planning import plan
from orchestrator.manifest.store import Manifest
from orchestrator.reconcile import survey
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.docker import Docker, find_docker
from runners.contract.paths import RESULT
from tests.bench.containers import dispatch_overhead
from tests.bench.opening import opening
from tests.bench.pairs import HEADER, Row, cpu_and_peak, machine, ratios, wall_s
from tests.bench.parallel import parallel_overhead
from tests.bench.sampler import sampler_cpu_share

EXPERIMENTS = 100_000


def declared(experiments: int) -> dict[str, object]:
    """A campaign of this many experiments (a multiple of 100)."""
    return {
        "name": "bench",
        "model": "demo:smollm2-135m",
        "workload": {"prompts": 100_000, "input_tokens": list(range(1, experiments // 100 + 1))},
        "shared": {"batch_size": list(range(1, 26))},
        "backends": {"pytorch": {"dtype": ["float32", "bfloat16"], "attn_implementation": ["eager", "sdpa"]}},
    }


def command_line() -> Row:
    ours = [str(Path(sys.executable).parent / "orchestrate"), "--help"]
    theirs = [sys.executable, "-c", "import click"]
    values, other = ratios(lambda: wall_s(ours), lambda: wall_s(theirs), 30)
    note = f"`python -c 'import click'`: {median(other) * 1e3:.0f} ms"
    return Row("`orchestrate --help`, wall time", "×", values, 2, note)


_OURS = """
import sys, json
from pathlib import Path
from orchestrator.campaign.load import load_campaign
from orchestrator.execution.planning import plan
start()
manifest, funnel = plan(load_campaign(sys.argv[1]), Path(sys.argv[2]) / "ours.db")
assert funnel.experiments == int(sys.argv[3])
"""

_BARE = """
import sys, json, hashlib, itertools, sqlite3, os
from pathlib import Path
from runners.contract.request import Experiment
declared = json.loads(Path(sys.argv[1]).read_text())
path = Path(sys.argv[2]) / "bare.db"
path.unlink(missing_ok=True)
start()
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = OFF")
connection.execute("PRAGMA synchronous = OFF")
connection.execute("CREATE TABLE experiments (position INTEGER PRIMARY KEY, id TEXT, config TEXT)")
connection.execute("BEGIN")
own = declared["backends"]["pytorch"]
own["input_tokens"], own["batch_size"] = declared["workload"]["input_tokens"], declared["shared"]["batch_size"]
axes = [own[name] for name in ("input_tokens", "batch_size", "dtype", "attn_implementation")]
for position, (tokens, batch, dtype, attention) in enumerate(itertools.product(*axes)):
    experiment = Experiment.model_validate({
        "model": declared["model"],
        "workload": {"prompts": declared["workload"]["prompts"], "input_tokens": tokens},
        "options": {"backend": "pytorch", "batch_size": batch, "dtype": dtype, "attn_implementation": attention},
    })
    text = json.dumps(experiment.model_dump(), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    connection.execute("INSERT INTO experiments VALUES (?, ?, ?)", (position, digest, text))
connection.execute("COMMIT")
"""


def planning(folder: Path) -> Iterator[Row]:
    file = folder / "bench.yaml"
    file.write_text(json.dumps(declared(EXPERIMENTS)))
    arguments = (str(file), str(folder), str(EXPERIMENTS))
    peaks = []

    def ours() -> float:
        seconds, peak = cpu_and_peak(_OURS, *arguments)
        peaks.append(peak / 2**20)
        return seconds

    values, other = ratios(ours, lambda: cpu_and_peak(_BARE, *arguments)[0], 5)
    yield Row(f"plan {EXPERIMENTS:,} experiments, CPU time", "×", values, 2, f"bare loop: {median(other):.2f} s")
    yield Row(f"plan {EXPERIMENTS:,} experiments, peak memory", "MiB", peaks[1:], 300)


def transitions(large: Manifest, small: Manifest, folder: Path) -> Iterator[Row]:
    bare = sqlite3.connect(folder / "transition.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT)")
    bare.executemany("INSERT INTO runs VALUES (?, 'pending')", ((index,) for index in range(100)))
    # SQLite writes nothing where a row does not change, so each update gives a new value.
    counter = iter(range(10**9))

    def transition(manifest: Manifest) -> float:
        index = next(counter) % 100
        started_s = time.perf_counter()
        manifest.begin_attempt(index, 1)
        return time.perf_counter() - started_s

    def bare_transaction() -> float:
        index = next(counter)
        started_s = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("UPDATE runs SET status = ? WHERE id = ?", (f"running {index}", index % 100))
        bare.execute("COMMIT")
        return time.perf_counter() - started_s

    values, other = ratios(lambda: transition(large), bare_transaction, 500)
    note = f"bare transaction: {median(other) * 1e3:.2f} ms"
    yield Row(f"a durable transition among {EXPERIMENTS:,}, against a bare transaction", "×", values, 3, note)
    values, other = ratios(lambda: transition(large), lambda: transition(small), 500)
    note = f"among 100: {median(other) * 1e3:.2f} ms"
    yield Row(f"a durable transition among {EXPERIMENTS:,}, against one among 100", "×", values, 1.5, note)


def resuming(manifest: Manifest, folder: CampaignFolder) -> Row:
    """Half of the campaign is complete on the disk."""
    folder.make()
    changes = []
    for order_index, experiment_id, cycle, _ in manifest.standing()[: EXPERIMENTS // 2]:
        run = folder.run_folder(experiment_id, cycle)
        run.mkdir(parents=True)
        (run / RESULT).touch()
        changes.append((order_index, "completed", folder.relative(run)))
    manifest._connection.executemany("UPDATE runs SET status = ?2, result_path = ?3 WHERE order_index = ?1", changes)
    query = "SELECT order_index, experiment_id, cycle, status FROM runs JOIN experiments USING (position)"

    def ours() -> float:
        started_s = time.perf_counter()
        standing = survey(manifest, folder)
        elapsed_s = time.perf_counter() - started_s
        assert len(standing.pending) == EXPERIMENTS // 2
        return elapsed_s

    def bare() -> float:
        started_s = time.perf_counter()
        manifest._connection.execute(query).fetchall()
        folder.published()
        return time.perf_counter() - started_s

    values, other = ratios(ours, bare, 7)
    return Row("deciding what to resume there", "×", values, 3, f"select and listing: {median(other):.2f} s")


def main() -> None:
    """Print the table."""
    print(f"Machine: {machine()}\n\n{HEADER}")
    folder = Path(tempfile.mkdtemp(prefix="orchestrate-bench-", dir="."))
    try:
        print(command_line(), flush=True)
        for row in planning(folder):
            print(row, flush=True)
        large, _ = plan(campaign_from_mapping(declared(EXPERIMENTS)), folder / "large.db")
        small, _ = plan(campaign_from_mapping(declared(100)), folder / "small.db")
        with large, small:
            for row in transitions(large, small, folder):
                print(row, flush=True)
            print(resuming(large, CampaignFolder(folder / "results")), flush=True)
        place = folder / "containers"
        place.mkdir()
        print(
            dispatch_overhead(place.resolve())
            if isinstance(find_docker(), Docker)
            else "Containers: no Docker engine here",
            flush=True,
        )
        place = folder / "parallel"
        place.mkdir()
        print(parallel_overhead(place.resolve()), flush=True)
        place = folder / "opening"
        place.mkdir()
        for row in opening(place.resolve()):
            print(row, flush=True)
        shares = sampler_cpu_share(runs=5, seconds=20)
        print(Row("sampler at 10 Hz, share of one core", "%", shares, 1), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
