"""The whole runner as a process, with the backend that needs no engine."""

import ctypes
import errno
import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runners.contract.events import RunnerEvent
from runners.contract.request import RunRequest
from runners.contract.result import RunResult

WORKLOAD = {"prompts": 5, "output_tokens": 20, "input_tokens": 16}
OPTIONS = {"backend": "simulated", "batch_size": 2, "tokens_per_s": 100, "power_w": 40.0}


def wait_for(runner, phase: str) -> None:
    limit_s = time.monotonic() + 20
    while time.monotonic() < limit_s:
        if any(event["phase"] == phase for event in runner.events()):
            return
        time.sleep(0.02)
    pytest.fail(f"the phase {phase} did not begin: {runner.log()}")


def fill(path: Path) -> None:
    """Writes until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def samplers_of(folder: Path) -> list[int]:
    """Living samplers that have this folder's samples open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [str(file.readlink()) for file in (process / "fd").iterdir()]
            is_sampler = b"runners.meters" in (process / "cmdline").read_bytes()
        except OSError:
            continue
        if is_sampler and any(str(folder) in path for path in opened):
            found.append(int(process.name))
    return found


def test_a_run_leaves_a_result_that_can_be_recomputed(runner) -> None:
    runner.write(WORKLOAD, OPTIONS, measurement={"sample_hz": 20}, image_digest="sha256:12")
    environment = {"ORCHESTRATE_CAMPAIGN_NAME": "nightly", "ORCHESTRATE_GIT_COMMIT": "abc"}
    assert runner.run("simulated", **environment) == 0, runner.log()
    result = RunResult.model_validate_json((runner.folder / "result.json").read_text())
    window = next(mark for mark in result.marks if mark.phase == "window")

    assert {path.name for path in runner.folder.iterdir()} == {
        *("request.json", "result.json", "timeseries.parquet", "counters.parquet", "requests.parquet"),
        *("events.jsonl", "runner.log"),
    }
    assert set(result.files) == {"request.json", "timeseries.parquet", "counters.parquet", "requests.parquet"}
    for name, record in result.files.items():
        content = (runner.folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (record.size_bytes, record.sha256)

    truth_j = 40.0 * (window.end_s - window.start_s)
    assert result.energy_j == pytest.approx(truth_j, rel=1e-6)
    assert result.energy_low_j - 1e-6 <= truth_j <= result.energy_high_j + 1e-6
    assert result.energy_prefill_j + result.energy_decode_j <= result.energy_j
    assert (result.energy_method, result.device, result.backend_version) == ("simulated",) * 3
    assert (result.requests, result.input_tokens, result.output_tokens) == (5, 80, 100)
    assert result.ttft_s.mean < result.e2e_s.mean
    assert result.memory_peak_bytes is None
    assert result.verdict == "good"
    assert (result.environment.image_digest, result.environment.git_commit) == ("sha256:12", "abc")
    assert {check.name for check in result.checks if not check.passed} >= {"energy_measured"}

    requests = pq.read_table(runner.folder / "requests.parquet").to_pylist()
    assert [row["batch"] for row in requests] == [0, 0, 1, 1, 2]
    assert len({row["output_sha256"] for row in requests}) == 5
    series = pq.read_table(runner.folder / "timeseries.parquet")
    assert set(series.column("source").to_pylist()) == {"simulated", "runner"}
    assert series.schema.field("power_w").metadata[b"unit"] == b"W"
    assert set(series.column("temperature_c").to_pylist()) == {None}

    events = [RunnerEvent.model_validate(event) for event in runner.events()]
    phases = [event.phase for event in events if event.event == "phase"]
    assert phases == ["prepare", "load", "warmup", "window", "teardown"]
    assert (events[-2].done, events[-2].total, events[-2].power_w) == (5, 5, 40.0)
    assert "Part of campaign nightly" in runner.log().splitlines()[0]
    assert runner.streams.read_bytes() == b""


@pytest.mark.parametrize(("sample_hz", "tokens"), [(100, 20), (20, 1)])
def test_fast_samples_and_a_window_shorter_than_one(runner, sample_hz: float, tokens: int) -> None:
    runner.write(
        {"prompts": 1, "output_tokens": tokens}, OPTIONS | {"batch_size": 1}, measurement={"sample_hz": sample_hz}
    )
    assert runner.run("simulated") == 0, runner.log()
    result = RunResult.model_validate_json((runner.folder / "result.json").read_text())
    assert result.energy_j == pytest.approx(40.0 * result.duration_s, rel=1e-6)
    assert (result.tpot_s is None) == (tokens == 1)


def test_unicode_prompts_from_a_file(runner, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts über.jsonl"
    prompts.write_text(json.dumps({"q": "雪 🌨️ żółć"}, ensure_ascii=False) + "\n", encoding="utf-8")
    runner.write(
        {"prompts": 1, "output_tokens": 3, "dataset": "prompts über.jsonl", "column": "q"},
        OPTIONS | {"batch_size": 1},
        dataset_path=str(prompts),
    )
    assert runner.run("simulated", LC_ALL="C") == 0, runner.log()
    assert runner.json("result.json")["input_tokens"] == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("phase", ["load", "window"])
def test_an_interruption_is_recorded_and_leaves_no_sampler(runner, number: int, phase: str) -> None:
    runner.write(WORKLOAD, OPTIONS | {"tokens_per_s": 1, "load_s": 60 if phase == "load" else 0},
                 measurement={"warmup": {"iterations": 0}})  # fmt: skip
    process = runner.start("simulated")
    wait_for(runner, phase)
    process.send_signal(number)
    assert process.wait(5) == 130
    failure = runner.failure()
    assert (failure.kind.value, failure.run_id) == ("interrupted", "e-1.c001")
    assert not (runner.folder / "result.json").exists()
    assert samplers_of(runner.folder) == []


@pytest.mark.parametrize("by_itself", [False, True])
def test_a_runner_that_is_killed_leaves_no_sampler(runner, by_itself: bool) -> None:
    options = OPTIONS | ({"fail": "crash"} if by_itself else {"tokens_per_s": 1})
    runner.write(WORKLOAD, options, measurement={"sample_hz": 20, "warmup": {"iterations": 0}})
    process = runner.start("simulated")
    wait_for(runner, "window")
    if not by_itself:
        process.kill()
    assert process.wait(10) == -signal.SIGKILL
    limit_s = time.monotonic() + 5
    while samplers_of(runner.folder) and time.monotonic() < limit_s:
        time.sleep(0.02)
    assert samplers_of(runner.folder) == []
    assert not (runner.folder / "failure.json").exists()


@pytest.mark.parametrize(("attempt", "code"), [(1, 12), (2, 0)])
def test_a_failure_in_the_first_attempt_only(runner, attempt: int, code: int) -> None:
    options = OPTIONS | {"fail": "out_of_memory", "fail_attempts": 1, "tokens_per_s": 1000}
    runner.write(WORKLOAD, options, attempt=attempt)
    assert runner.run("simulated") == code, runner.log()
    assert (runner.folder / "failure.json").exists() == bool(code)
    if code:
        assert runner.json("failure.json")["kind"] == "out_of_memory"


def test_a_hang_is_silent_and_begins_within_the_window(runner) -> None:
    runner.write(WORKLOAD, OPTIONS | {"fail": "hang", "tokens_per_s": 1000})
    process = runner.start("simulated")
    wait_for(runner, "window")
    time.sleep(0.5)
    silent_from = len(runner.events())
    time.sleep(0.5)
    assert process.poll() is None
    assert len(runner.events()) == silent_from
    assert 0 < runner.events()[-1].get("done", 0) < 5
    process.terminate()
    assert process.wait(5) == 130


def test_a_slow_load_and_a_long_batch_give_signs_of_life(runner) -> None:
    options = OPTIONS | {"load_s": 2.2, "tokens_per_s": 8, "batch_size": 5}
    runner.write(WORKLOAD, options, measurement={"warmup": {"iterations": 0}})
    assert runner.run("simulated") == 0, runner.log()
    signs = [event["phase"] for event in runner.events() if event["event"] == "progress" and "done" not in event]
    assert signs == ["load"] * 2 + ["window"] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "malformed"),
        (b'{"campaign": "c"}', "experiment_id: Field required"),
        (b"\xff\xfe", "malformed"),
        (None, "cannot read"),
    ],
)
def test_a_malformed_request_is_refused(runner, content: bytes | None, message: str) -> None:
    if content is not None:
        (runner.folder / "request.json").write_bytes(content)
    assert runner.run("simulated") == 2
    failure = runner.failure()
    assert failure.kind.value == "bad_request"
    assert message in failure.message
    assert failure.hint
    assert runner.events() == []


