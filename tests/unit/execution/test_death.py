"""What a runner died of that left no word: by its exit code, and by the end of its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dispatch.base import Ending
from orchestrator.execution.death import died
from runners.contract.paths import FailureKind


@pytest.mark.parametrize(
    ("ending", "log", "kind", "message"),
    [
        (Ending(-9), "", FailureKind.CRASHED, "the runner was killed by SIGKILL"),
        (Ending(-9), "a\nb\n\n", FailureKind.CRASHED, "the runner was killed by SIGKILL; its log ends: b"),
        (
            Ending(-11),
            "INFO load\nFatal Python error: Segmentation fault\n\nThread 0x1\n  File x\n",
            FailureKind.CRASHED,
            "the runner was killed by SIGSEGV; its log ends: Fatal Python error: Segmentation fault",
        ),
        (
            Ending(-6),
            "terminate called after throwing an instance of 'std::bad_alloc'\nFatal Python error: Aborted\n",
            FailureKind.OUT_OF_MEMORY,
            "the runner was killed by SIGABRT; its log says: terminate called after throwing an instance of"
            " 'std::bad_alloc'",
        ),
        (Ending(None), "", FailureKind.CRASHED, "the runner ended without a result"),
        (Ending(1), "", FailureKind.CRASHED, "the runner ended with exit code 1 and no result"),
        (Ending(18), "", FailureKind.GPU_OUT_OF_MEMORY, "the runner ended with exit code 18 and no result"),
        (Ending(14), "", FailureKind.DISK_FULL, "the disk is full: the runner could not even write why it failed"),
        (Ending(137, out_of_memory=True), "", FailureKind.OUT_OF_MEMORY, "the container's memory limit was reached"),
    ],
)
def test_died(tmp_path: Path, ending: Ending, log: str, kind: FailureKind, message: str) -> None:
    (tmp_path / "runner.log").write_text(log)
    verdict = died(ending, tmp_path / "runner.log", on_gpu=False)
    assert verdict.kind is kind
    assert message in verdict.message
    assert verdict.hint
    assert ("dmesg" in verdict.hint) is (ending.exit_code == -9)


def test_no_secret_is_told_of_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_t0ps3cret")
    (tmp_path / "runner.log").write_text("x" * 290 + " hf_t0ps3cret is refused\n")
    message = died(Ending(1), tmp_path / "runner.log", on_gpu=False).message
    assert "hf_" not in message
    assert "[HF_TOKE" in message


def test_without_a_log_it_died_of_what_its_code_says(tmp_path: Path) -> None:
    assert died(Ending(-15), tmp_path / "none", on_gpu=False).message == "the runner was killed by SIGTERM"
