from __future__ import annotations

from pathlib import Path

from orchestrator.manifest.store import RunRow, Status
from orchestrator.report.failed import failure_summary, hints
from runners.contract.paths import FailureKind

RESULTS = Path("results/mine")


def row(number: int, kind: FailureKind, message: str | None) -> RunRow:
    identity = f"simulated-{number:08x}0000"
    return RunRow(number, identity, "simulated", "grid", 1, Status.FAILED, 2, kind.value, message, None)


def test_failures_are_grouped_by_kind_the_commonest_first_with_hint_and_logs() -> None:
    rows = [
        row(1, FailureKind.OUT_OF_MEMORY, "no  room\nleft"),
        row(2, FailureKind.CRASHED, "died"),
        row(3, FailureKind.CRASHED, "died of something else"),
    ]
    lines = failure_summary("mine", 12, rows, {}, RESULTS)
    assert lines[0] == "Failed: 3 of 12 runs"
    (explained,) = hints(["crashed"])
    assert lines[1:3] == [f"  2 runs · {explained}", "    died (and 1 other message)"]
    assert lines[3] == "    00000002.c001: results/mine/attempts/simulated-000000020000.c001.a2/runner.log"
    assert lines[5].startswith("  1 run · out_of_memory: ")
    assert "    no room left" in lines


def test_ten_thousand_failures_of_long_messages_make_a_short_summary() -> None:
    rows = [row(number, FailureKind.CRASHED, f"{number} " + "x" * 5000) for number in range(10_000)]
    lines = failure_summary("mine", 10_000, rows, {}, RESULTS)
    assert len(lines) == 9
    assert max(map(len, lines)) < 400
    assert lines[-1] == "    … and 9,995 more: `orchestrate status mine`"


def test_what_was_tried_again_and_came_through_is_counted() -> None:
    assert failure_summary("mine", 4, [], {"crashed": 2, "timeout": 1}, RESULTS) == [
        "Tried again and complete: 2 after crashed, 1 after timeout"
    ]


def test_a_failure_that_says_nothing_and_one_of_a_kind_from_a_later_version() -> None:
    (*_, log) = lines = failure_summary("mine", 1, [row(1, FailureKind.CRASHED, None)], {}, RESULTS)
    assert "    no message" in lines
    strange = row(1, FailureKind.CRASHED, "x")._replace(failure_kind="martian")
    assert failure_summary("mine", 1, [strange], {}, RESULTS)[1:] == ["  1 run · martian", "    x", log]
