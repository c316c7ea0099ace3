"""What the host saw of a run joins the result wherever that is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.folders import CampaignFolder
from orchestrator.results.reading import load_result, read_results
from runners.contract.host import NO_OTHER_PROCESS, HostReport, with_host_checks
from runners.contract.paths import HOST, AttemptName
from runners.contract.result import Check
from tests.builders import finished_attempt, published_run, run_result

NAME = AttemptName("simulated-model-1-0123456789abcdef", 1, 1)


def other_process(**changes: Any) -> dict[str, Any]:
    passed = {"name": NO_OTHER_PROCESS, "passed": True, "severity": "critical", "observed": "nobody", "hint": None}
    return {**passed, **changes}


def reported(folder: Path, *checks: dict[str, Any], **changes: Any) -> None:
    at = "2026-01-02T03:04:05Z"
    report = {"schema_version": 1, "watched_from": at, "watched_until": at, "looks": 3, "failed_looks": 0}
    text = json.dumps({**report, "others": [], "checks": checks, **changes})
    (folder / HOST).write_text(text)


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (other_process(), "good"),
        (other_process(passed=False), "suspect"),
        (other_process(passed=False, severity="warning"), "good"),
    ],
)
def test_what_the_host_checked_is_among_the_checks_and_in_the_verdict(
    check: dict[str, Any], verdict: str, tmp_path: Path
) -> None:
    folder = published_run(tmp_path, run_result())
    reported(folder, check)
    result = load_result(folder)
    assert result.verdict == verdict
    assert result.checks == [*run_result().checks, Check.model_validate(check)]
    assert [result] == list(read_results(tmp_path / "base"))


def test_nothing_that_the_host_saw_makes_a_suspect_run_good() -> None:
    suspect = run_result(verdict="suspect")
    assert with_host_checks(suspect, [Check.model_validate(other_process())]).verdict == "suspect"


def test_the_hosts_check_takes_the_place_of_the_runners_of_the_same_name() -> None:
    result = run_result(checks=[other_process(observed="by the runner")])
    merged = with_host_checks(result, [Check.model_validate(other_process(observed="by the host"))])
    assert [check.observed for check in merged.checks] == ["by the host"]


def test_a_run_that_the_host_did_not_watch_is_shown_as_it_is(tmp_path: Path) -> None:
    assert load_result(published_run(tmp_path, run_result())) == run_result()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema_version": 3}'])
def test_a_report_that_cannot_be_read_is_told(content: bytes, tmp_path: Path) -> None:
    folder = published_run(tmp_path, run_result())
    (folder / HOST).write_bytes(content)
    result = load_result(folder)
    (check,) = (check for check in result.checks if check.name == NO_OTHER_PROCESS)
    assert (check.passed, check.severity, result.verdict) == (False, "warning", "good")


def test_an_attempt_is_verified_with_what_the_host_saw(tmp_path: Path) -> None:
    folder = CampaignFolder(tmp_path / "base")
    folder.make()
    reported(finished_attempt(folder, NAME), other_process(passed=False))
    assert folder.verify(NAME).verdict == "suspect"


def test_reports_ever_written_are_read() -> None:
    golden = Path(__file__).parents[2] / "contract" / "golden" / "host.v1.json"
    report = HostReport.model_validate_json(golden.read_bytes())
    assert json.loads(report.model_dump_json()) == json.loads(golden.read_text()) | {"neighbours": []}
    assert [other.pid for other in report.others] == [4711]
