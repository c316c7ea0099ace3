"""Which kind of failure an exception is, and that no secret leaves with it."""

import errno
import logging
from pathlib import Path

import pytest

from runners.contract.failures import FAILURES
from runners.contract.messages import redact
from runners.contract.paths import EXIT_CODES, FailureKind
from runners.contract.result import RunFailure
from runners.errors import Interrupted, ModelNotFoundError
from runners.failures import classify, failure_of, hint_for, import_failure, write_failure
from runners.files import replaced, write_atomically
from runners.harness.environment import identify, snapshot
from runners.logs import WarningCollector, campaign_line, package_of


class OutOfMemoryError(RuntimeError):
    """Called as torch calls its own."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ImportError("it needs a package"), FailureKind.ENGINE_MISSING),
        (ModuleNotFoundError("No module named 'absent'", name="absent.part"), FailureKind.ENGINE_MISSING),
        (ImportError("cannot import name 'x' from 'json'", name="json"), FailureKind.ENGINE_BROKEN),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (OutOfMemoryError("CUDA"), FailureKind.GPU_OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), FailureKind.GPU_OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory"), FailureKind.GPU_OUT_OF_MEMORY),
        (RuntimeError("[E] CUDA runtime error in cudaMalloc(..): out of memory"), FailureKind.GPU_OUT_OF_MEMORY),
        (
            ValueError(
                "Free memory on device cuda:0 (2.6/121.63 GiB) on startup is less than desired GPU memory utilization"
            ),
            FailureKind.GPU_OUT_OF_MEMORY,
        ),
        (
            RuntimeError("Executor creation failed due to insufficient GPU memory."),
            FailureKind.GPU_OUT_OF_MEMORY,
        ),
        (RuntimeError("std::bad_alloc"), FailureKind.OUT_OF_MEMORY),
        (
            ValueError("Available memory on node 0 (3/8 GiB) on startup is less than desired CPU memory utilization"),
            FailureKind.OUT_OF_MEMORY,
        ),
        (
            ValueError("Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4"),
            FailureKind.UNSUPPORTED,
        ),
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"), FailureKind.UNSUPPORTED),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), FailureKind.UNSUPPORTED),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), FailureKind.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "x"), FailureKind.DISK_FULL),
        (OSError(errno.EDQUOT, "x"), FailureKind.DISK_FULL),
        (RuntimeError("Error: No space left on device (os error 28)"), FailureKind.DISK_FULL),
        (OSError(errno.EACCES, "x"), FailureKind.ENGINE_FAILED),
        (Interrupted("SIGTERM"), FailureKind.INTERRUPTED),
        (KeyboardInterrupt(), FailureKind.INTERRUPTED),
        (ModelNotFoundError("m", "h"), FailureKind.MODEL_NOT_FOUND),
        (ValueError("odd"), FailureKind.ENGINE_FAILED),
    ],
)
def test_kinds(error: BaseException, kind: FailureKind) -> None:
    assert classify(error) is kind
    assert kind in EXIT_CODES
    assert hint_for(error, kind, "pytorch")


def test_a_cause_is_found_behind_what_wraps_it() -> None:
    error = ValueError("generation failed")
    error.__cause__ = OutOfMemoryError("CUDA out of memory")
    assert classify(error) is FailureKind.GPU_OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("on_gpu", "kind"), [(True, FailureKind.GPU_OUT_OF_MEMORY), (False, FailureKind.OUT_OF_MEMORY)]
)
def test_a_cache_that_found_no_room_lay_where_the_engine_works(on_gpu: bool, kind: FailureKind) -> None:
    error = ValueError("No available memory for the cache blocks. Try increasing `gpu_memory_utilization`")
    assert classify(error, on_gpu=on_gpu) is kind


def test_what_a_worker_logged_tells_why_its_engine_failed(tmp_path: Path) -> None:
    log = tmp_path / "runner.log"
    log.write_text("INFO fine\n(EngineCore pid=7) torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB\nINFO end\n")
    error = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")
    failure = failure_of(error, "vllm", None, {}, log)
    assert failure.kind is FailureKind.GPU_OUT_OF_MEMORY
    assert failure.message.endswith(
        "its log says: (EngineCore pid=7) torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB"
    )
    assert failure_of(error, "vllm", None, {}, tmp_path / "none").kind is FailureKind.ENGINE_FAILED
    assert failure_of(ValueError("other"), "vllm", None, {}, log).kind is FailureKind.ENGINE_FAILED


def test_every_kind_is_explained() -> None:
    assert set(FAILURES) == set(FailureKind)
    assert all(explained.meaning and explained.hint for explained in FAILURES.values())


def test_a_missing_engine_says_how_to_install_it() -> None:
    told = import_failure(ModuleNotFoundError("No module named 'tensorrt_llm'"), "tensorrt")
    assert classify(told) is FailureKind.ENGINE_MISSING
    assert "run it in its container" in hint_for(told, FailureKind.ENGINE_MISSING, "tensorrt")


def test_a_package_that_an_option_needs_is_not_the_engine() -> None:
    hint = hint_for(ImportError("needs bitsandbytes"), FailureKind.ENGINE_MISSING, "simulated")
    assert hint == "install what the message names beside the engine, or leave out the option that needs it"


def test_no_secret_is_written(tmp_path: Path) -> None:
    secrets = {"HF_TOKEN": "hf_abcdef", "HUGGING_FACE_HUB_TOKEN": "", "PATH": "/bin"}
    try:
        raise ValueError("401 for url with token hf_abcdef, at /bin")
    except ValueError as error:
        write_failure(tmp_path, failure_of(error, "pytorch", None, secrets))
    text = (tmp_path / "failure.json").read_text()
    assert "hf_abcdef" not in text
    failure = RunFailure.model_validate_json(text)
    assert failure.message == "ValueError: 401 for url with token [HF_TOKEN], at /bin"
    assert "test_no_secret_is_written" in failure.traceback
    assert redact("nothing", secrets) == "nothing"


@pytest.mark.parametrize("before", range(480, 500))
def test_a_long_warning_is_cut_after_the_secret_is_gone(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    secret = "hf_" + "Qz7" * 11
    monkeypatch.setenv("HF_TOKEN", f"{secret}\n")
    collector = WarningCollector()
    text = "x" * before + secret + " tail" * 100
    collector.handle(logging.LogRecord("lib", logging.WARNING, "f", 1, text, None, None))
    (message,) = collector.messages(Path("no log"))
    kept = message.text
    assert len(kept) == 500
    assert "hf_" not in kept
    assert "Qz" not in kept


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "f.json"
    write_atomically(target, b"old")
    with pytest.raises(IsADirectoryError), replaced(target) as temporary:
        temporary.write_bytes(tmp_path.read_bytes())
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_the_snapshot_keeps_no_secret_and_only_listed_variables() -> None:
    variables = {"HF_TOKEN": "hf_abcdef", "OMP_NUM_THREADS": "2", "HOME": "/root", "CUDA_VISIBLE_DEVICES": "0"}
    found = snapshot([], variables, None)
    assert found.variables == {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0"}
    assert "hf_abcdef" not in found.model_dump_json()


def test_the_environment_id_follows_what_bears_on_performance_only() -> None:
    base = snapshot([], {}, None).environment_id
    assert snapshot([], {"CUDA_VISIBLE_DEVICES": "1", "ORCHESTRATE_GIT_COMMIT": "abc"}, None).environment_id == base
    assert snapshot([], {"OMP_NUM_THREADS": "1"}, None).environment_id != base
    assert len({base, *(snapshot([], {}, f"sha256:{digit}").environment_id for digit in "12")}) == 3
    assert identify({"a": 1, "b": 2}) == identify({"b": 2, "a": 1})


@pytest.mark.parametrize("package", ["torch", "vllm", "tensorrt_llm", "xllamacpp", "bitsandbytes"])
def test_another_version_of_an_engine_is_another_environment(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    found = set()
    for version in ("1", "2"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, at=version: at if name == package else "0")
        found.add(snapshot([], {}, None).environment_id)
    assert len(found) == 2


def test_an_image_is_recorded_with_the_commit_it_was_built_from() -> None:
    found = snapshot([], {"ORCHESTRATE_GIT_COMMIT": "abc"}, "sha256:1")
    assert (found.image_digest, found.git_commit) == ("sha256:1", "abc")
    here = snapshot([], {}, None)
    assert here.image_digest is None
    assert snapshot([], {"ORCHESTRATE_GIT_COMMIT": ""}, None).git_commit == here.git_commit


def test_the_campaign_is_named_when_the_dispatcher_says_so() -> None:
    told = {"ORCHESTRATE_CAMPAIGN_NAME": "x", "ORCHESTRATE_CYCLE": "2", "ORCHESTRATE_CYCLES": "3"}
    assert campaign_line(told) == "Part of campaign x (cycle 2 of 3)"
    assert campaign_line({}) is None


def test_a_warning_is_laid_at_the_door_of_its_package() -> None:
    assert package_of("/v/lib/python3.11/site-packages/torch/nn/x.py") == "torch"
    assert package_of("/v/site-packages/six.py") == "six"
    assert package_of("/usr/lib/python3.11/json/decoder.py") == "python"
