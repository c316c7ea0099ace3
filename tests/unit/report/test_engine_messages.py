"""Messages of engines as people see them: what is unknown apart from what is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.manifest.store import RunRow, Status
from orchestrator.report.engine_messages import message_notes, message_tables, messages_of, with_known_issues
from orchestrator.report.failed import failure_summary
from orchestrator.report.tables import Table, run_details
from orchestrator.report.tables import summary as summary_of
from orchestrator.results.known_issues import KnownIssue
from orchestrator.results.table import as_table
from runners.contract.host import HostReport
from runners.contract.paths import FailureKind
from runners.contract.result import RunResult
from tests.builders import run_result

ISSUE = KnownIssue(
    id="no-triton",
    source="torch",
    pattern="Triton not available",
    status="external",
    note="builds for the CPU have none",
    url="https://example.org/1",
)
KNOWN = {"source": "torch", "level": "warning", "text": "Triton not available here", "count": 2}
NEWS = {"source": "vllm", "level": "error", "text": "the cache\u200b is [red]broken[/red]", "count": 1}


def summary(name: str, results: Sequence[RunResult], notes: Sequence[str] = ()) -> Table:
    return summary_of(as_table(Path(name), results), notes)


def told_by(results: Sequence[RunResult]) -> list[str]:
    return as_table(Path("base"), results).frame["engine_messages"].tolist()


def test_the_unknown_stand_before_the_known_and_these_are_explained() -> None:
    (table,) = message_tables(run_result(engine_messages=[KNOWN, NEWS]), [ISSUE])
    assert table.rows == [
        ["vllm", "error", "1", "unknown", NEWS["text"]],
        ["torch", "warning", "2", "no-triton (external)", KNOWN["text"]],
    ]
    assert table.notes == ["no-triton (external): builds for the CPU have none (https://example.org/1)"]
    assert message_tables(run_result(), [ISSUE]) == []


def test_a_campaigns_end_tells_unknown_messages_from_known_ones() -> None:
    runs = [run_result(engine_messages=[KNOWN, KNOWN]), run_result(engine_messages=[KNOWN, NEWS], cycle=2)]
    assert message_notes(told_by(runs), [ISSUE]) == [
        f"error of vllm that no known issue explains, in 1 of 2 runs: {NEWS['text']}",
        "known issues met: no-triton (external) in 2 of 2 runs",
    ]
    many = [{**NEWS, "text": f"{number} " + "x" * 300} for number in range(9)]
    notes = message_notes(told_by([run_result(engine_messages=many)]), [])
    assert len(notes) == 4
    assert all(len(note) < 200 for note in notes)
    assert notes[-1] == "6 more such messages: `orchestrate results show RUN` has them"
    assert message_notes(told_by([run_result()]), [ISSUE]) == []


def test_messages_of_a_campaign_are_counted_by_runs_the_unknown_first() -> None:
    runs = [run_result(engine_messages=[KNOWN, KNOWN]), run_result(engine_messages=[KNOWN, NEWS], cycle=2)]
    runs.append(run_result(engine_messages=[{**NEWS, "level": "warning", "text": "hm"}], cycle=3))
    found = messages_of(told_by([*runs, run_result(cycle=4)]), [ISSUE])
    assert [(one.text, one.level, one.runs, one.issue) for one in found] == [
        (NEWS["text"], "error", 1, None),
        ("hm", "warning", 1, None),
        (KNOWN["text"], "warning", 2, ISSUE),
    ]


def test_json_carries_what_a_message_is_known_as() -> None:
    document = with_known_issues(run_result(engine_messages=[KNOWN, NEWS]), [ISSUE])
    assert [message["known"] and message["known"]["id"] for message in document["engine_messages"]] == [
        "no-triton",
        None,
    ]
    assert document["engine_messages"][0]["known"]["status"] == "external"


def test_a_failure_that_is_known_is_named_below_the_table() -> None:
    def row(number: int, message: str | None) -> RunRow:
        kind = FailureKind.ENGINE_FAILED.value
        return RunRow(number, f"e-{number:016x}", "vllm", "grid", 1, Status.FAILED, 1, kind, message, None)

    rows = [row(0, "RuntimeError: Triton not\navailable"), row(1, "another"), row(2, None)]
    named = "no-triton (external): builds for the CPU have none (https://example.org/1); in 1 of 3 failed runs"
    assert named in failure_summary("mine", 9, rows, {}, Path("results"), [ISSUE])
    assert not [line for line in failure_summary("mine", 9, rows[1:], {}, Path("results"), [ISSUE]) if "triton" in line]


STEPS = {"fresh_process": True, "private_caches": ["A", "B"], "page_cache_dropped": True}


def told(result: RunResult, host: HostReport | None = None) -> dict[str, str]:
    who = run_details(result, host)[0]
    return {row[0]: row[1] for row in who.rows}


def test_a_run_says_how_it_was_run() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    host = HostReport.model_validate(
        {
            "watched_from": at,
            "watched_until": at,
            "looks": 1,
            "failed_looks": 0,
            "others": [],
            "checks": [],
            "neighbours": [{"run_id": "e-2.c001", "gpus": ["GPU-b"]}, {"run_id": "e-3.c001", "gpus": []}],
        }
    )
    run: dict[str, Any] = {
        "order": "shuffled",
        "order_index": 4,
        "gap": {"between": "cycles", "duration_s": 30.02, "ended_by": "cool"},
        "cold_start": True,
        "cold_start_steps": STEPS,
        "concurrency_on_host": 2,
    }
    said = told(run_result(**run), host)
    assert said["order"] == "shuffled, number 5"
    assert said["pause before it"] == "30.0 s between cycles, until the GPUs were cool"
    assert said["cold start"].startswith("yes: fresh process, 2 private and empty caches; the model's files dropped")
    assert said["at once"] == "up to 2 runs of the campaign on this host"
    assert said["neighbours"] == "e-2.c001 on GPU-b; e-3.c001 on the CPU"

    run["cold_start"] = False
    run["cold_start_steps"] = {**STEPS, "page_cache_dropped": False, "why_not": "it is in use"}
    assert told(run_result(**run))["cold start"].endswith("empty caches; it is in use")
    assert told(run_result(**run))["cold start"].startswith("not wholly")
    assert told(run_result(cold_start=False))["cold start"] == "not asked for"
    assert told(run_result()).keys().isdisjoint({"cold start", "order", "pause before it", "at once", "neighbours"})


def test_the_summary_says_which_runs_were_cold_or_had_neighbours() -> None:
    cold = run_result(cold_start=True, cold_start_steps=STEPS, concurrency_on_host=1)
    tepid = run_result(cold_start=False, cold_start_steps={**STEPS, "page_cache_dropped": False}, cycle=2)
    beside = run_result(cold_start=False, concurrency_on_host=4, cycle=3)
    assert summary("base", [cold, tepid, beside], ["last"]).notes[1:] == [
        "1 of 3 runs was started cold",
        "1 of 3 runs could not be started wholly cold: the check cold_start says why",
        "1 of 3 runs ran while others of the campaign could: they share power and heat",
        "last",
    ]
    assert summary("base", [run_result(cold_start=False, concurrency_on_host=1)]).notes[1:] == []