def test_the_wrong_backend_and_a_broken_rule_are_refused(runner) -> None:
    runner.write(WORKLOAD, OPTIONS)
    assert runner.run("pytorch") == 2
    assert "python -m runners simulated" in runner.json("failure.json")["hint"]
    runner.write(WORKLOAD, OPTIONS | {"batch_size": 6})
    assert runner.run("simulated") == 2
    assert "batch-exceeds-prompts" in runner.json("failure.json")["message"]


def test_what_an_earlier_try_left_is_not_taken_for_this_one(runner) -> None:
    (runner.folder / "result.json").write_text("{}")
    (runner.folder / "failure.json").write_text("{}")
    runner.write(WORKLOAD, OPTIONS | {"batch_size": 6})
    assert runner.run("simulated") == 2
    assert not (runner.folder / "result.json").exists()
    assert runner.json("failure.json")["kind"] == "bad_request"


def test_a_full_disk_ends_the_run_with_its_own_code(runner) -> None:
    mount = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or mount.mount(b"tmpfs", bytes(runner.folder), b"tmpfs", 0, b"size=64k"):
        pytest.skip("needs root and the right to mount a tmpfs")
    try:
        runner.write(
            WORKLOAD, OPTIONS | {"tokens_per_s": 20}, measurement={"sample_hz": 100, "warmup": {"iterations": 0}}
        )
        process = runner.start("simulated")
        wait_for(runner, "window")
        fill(runner.folder / "ballast")
        assert process.wait(20) == 14
        assert not (runner.folder / "result.json").exists()
    finally:
        subprocess.run(["umount", "--lazy", str(runner.folder)], check=True)


def test_the_request_decides_the_answers_and_the_seed_the_pace(make_runner) -> None:
    shas = []
    for name in ("a", "b"):
        runner = make_runner(name)
        runner.write({"prompts": 2, "output_tokens": 5}, OPTIONS | {"tokens_per_s": 1000}, seed=3)
        assert runner.run("simulated") == 0
        shas.append(pq.read_table(runner.folder / "requests.parquet").column("output_sha256").to_pylist())
    assert shas[0] == shas[1]
    RunRequest.model_validate(runner.json("request.json"))
