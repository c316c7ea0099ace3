"""The real engine in two processes on the CPU, joined by gloo: a model split over them, and a copy in each."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from runners.contract.paths import EXIT_CODES, FailureKind
from runners.contract.result import RunResult
from tests.tiny import tiny_model

pytestmark = pytest.mark.engine

WORKLOAD = {"prompts": 5, "output_tokens": 6, "input_tokens": 12}
MEASUREMENT = {"warmup": {"iterations": 1}, "baseline_s": 0, "loaded_idle_s": 0, "sample_hz": 100.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def write(runner, model: Path, workload=None, **options) -> None:
    declared = {"backend": "pytorch", "dtype": "float32", "batch_size": 2, **options}
    runner.write(WORKLOAD | (workload or {}), declared, model="tiny", model_path=str(model), measurement=MEASUREMENT)


def result_of(runner) -> RunResult:
    assert runner.run("pytorch") == 0, runner.log()
    return RunResult.model_validate_json((runner.folder / "result.json").read_text())


def other_process(runner) -> psutil.Process:
    """The engine's second process, once there are tokens in the window."""
    started = runner.started[-1]
    end_s = time.monotonic() + 80
    while time.monotonic() < end_s:
        assert started.poll() is None, runner.log()
        if any(event.get("phase") == "window" and event.get("event") == "progress" for event in runner.events()):
            [other] = [
                child
                for child in psutil.Process(started.pid).children()
                if "runners.backends.pytorch_worker" in child.cmdline()
            ]
            return other
        time.sleep(0.05)
    raise AssertionError(f"no token in the window: {runner.events()[-3:]}")


def test_a_model_in_two_processes_says_what_it_says_in_one(make_runner, model: Path) -> None:
    alone, split, copied = (make_runner(name) for name in ("alone", "split", "copied"))
    for runner, options in ((alone, {}), (split, {"tensor_parallel_size": 2}), (copied, {"data_parallel_size": 2})):
        write(runner, model, **options)
    one, tensor, data = (result_of(runner) for runner in (alone, split, copied))

    assert one.output_sha256 == tensor.output_sha256 == data.output_sha256
    assert (one.output_tokens, tensor.output_tokens, data.output_tokens) == (30, 30, 30)

    assert tensor.effective_config["group"] == {"backend": "gloo", "world_size": 2}
    assert tensor.effective_config["tensor_parallel"]["size"] == 2
    assert tensor.effective_config["tensor_parallel"]["plan"]["model.layers.*.self_attn.q_proj"] == "colwise"
    assert tensor.ttft_s is not None
    assert tensor.energy_prefill_j is not None, "all processes work on the same batch"

    batches = pq.read_table(copied.folder / "requests.parquet").column("batch").to_pylist()
    assert batches == [0, 0, 0, 0, 1], "two batches of two at once; the last prompt is one copy's alone"
    assert data.ttft_s is not None
    assert data.energy_prefill_j is None, "the copies' prefill and decode overlap"

    for several in (tensor, data):
        parts = [part["memory_bytes"] for part in several.effective_config["processes"]]
        assert several.memory_model_bytes == sum(model for model, _, _ in parts)
        assert several.memory_peak_bytes == sum(peak for _, peak, _ in parts)
        assert several.memory_peak_bytes > 1.5 * one.memory_peak_bytes
    assert "processes" not in one.effective_config


def test_the_processes_have_an_equal_part_of_the_threads(runner, model: Path, tmp_path: Path) -> None:
    # As on a machine of eight cores: torch has no more threads than there are.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if any('pytorch' in one for one in sys.orig_argv):\n"
        "    import torch\n"
        "    held = [int(os.environ['OMP_NUM_THREADS'])]\n"
        "    torch.get_num_threads = lambda: held[0]\n"
        "    torch.set_num_threads = lambda count: held.__setitem__(0, count)\n"
    )
    write(runner, model, data_parallel_size=2)
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    assert runner.run("pytorch", PYTHONPATH=path, OMP_NUM_THREADS="8") == 0, runner.log()
    found = RunResult.model_validate_json((runner.folder / "result.json").read_text())
    assert [part["torch_num_threads"] for part in found.effective_config["processes"]] == [4, 4]


def test_a_process_for_which_no_prompt_is_left_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from runners.backends.pytorch_group import share_of
    from runners.backends.pytorch_place import Place

    class RepeatsTheLast:
        """As accelerate had it up to 1.13."""

        def __init__(self, *, cpu: bool) -> None:
            pass

        @contextmanager
        def split_between_processes(self, inputs: list) -> Iterator[list]:
            yield inputs[-1:]

    monkeypatch.setattr("accelerate.PartialState", RepeatsTheLast)
    assert share_of(Place(1, (torch.device("cpu"),)), [[7, 8]]) == []


@pytest.mark.parametrize("way", ["tensor_parallel_size", "data_parallel_size"])
def test_a_process_that_dies_ends_the_run_and_not_in_a_hang(runner, model: Path, way: str) -> None:
    write(runner, model, {"prompts": 400, "output_tokens": 200}, **{way: 2})
    started = runner.start("pytorch")
    os.kill(other_process(runner).pid, signal.SIGKILL)
    assert started.wait(40) == EXIT_CODES[FailureKind.ENGINE_FAILED]
    failure = runner.failure()
    assert failure.kind is FailureKind.ENGINE_FAILED
    assert "process 1 of the engine was ended by SIGKILL" in failure.message


def test_the_other_process_dies_with_the_runner(runner, model: Path) -> None:
    write(runner, model, {"prompts": 400, "output_tokens": 200}, data_parallel_size=2)
    started = runner.start("pytorch")
    other = other_process(runner)
    started.kill()
    started.wait()
    other.wait(20)


def test_what_the_other_process_says_of_its_failure_is_the_runs(runner, model: Path, tmp_path: Path) -> None:
    # Its memory runs out where a real allocator would say so: in the first batch.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if any('pytorch_worker' in one for one in sys.orig_argv):\n"
        "    import runners.backends.pytorch_replica as replica\n"
        "    def generate(self, prompts):\n"
        "        raise MemoryError('no more of it')\n"
        "    replica.Replica.generate = generate\n"
    )
    write(runner, model, tensor_parallel_size=2)
    code = runner.run("pytorch", PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}")
    failure = runner.failure()
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "process 1 of the engine: MemoryError: no more of it" in failure.message
    assert code == EXIT_CODES[FailureKind.OUT_OF_MEMORY]
