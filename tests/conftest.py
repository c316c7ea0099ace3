"""Every test alone: its own folder, its own home, no token; and a strict mode in which nothing is skipped."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from tests.e2e.commands import Project

STRICT = "ORCHESTRATE_TEST_STRICT"
_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)

settings.register_profile("quick", deadline=None, max_examples=50, database=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's reaches a test; engine tests keep the cache that holds the demo model."""
    for variable in ("ORCHESTRATE_HOME", "ORCHESTRATE_ATTEMPT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    if request.node.get_closest_marker("engine") is None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project's folder with the installed command line in it; nothing of it outlives the test."""
    made = Project(tmp_path / "project")
    yield made
    made.stop_everything()


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
