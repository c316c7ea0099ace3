"""A strict mode in which nothing is skipped, for tests on this machine and inside the images."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

STRICT = "ORCHESTRATE_TEST_STRICT"
_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In strict mode a test that was skipped has failed."""
    report = yield
    return _strictly(report, item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So has a file that skips itself."""
    report = yield
    return _strictly(report, collector.nodeid)


def _strictly(report: _Report, name: str) -> _Report:
    if os.environ.get(STRICT) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"{name} was skipped, and {STRICT}=1: {report.longrepr}"
        report.outcome = "failed"
    return report
