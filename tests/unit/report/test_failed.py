"""Failed runs: each with its kind, and each kind explained once."""

from __future__ import annotations

from orchestrator.manifest.store import RunRow, Status
from orchestrator.report.failed import failed_runs
from runners.contract.failures import FAILURES
from runners.contract.paths import FailureKind


def row(number: int, kind: FailureKind, message: str) -> RunRow:
    return RunRow(number, f"e-{number:016x}", "vllm", "grid", 1, Status.FAILED, 1, kind.value, message, None)


def test_each_run_has_its_kind_and_each_kind_is_explained_once() -> None:
    rows = [
        row(1, FailureKind.GPU_OUT_OF_MEMORY, "CUDA out of memory"),
        row(2, FailureKind.SILENT, "no sign\nof life"),
        row(3, FailureKind.SILENT, "again"),
    ]
    table = failed_runs("mine", rows)
    assert [cells[1:] for cells in table.rows] == [
        ["vllm", "gpu_out_of_memory", "CUDA out of memory"],
        ["vllm", "silent", "no sign of life"],
        ["vllm", "silent", "again"],
    ]
    kinds = (FailureKind.GPU_OUT_OF_MEMORY, FailureKind.SILENT)
    assert table.notes == [f"{kind.value}: {FAILURES[kind].meaning}; {FAILURES[kind].hint}" for kind in kinds]


def test_many_failures_are_counted() -> None:
    table = failed_runs("mine", [row(number, FailureKind.CRASHED, "x") for number in range(25)])
    assert len(table.rows) == 20
    assert table.notes[-1] == "5 more failed: `orchestrate status mine` lists them"
