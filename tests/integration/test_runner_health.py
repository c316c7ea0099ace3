"""The health probe as a process. NVML and CUDA are a stand-in (nvidia_standin.c) behind the real pynvml and ctypes."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.system.simulated_gpu.settings import Simulation, uuid_of

SOURCE = Path(__file__).with_name("nvidia_standin.c")
NOTHING = {"NVIDIA_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("standin")
    nvml = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", nvml, SOURCE], check=True)
    shutil.copy(nvml, folder / "libcuda.so.1")
    return folder


def python(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **NOTHING, **environment},
    )


def inherited() -> dict[str, str]:
    """The environment without a word on GPUs."""
    return {name: value for name, value in os.environ.items() if name not in NOTHING}


def health(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "runners.health", *arguments, **environment)


@pytest.mark.parametrize("asked", ["", "void", "none"])
def test_a_container_without_gpus_is_to_use_the_cpu(asked: str) -> None:
    done = health(NVIDIA_VISIBLE_DEVICES=asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"device": "cpu", "detail": f"{len(os.sched_getaffinity(0))} CPUs"}


@pytest.mark.parametrize(("gpus", "detail"), [("1", "1 GPU, driver 999.1"), ("8", "8 GPUs, driver 999.1")])
def test_gpus_that_answer_are_told(standin: Path, gpus: str, detail: str) -> None:
    done = health(NVIDIA_VISIBLE_DEVICES="all", LD_LIBRARY_PATH=str(standin), STANDIN_GPUS=gpus)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"device": "cuda", "detail": detail}
    assert done.stdout.count("\n") == 1


def test_a_simulated_gpu_says_so_and_needs_no_cuda(simulate: Callable[[Simulation, float], dict[str, str]]) -> None:
    done = health(**{**simulate(Simulation(), time.monotonic()), "NVIDIA_VISIBLE_DEVICES": uuid_of(0)})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"device": "simulated", "detail": "1 GPU, driver 999.0-simulated"}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "NVIDIA_VISIBLE_DEVICES is GPU-1, and no GPU is visible here"),
        ({"STANDIN_NVML": "9"}, "(nvmlInit)\nhint: load the NVIDIA driver"),
        ({"STANDIN_NVML": "15"}, "NVML: GPU is lost (nvmlInit)\nhint: the GPU fell off the bus"),
        ({"STANDIN_GPUS": "1", "STANDIN_CUDA": "100"}, "cuInit gives 100 (CUDA_ERROR_NO_DEVICE)"),
        ({"STANDIN_GPUS": "1", "STANDIN_CUDA": "12345"}, "cuInit gives 12345 (an unknown error)"),
    ],
)
def test_a_gpu_that_does_not_answer_is_not_healthy(standin: Path, environment: dict[str, str], reason: str) -> None:
    done = health(NVIDIA_VISIBLE_DEVICES="GPU-1", LD_LIBRARY_PATH=str(standin), **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("broken", "reason"),
    [("libnvidia-ml.so.1", "install the NVIDIA driver"), ("libcuda.so.1", "NVIDIA_DRIVER_CAPABILITIES")],
)
def test_a_library_that_cannot_be_loaded_is_named(standin: Path, tmp_path: Path, broken: str, reason: str) -> None:
    (tmp_path / broken).write_text("no library")
    paths = f"{tmp_path}:{standin}"
    done = health(NVIDIA_VISIBLE_DEVICES="all", LD_LIBRARY_PATH=paths, STANDIN_GPUS="1")
    assert done.returncode == 1
    assert reason in done.stderr


def test_the_folder_must_be_one_that_can_be_written(tmp_path: Path) -> None:
    assert health("--folder", tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for folder, reason in ((tmp_path / "none", "No such file"), (tmp_path / "file", "Not a directory")):
        done = health("--folder", folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{folder} cannot be written: {reason}" in done.stderr


def test_it_loads_nothing_heavy() -> None:
    done = python("-c", "import sys, runners.health; runners.health.main([]); print(*sys.modules)")
    assert not {"torch", "pydantic", "numpy", "pynvml", "pyarrow"} & set(done.stdout.split())


FIRST = "import os; from runners import gpus; print(*(gpu.uuid for gpu in gpus.first(os.environ)))"


@pytest.mark.parametrize(
    ("environment", "uuids"),
    [
        ({"NVIDIA_VISIBLE_DEVICES": "all", "STANDIN_GPUS": "2"}, "GPU-standin-0\n"),
        ({"NVIDIA_VISIBLE_DEVICES": "void", "STANDIN_GPUS": "2"}, "\n"),
        ({"NVIDIA_VISIBLE_DEVICES": "", "STANDIN_GPUS": "2"}, "\n"),
        ({"STANDIN_GPUS": "2"}, "GPU-standin-0\n"),
        ({"STANDIN_GPUS": "0"}, "\n"),
        ({"STANDIN_NVML": "9"}, "\n"),
        ({"STANDIN_NVML": "12"}, "\n"),
        ({"CUDA_VISIBLE_DEVICES": "1", "STANDIN_GPUS": "2"}, "GPU-standin-1\n"),
        ({"CUDA_VISIBLE_DEVICES": "1,0", "STANDIN_GPUS": "2"}, "GPU-standin-1\n"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-standin-1", "STANDIN_GPUS": "2"}, "GPU-standin-1\n"),
        ({"CUDA_VISIBLE_DEVICES": "", "STANDIN_GPUS": "2"}, "\n"),
        ({"CUDA_VISIBLE_DEVICES": "1", "STANDIN_GPUS": "0"}, "\n"),
    ],
)
def test_a_run_by_hand_gets_the_first_gpu_that_is_ours(standin: Path, environment: dict[str, str], uuids: str) -> None:
    environment = {**inherited(), "LD_LIBRARY_PATH": str(standin), **environment}
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == uuids, done.stderr


def test_a_slice_of_a_gpu_is_not_replaced_by_the_cpu(standin: Path) -> None:
    environment = {"LD_LIBRARY_PATH": str(standin), "STANDIN_GPUS": "1", "CUDA_VISIBLE_DEVICES": "MIG-9f2"}
    argv = [sys.executable, "-m", "runners", "pytorch", "--model", "demo:smollm2-135m"]
    done = subprocess.run(argv, capture_output=True, text=True, env={**inherited(), **environment}, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: CUDA_VISIBLE_DEVICES names MIG-9f2, a slice of a GPU")


@pytest.mark.parametrize("environment", [{"STANDIN_GPUS": "0"}, {"STANDIN_NVML": "9"}])
def test_gpus_that_were_asked_for_and_are_not_there_are_a_failure(standin: Path, environment: dict[str, str]) -> None:
    asked = {"NVIDIA_VISIBLE_DEVICES": "all", "LD_LIBRARY_PATH": str(standin), **environment}
    done = python("-m", "runners", "pytorch", "--model", "demo:smollm2-135m", **asked)
    assert done.returncode == 13
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(Path().iterdir()) == []


def test_a_driver_that_is_broken_is_a_failure_even_if_none_was_asked_for(standin: Path) -> None:
    environment = {**inherited(), "LD_LIBRARY_PATH": str(standin), "STANDIN_NVML": "18"}
    argv = [sys.executable, "-m", "runners", "pytorch", "--model", "demo:smollm2-135m"]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 13
    assert "the driver was updated while loaded" in done.stderr
