"""A run by hand: `python -m runners BACKEND` with flags, as a process."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import load_results
from runners.contract import fingerprint
from runners.contract.request import RunRequest
from runners.contract.result import RunFailure, RunResult
from runners.standalone import results_folder
from tests.builders import call

QUICK = ("--model", "org/m", "--prompts", "4", "--output-tokens", "8", "--tokens-per-s", "2000", "--batch-size", "2")
FILES = {
    *("request.json", "result.json", "timeseries.parquet", "counters.parquet", "requests.parquet"),
    *("events.jsonl", "runner.log"),
}


def argv(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "runners", *arguments]


def run(*arguments: str | Path, results: str = "results", **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ORCHESTRATE_RESULTS_DIR": results, **environment}
    return subprocess.run(argv(*arguments), capture_output=True, text=True, env=environment, timeout=120, check=False)


def the(pattern: str) -> Path:
    """The one path that a pattern finds."""
    (found,) = Path().glob(pattern)
    return found


def test_a_run_by_hand_lands_among_the_single_runs() -> None:
    # A window of a third of a second: of few milliseconds, a busy machine may miss what it needs.
    unhurried = ("--tokens-per-s", "50", "--sample-hz", "100")
    done = run("simulated", *QUICK, *unhurried, "--seed", "5", "--warmup-iterations", "0")
    assert done.returncode == 0, done.stderr
    folder = the("results/adhoc/runs/*/*")
    assert folder.name == "c001"
    assert {path.name for path in folder.iterdir()} == FILES
    assert list(Path("results/adhoc/attempts").iterdir()) == []

    *figures, last = done.stdout.splitlines()
    assert last == f"Files: {folder}"
    assert figures[0].startswith("energy per output token: ")
    assert figures[0].endswith(" J/token  (simulated: no engine ran)")
    assert "verdict:                 good" in figures
    assert any(line.startswith("check energy_measured failed (warning): simulated") for line in figures)

    assert done.stderr.splitlines()[0] == "running on the CPU"
    assert "the window opens: 4 requests in batches of 2" in done.stderr.splitlines()
    assert "INFO runners: the window opens" in (folder / "runner.log").read_text()

    (result,) = load_results(Path("results/adhoc"))
    assert (result.campaign, result.cycle, result.attempt, result.requests) == ("adhoc", 1, 1, 4)
    assert result.warmup.iterations == 0
    request = RunRequest.model_validate_json((folder / "request.json").read_bytes())
    assert (request.seed, request.gpus, request.image_digest) == (5, [], None)
    assert json.loads((folder / "events.jsonl").read_text().splitlines()[0])["phase"] == "prepare"


def test_the_same_flags_are_the_same_experiment_here_and_on_the_host() -> None:
    Path("p.jsonl").write_text("".join(json.dumps({"q": f"prompt {n}"}) + "\n" for n in range(4)))
    flags = (*QUICK, "--dataset", "p.jsonl", "--column", "q", "--power-w", "5", "--spread", "0")
    here = run("simulated", *flags)
    assert here.returncode == 0, here.stderr
    there = call("run", "--backend", "simulated", *flags, "--quiet")
    assert there.returncode == 0, there.stderr
    assert {path.name for path in the("results/adhoc/runs/*").iterdir()} == {"c001", "c002"}
    by_hand, by_host = load_results(Path("results/adhoc"))
    assert by_hand.experiment == by_host.experiment
    assert by_hand.experiment.workload.dataset_sha256 == fingerprint.of_file(Path("p.jsonl"))
    assert by_hand.input_tokens == by_host.input_tokens


def test_a_failure_keeps_its_attempt_and_tells_what_to_do() -> None:
    done = run("simulated", *QUICK, "--fail", "out_of_memory")
    assert done.returncode == 12
    assert done.stdout == ""
    attempt = the("results/adhoc/attempts/*")
    assert attempt.name.endswith(".c001.a1")
    assert list(Path("results/adhoc/runs").iterdir()) == []
    failure = RunFailure.model_validate_json((attempt / "failure.json").read_bytes())
    error, hint, left = done.stderr.splitlines()[-3:]
    assert error == f"error: out_of_memory: {failure.message}"
    assert hint == f"hint: {failure.hint}"
    assert left.endswith(str(attempt))
    assert "Traceback" not in done.stderr
    assert "Traceback" in (attempt / "runner.log").read_text()
    assert run("simulated", *QUICK, "--fail", "out_of_memory").returncode == 12
    assert len(list(Path("results/adhoc/attempts").iterdir())) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_is_recorded(number: int) -> None:
    started = argv("simulated", *QUICK, "--load-s", "60")
    environment = {**os.environ, "ORCHESTRATE_RESULTS_DIR": "results"}
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr
        while "loading" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert f"error: interrupted: interrupted by {signal.Signals(number).name}" in err
    assert "Traceback" not in err
    attempt = the("results/adhoc/attempts/*")
    assert json.loads((attempt / "failure.json").read_text())["kind"] == "interrupted"


def test_a_run_that_is_there_first_stays() -> None:
    started = argv("simulated", *QUICK, "--load-s", "1")
    environment = {**os.environ, "ORCHESTRATE_RESULTS_DIR": "results"}
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr
        while "loading" not in process.stderr.readline():
            assert process.poll() is None
        attempt = the("results/adhoc/attempts/*")
        first = Path("results/adhoc/runs") / attempt.name.removesuffix(".c001.a1") / "c001"
        first.mkdir(parents=True)
        (first / "result.json").write_text("first")
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "was there first" in err
    assert out.splitlines()[-1] == f"Files: {attempt}"
    assert (first / "result.json").read_text() == "first"
    RunResult.model_validate_json((attempt / "result.json").read_bytes())


def test_a_run_that_cannot_be_published_is_told_and_kept() -> None:
    (first,) = [line for line in run("simulated", *QUICK).stdout.splitlines() if line.startswith("Files: ")]
    experiment = Path(first.removeprefix("Files: ")).parent
    (experiment / "c001").rename("aside")
    experiment.rmdir()
    experiment.touch()
    done = run("simulated", *QUICK)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: results/adhoc cannot be written: File exists" in done.stderr
    assert f"the run is complete in {the('results/adhoc/attempts/*')}" in done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_reads_the_figures_may_go_away() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "ORCHESTRATE_RESULTS_DIR": "results"}
    done = subprocess.run(
        argv("simulated", *QUICK), stdout=writer, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert the("results/adhoc/runs/*/c001").is_dir()


WRONG: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "no backend": ((), ["backend"]),
    "unknown backend": (("pytorhc", "--model", "m"), ["'pytorhc'", "'pytorch'", "'simulated'"]),
    "no model": (("simulated",), ["name a model with --model", "--model demo:smollm2-135m"]),
    "no value": (("simulated", "--model"), ["--model: expected one argument"]),
    "a wrong value": (("simulated", "--model", "m", "--batch-size", "many"), ["error: --batch-size: ", "'many'"]),
    "two wrong values": (("simulated", "--model", "m", "--prompts", "0", "--seed", "-1"), ["--prompts:", "--seed:"]),
    "an unknown flag": (
        ("simulated", "--model", "m", "--bach-size=4"),
        ["simulated has no parameter --bach-size", "did you mean '--batch-size'?"],
    ),
    "a shortened flag": (("simulated", "--model", "m", "--batch", "4"), ["simulated has no parameter --batch"]),
    "a foreign flag": (("simulated", "--model", "m", "--dtype", "float32"), ["simulated has no parameter --dtype"]),
    "a word": (("simulated", "--model", "m", "word"), ["unexpected argument 'word'"]),
    "a broken rule": (("simulated", "--model", "m", "--prompts", "1", "--batch-size", "2"), ["batch-exceeds-prompts"]),
    "no name of a model": (("simulated", "--model", "a b"), ["--model: 'a b' names no model", "ORG/NAME"]),
    "an unknown demo model": (("simulated", "--model", "demo:x"), ["--model: unknown demo model", "demo:smollm2-135m"]),
    "no model folder": (("pytorch", "--model", "./none"), ["--model: ", "/none holds no config.json", "/inputs"]),
    "nobody's home": (("pytorch", "--model", "~nobody-at-all/m"), ["--model: ", "leads nowhere"]),
    "no dataset": (("simulated", "--model", "m", "--dataset", "prompts"), ["--dataset: unknown dataset 'prompts'"]),
    "no prompt file": (
        ("simulated", "--model", "m", "--dataset", "p.jsonl"),
        ["--dataset: ", "p.jsonl cannot be read"],
    ),
    "a request and flags": (("simulated", "--request", "r.json", "--model", "m"), ["unrecognized arguments: --model"]),
    "no request": (("simulated", "--request"), ["--request: expected one argument"]),
    "a missing folder": (("simulated", "--request", "none/r.json"), ["none cannot be written: No such file"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_flags(case: str) -> None:
    flags, told = WRONG[case]
    done = run(*flags)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(part in done.stderr for part in told), done.stderr
    assert len(done.stderr) < 800
    assert list(Path().iterdir()) == []


def test_prompts_that_are_too_few_are_told_with_their_number() -> None:
    Path("p.jsonl").write_text('"one"\n')
    done = run("simulated", "--model", "m", "--dataset", "p.jsonl")
    assert done.returncode == 2
    assert "error: bad_request: p.jsonl has 1 prompts" in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("pytorch", "--help"), ("simulated", "-h")])
def test_help(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, COLUMNS="80")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m runners ")
    assert "results/adhoc" in done.stdout
    assert "--request PATH/request.json" in done.stdout
    assert ("--attn-implementation VALUE" in done.stdout) == (arguments[0] == "pytorch")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_where_results_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("runners.contract.paths.CONTAINER_RESULTS", str(tmp_path / "mounted"))
    assert results_folder({"ORCHESTRATE_RESULTS_DIR": "/x"}) == Path("/x")
    assert results_folder({}) == results_folder({"ORCHESTRATE_RESULTS_DIR": ""}) == Path("results")
    (tmp_path / "mounted").mkdir()
    assert results_folder({}) == tmp_path / "mounted"


def test_results_that_are_no_folder_are_told() -> None:
    Path("file").touch()
    done = run("simulated", *QUICK, results="file")
    assert done.returncode == 2
    assert done.stderr.startswith("error: file cannot be written: Not a directory\nhint: ")


@pytest.mark.parametrize("mode", ["by hand", "--request"])
def test_a_disk_that_is_full_before_anything_is_written(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or mount.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"nr_inodes=1"):
        pytest.skip("needs root and the right to mount a tmpfs")
    try:
        flags = ["--request", folder / "request.json"] if mode == "--request" else QUICK
        done = run("simulated", *flags, results=str(folder))
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    assert done.returncode == 14, done.stderr
    assert done.stderr.startswith(f"error: {folder} cannot be written: No space left on device\nhint: free space")


@pytest.mark.engine
def test_a_local_model_on_the_real_engine_is_the_same_experiment_here_and_on_the_host() -> None:
    from runners.backends.demo import demo_folder

    model = str(demo_folder("smollm2-135m"))
    flags = ["--model", model, "--prompts", "2", "--output-tokens", "4", "--batch-size", "2", "--dtype", "float32"]
    here = run("pytorch", *flags)
    assert here.returncode == 0, here.stderr
    assert "(estimated, not measured)" in here.stdout or "(measured by " in here.stdout
    there = call("run", "--backend", "pytorch", *flags, "--quiet")
    assert there.returncode == 0, there.stderr
    assert {path.name for path in the("results/adhoc/runs/*").iterdir()} == {"c001", "c002"}
    by_hand, by_host = load_results(Path("results/adhoc"))
    assert by_hand.experiment == by_host.experiment
    assert by_hand.experiment.model_sha256 == fingerprint.of_model(Path(model))
    assert by_hand.effective_config["dtype"] == "float32"
    assert by_hand.environment.environment_id == by_host.environment.environment_id
